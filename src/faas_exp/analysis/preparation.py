"""``faas-exp prepare-for-statistics``: one value per run, all orchestrators side by side."""

from __future__ import annotations

from pathlib import Path

from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.model import Written
from faas_exp.analysis.summary_csv import summaries_of, write_summary


def prepare(source: Path, destination: Path, *, thesis: bool = False) -> Written:
    """See ``faas_exp.analysis.prepare_for_statistics``."""
    data = load_dataset(source)
    files = [write_summary(summary, destination) for summary in summaries_of(data.runs, thesis=thesis)]
    voids = int(data.runs["void"].sum())
    notes = [str(item) for item in data.provenance.left_out] + data.provenance.notes
    notes += [f"{voids} void runs or chunks are left out"] if voids else []
    return Written(destination, files, notes, data.provenance.errors)
