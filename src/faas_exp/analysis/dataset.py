"""Reading whatever a user points at: a result tree, an aggregated folder, the thesis's files, or a mixture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from faas_exp.analysis import names, store
from faas_exp.analysis.case_csv import is_case_file, read_case_file
from faas_exp.analysis.collect import collect
from faas_exp.analysis.errors import AnalysisError, BadFileError, NoResultsError
from faas_exp.analysis.files import need_folder
from faas_exp.analysis.model import KEY, Dataset, FloatArray, LeftOut, Provenance
from faas_exp.analysis.summary_csv import Summary, is_summary, read_summary, runs_of
from faas_exp.analysis.tidy import runs_frame
from faas_exp.analysis.tree import JMETER, OWN


def load_dataset(source: Path) -> Dataset:
    """Everything under ``source``, richest first: where two files tell of the same run, the one with requests counts.

    Raises:
        NoResultsError: there is nothing to analyse.
        AnalysisError: there is something, but it can't be used.
    """
    need_folder(source)
    aggregated = [folder for folder in (source, *sorted(source.iterdir())) if (folder / store.RUNS).is_file()]
    parts, problem = _requests_or_aggregated(source, aggregated)
    summaries, left_out = read_summaries(source)
    parts += [_of_runs(runs_of(summary)) for summary in summaries]
    if not parts:
        cases, more = _read_cases(source)
        left_out += more
        parts += [_of_runs(cases)] if len(cases) else []
    if not parts:
        raise problem
    merged = _merge(parts)
    merged.provenance.left_out += left_out
    return merged


def _requests_or_aggregated(source: Path, aggregated: list[Path]) -> tuple[list[Dataset], AnalysisError]:
    """The requests themselves where they are there, else what was made of them: it may be older than they are."""
    try:
        data = collect(source)
    except AnalysisError as error:
        if not isinstance(error, NoResultsError) and not aggregated:
            return [], error
        return [store.load(folder) for folder in aggregated], error
    data.provenance.left_out += [
        LeftOut(str(folder), "was aggregated earlier; the requests are here, so they were read again")
        for folder in aggregated
    ]
    return [data], NoResultsError(f"{source}: found no results")


def read_summaries(source: Path) -> tuple[list[Summary], list[LeftOut]]:
    """Every summary file ``[…/]<function>/<load>/<scaling>/*.csv`` under ``source``, and unusable ones."""
    found: list[Summary] = []
    left_out: list[LeftOut] = []
    for path, (*_, function), load, scaling in _csv_files(source):
        if is_summary(path):
            try:
                found.append(read_summary(path, function, load, scaling))
            except BadFileError as error:
                left_out.append(LeftOut(str(path), f"found {error.found}, allowed: {error.allowed}"))
    return found, left_out


def _read_cases(source: Path) -> tuple[pd.DataFrame, list[LeftOut]]:
    """Per-case files ``<orchestrator>/<function>/<load>/<scaling>/<case>.csv``: medians only, shown as one run."""
    rows: list[dict[str, object]] = []
    left_out: list[LeftOut] = []
    for path, (*_, orchestrator, function), load, scaling in _csv_files(source):
        if not is_case_file(path):
            continue
        try:
            table = read_case_file(path)
        except BadFileError as error:
            left_out.append(LeftOut(str(path), f"found {error.found}, allowed: {error.allowed}"))
            continue
        where: dict[str, object] = {"orchestrator": orchestrator, "function": function, "load": load}
        where |= {"scaling": scaling, "case": path.stem, "prefix": f"{orchestrator}/{function}"}
        where |= {"source": "case", "run": 1, "leaf": -1}
        rows += [{**where, **{str(key): value for key, value in row.items()}} for row in table.to_dict("records")]
    return runs_frame(rows), left_out


def _csv_files(source: Path) -> Iterator[tuple[Path, tuple[str, ...], str, str]]:
    """CSV files in a load type's folder: path, names above it (two at least), load, scaling."""
    above = ("unnamed", "unnamed", *source.resolve().parts)
    for here, folders, files in os.walk(source):
        parts = (*above, *Path(here).relative_to(source).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in names.LOADS) + sorted(
            name for name in folders if name in names.LOADS
        )
        if OWN in files or JMETER in files:
            folders[:] = []
        elif parts[-2] in names.LOADS and parts[-1] in names.SCALINGS:
            folders[:] = []
            for name in sorted(files, key=names.natural):
                if name.endswith(".csv"):
                    yield Path(here, name), parts[:-2], parts[-2], parts[-1]


def _of_runs(runs: pd.DataFrame) -> Dataset:
    return Dataset(runs, {}, pd.DataFrame({"leaf": []}), pd.DataFrame({"leaf": []}), Provenance())


def _merge(parts: Sequence[Dataset]) -> Dataset:
    """One data set of several; of runs told twice the first is kept, and the others are said."""
    if len(parts) == 1 and (parts[0].runs["leaf"] >= 0).all():
        return parts[0]
    provenance = Provenance()
    tables, timelines, firsts = [], [], []
    quantiles: dict[int, FloatArray] = {}
    offset = 0
    for part in parts:
        runs = part.runs.copy()
        unnumbered = (runs["leaf"] < 0).to_numpy()
        runs.loc[unnumbered, "leaf"] = np.arange(int(unnumbered.sum()))
        runs["leaf"] += offset
        quantiles |= {leaf + offset: values for leaf, values in part.quantiles.items()}
        timelines.append(part.timeline.assign(leaf=part.timeline["leaf"] + offset))
        firsts.append(part.first.assign(leaf=part.first["leaf"] + offset))
        offset = int(runs["leaf"].max()) + 1 if len(runs) else offset
        tables.append(runs)
        provenance.manifests |= part.provenance.manifests
        provenance.facts |= part.provenance.facts
        provenance.left_out += part.provenance.left_out
        provenance.errors += part.provenance.errors
        provenance.notes += part.provenance.notes
    runs = pd.concat(tables, ignore_index=True)
    twice = runs.duplicated(list(KEY))
    if twice.any():
        provenance.notes.append(f"{int(twice.sum())} runs were found twice; the one with requests counts")
    return Dataset(
        runs=_sorted(runs[~twice]),
        quantiles=quantiles,
        timeline=_concat(timelines),
        first=_concat(firsts),
        provenance=provenance,
    )


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    full = [frame for frame in frames if len(frame)]
    return pd.concat(full, ignore_index=True) if full else frames[0]


def _sorted(runs: pd.DataFrame) -> pd.DataFrame:
    order = sorted(
        range(len(runs)),
        key=lambda i: (
            names.natural(runs["orchestrator"].iloc[i]),
            names.natural(runs["function"].iloc[i]),
            runs["load"].iloc[i] != "sequential",
            runs["scaling"].iloc[i],
            names.natural(runs["case"].iloc[i]),
            runs["run"].iloc[i],
            names.chunk_order(runs["chunk"].iloc[i]),
        ),
    )
    return runs.iloc[order].reset_index(drop=True)
