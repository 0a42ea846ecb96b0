"""``faas-exp aggregate``: from a tree of requests to per-case files and one tidy table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faas_exp.analysis import store
from faas_exp.analysis.case_csv import write_case_files
from faas_exp.analysis.collect import collect
from faas_exp.analysis.model import AggregateReport, Dataset


def aggregate_tree(source: Path, destination: Path, exclude: Sequence[str] = ()) -> AggregateReport:
    """See ``faas_exp.analysis.aggregate``."""
    data = collect(source, exclude)
    files = [*write_case_files(data.runs, destination), *store.save(data, destination)]
    return describe(data, destination, files)


def describe(data: Dataset, destination: Path, files: Sequence[Path]) -> AggregateReport:
    """What was read and written, in numbers."""
    runs = data.runs
    void = runs.groupby(["orchestrator", "function", "load", "scaling", "case", "run"])["void"].any()
    return AggregateReport(
        destination=destination,
        files=files,
        notes=data.provenance.notes,
        errors=data.provenance.errors,
        runs=len(void),
        leaves=len(runs),
        requests=int(runs["count"].sum()),
        voids=int(void.sum()),
        left_out=data.provenance.left_out,
    )
