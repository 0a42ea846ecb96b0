"""``faas-exp compute-wilcoxon``: the tests, or the thesis's own tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from faas_exp.analysis import thesis_wilcoxon
from faas_exp.analysis.dataset import load_dataset, read_summaries
from faas_exp.analysis.errors import TooFewError
from faas_exp.analysis.files import need_folder, write_text
from faas_exp.analysis.inference.compare import Comparison, compare
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.presentation import omnibus_table, pair_table
from faas_exp.analysis.model import LeftOut, Written
from faas_exp.analysis.summary_csv import Summary, summaries_of
from faas_exp.analysis.tables import write_table


def wilcoxon(source: Path, destination: Path, *, thesis: bool = False, options: Options | None = None) -> Written:
    """See ``faas_exp.analysis.compute_wilcoxon``."""
    return _thesis(source, destination) if thesis else _compare(source, destination, options or Options())


def _thesis(source: Path, destination: Path) -> Written:
    need_folder(source)
    summaries, left_out = read_summaries(source)
    if not summaries:
        data = load_dataset(source)
        summaries, left_out = summaries_of(data.runs, thesis=True), data.provenance.left_out
    files: list[Path] = []
    notes = [str(item) for item in left_out]
    for summary in summaries:
        if summary.table["framework"].nunique() < 2:
            only = summary.table["framework"].iloc[0]
            notes.append(str(LeftOut(str(summary.folder), f"has one orchestrator only ({only}), nothing to compare")))
            continue
        files += _thesis_files(summary, destination, notes)
    if not files:
        raise TooFewError(f"{source}: found one orchestrator per function, allowed: two or more")
    return Written(destination, files, notes)


def _thesis_files(summary: Summary, destination: Path, notes: list[str]) -> list[Path]:
    files = []
    for factor, table in thesis_wilcoxon.tables(summary).items():
        folder = destination / summary.folder
        files.append(write_text(folder / f"Wilcoxon-{factor}.csv", thesis_wilcoxon.to_csv(table)))
        files.append(write_text(folder / f"Wilcoxon-{factor}.tex", thesis_wilcoxon.to_latex(table, factor)))
        if table.map(lambda cell: thesis_wilcoxon.NO_DATA in cell).to_numpy().any():
            notes.append(
                f"{summary.folder}: {factor}: {thesis_wilcoxon.NO_DATA} marks cases which one side does not have"
            )
    return files


def _compare(source: Path, destination: Path, options: Options) -> Written:
    data = load_dataset(source)
    comparison = compare(data, options)
    if comparison.pairs.empty:
        seen = ", ".join(sorted(set(data.runs["orchestrator"])))
        raise TooFewError(f"{source}: found no case with two orchestrators (there is: {seen}), allowed: two or more")
    files = write_comparison(comparison, destination)
    notes = [str(item) for item in data.provenance.left_out] + data.provenance.notes + comparison.warnings
    return Written(destination, files, notes, data.provenance.errors)


def write_comparison(comparison: Comparison, destination: Path) -> list[Path]:
    """Per function and load type ``Wilcoxon-<factor>.*``, and all of it in ``comparisons.csv`` and ``omnibus.csv``."""
    files: list[Path] = []
    for (function, load, scaling, metric), pairs in _tables(comparison.pairs):
        stem = destination / function / load / scaling / f"Wilcoxon-{metric}"
        files += write_table(pair_table(pairs, metric, comparison.options), pairs, stem)
    for (function, load, scaling, metric), omnibus in _tables(comparison.omnibus):
        stem = destination / function / load / scaling / f"Kruskal-{metric}"
        files += write_table(omnibus_table(omnibus, metric), omnibus, stem)
    for name, table in (("comparisons", comparison.pairs), ("omnibus", comparison.omnibus)):
        files.append(write_text(destination / f"{name}.csv", table.to_csv(index=False, lineterminator="\n")))
    return files


def _tables(frame: pd.DataFrame) -> list[tuple[tuple[str, str, str, str], pd.DataFrame]]:
    groups = frame.groupby(["function", "load", "scaling", "metric"], sort=False)
    return [((str(f), str(ld), str(sc), str(m)), group) for (f, ld, sc, m), group in groups]
