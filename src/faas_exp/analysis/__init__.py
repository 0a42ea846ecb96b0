"""The analysis: from result trees to tables, tests, figures and a report.

The five functions below are what the command line calls. They import what they need when called, so that importing this
package costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faas_exp.analysis.inference.options import Options
    from faas_exp.analysis.model import AggregateReport, Written

__all__ = ["aggregate", "compute_wilcoxon", "generate_figures", "prepare_for_statistics", "report"]


def aggregate(source: Path, destination: Path, exclude: Sequence[str] = ()) -> AggregateReport:
    """Reduce a result tree to one file per case and one tidy table.

    Writes ``<function>/<load>/<scaling>/<case>.csv`` (below ``<orchestrator>/`` when ``source`` holds several),
    ``runs.parquet`` and ``runs.csv`` (one row per run or chunk), ``details/`` and ``provenance.json``.

    Args:
        source: the result folder, or one orchestrator's folder in it; ours, JMeter's, or both mixed.
        destination: where to write.
        exclude: functions to leave out.

    Raises:
        NoResultsError: there are no runs in ``source``.
        AnalysisError: none of them can be used, or ``destination`` can't be written.
    """
    from faas_exp.analysis.aggregation import aggregate_tree

    return aggregate_tree(Path(source), Path(destination), exclude)


def prepare_for_statistics(source: Path, destination: Path, *, thesis: bool = False) -> Written:
    """Write one value per run and factor, all orchestrators side by side, in the thesis's ``summary/`` layout.

    Writes ``<function>/<load>/<scaling>/{users,replicas}.csv``. Void runs are left out.

    Args:
        source: a result tree, or a folder that ``aggregate`` wrote.
        destination: where to write.
        thesis: define success and throughput as the thesis did, so that its numbers come out again.

    Raises:
        NoResultsError: there is nothing to read in ``source``.
        AnalysisError: none of it can be used, or ``destination`` can't be written.
    """
    from faas_exp.analysis.preparation import prepare

    return prepare(Path(source), Path(destination), thesis=thesis)


def compute_wilcoxon(
    source: Path, destination: Path, thesis: bool = False, *, options: Options | None = None
) -> Written:
    """Test every pair of orchestrators in every case.

    Writes ``<function>/<load>/<scaling>/Wilcoxon-<factor>.{csv,md,tex}`` and ``Kruskal-<factor>.*``, and all
    comparisons in ``comparisons.csv`` and ``omnibus.csv``. With ``thesis``: the thesis's own tables,
    ``Wilcoxon-<factor>.{csv,tex}``, to the character.

    Args:
        source: a folder that ``prepare_for_statistics`` or ``aggregate`` wrote, or a result tree.
        destination: where to write.
        thesis: one-sided asymptotic tests without correction, as the thesis made them.
        options: levels, margins and families; not used with ``thesis``.

    Raises:
        NoResultsError: there is nothing to read in ``source``.
        TooFewError: there is only one orchestrator.
        AnalysisError: nothing can be used, or ``destination`` can't be written.
    """
    from faas_exp.analysis.wilcoxon import wilcoxon

    return wilcoxon(Path(source), Path(destination), thesis=thesis, options=options)


def generate_figures(source: Path, destination: Path, *, options: Options | None = None) -> Written:
    """Draw every figure, as SVG and PNG.

    Writes the thesis's bars as ``<function>/<load>_<scaling>[_<chunk>]_{response,throughput,success_rate}``, and per
    function an overview, distributions, scaling curves, time lines and cold starts, and maps of ratios per pair.

    Args:
        source: a folder that ``aggregate`` wrote (or one with several of them), a result tree, or summaries.
        destination: where to write.
        options: of intervals and verdicts.

    Raises:
        NoResultsError: there is nothing to read in ``source``.
        AnalysisError: nothing can be used, or ``destination`` can't be written.
    """
    from faas_exp.analysis.figures.generate import figures

    return figures(Path(source), Path(destination), options)


def report(source: Path, destination: Path, *, options: Options | None = None) -> Written:
    """Write the report: ``report.html`` (one file, no network), ``report.md``, ``figures/`` and ``tables/``.

    The notes of the result begin with the answer.

    Args:
        source: a result tree, a folder that ``aggregate`` wrote (or one with several of them), or summaries.
        destination: where to write.
        options: levels, margins, families, seed of the bootstrap.

    Raises:
        NoResultsError: there is nothing to read in ``source``.
        AnalysisError: nothing can be used, or ``destination`` can't be written.
    """
    from faas_exp.analysis.reporting.write import write_report

    return write_report(Path(source), Path(destination), options)
