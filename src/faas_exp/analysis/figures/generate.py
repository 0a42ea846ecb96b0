"""``faas-exp generate-figures``: every figure as SVG and PNG, under the thesis's names where it had them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

from matplotlib.figure import Figure

from faas_exp.analysis import names
from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.figures.bars import FILE_NAMES, SHOWN, bars, overview
from faas_exp.analysis.figures.coldstrip import cold_strip
from faas_exp.analysis.figures.course import course
from faas_exp.analysis.figures.ecdf import ecdf
from faas_exp.analysis.figures.heatmap import heatmap
from faas_exp.analysis.figures.scaling import scaling_curves
from faas_exp.analysis.figures.style import paper, save, svg
from faas_exp.analysis.inference.compare import Comparison, compare
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset, Written
from faas_exp.analysis.parallel import in_parallel


@dataclass(frozen=True)
class Plan:
    """One figure to draw: its file name without an ending, below the destination, how, and what it shows."""

    stem: str
    draw: Callable[[], Figure | None]
    caption: str = ""


def figures(source: Path, destination: Path, options: Options | None = None) -> Written:
    """See ``faas_exp.analysis.generate_figures``."""
    options = options or Options()
    data = load_dataset(source)
    comparison = compare(data, options)
    plans = [*thesis_plans(data, options), *further_plans(data, comparison, options)]
    files = [path for paths in in_parallel(plans, lambda plan: _save(plan, destination)) for path in paths]
    notes = [str(item) for item in data.provenance.left_out]
    if not data.quantiles:
        notes.append("without raw requests there are no distributions, time lines and cold starts")
    return Written(destination, files, notes, data.provenance.errors)


def thesis_plans(data: Dataset, options: Options) -> Iterator[Plan]:
    """``<function>/<load>_<scaling>[_<chunk>]_{response,throughput,success_rate}``."""
    runs = usable(data)
    for (function, load, scaling, chunk), rows in runs.groupby(["function", "load", "scaling", "chunk"], sort=False):
        middle = f"_{chunk}" if chunk else ""
        for metric in SHOWN:
            stem = f"{names.slug(str(function))}/{load}_{scaling}{middle}_{FILE_NAMES[metric.name]}"
            yield Plan(stem, partial(bars, data, rows, metric, options))


def further_plans(data: Dataset, comparison: Comparison, options: Options) -> Iterator[Plan]:
    """What the thesis did not draw."""
    yield from pair_plans(data, comparison)
    for function in dict.fromkeys(data.runs["function"]):
        yield from function_plans(data, str(function), options)


def pair_plans(data: Dataset, comparison: Comparison) -> Iterator[Plan]:
    """A map of ratios for every pair."""
    orchestrators = [name for name in names.in_natural_order(data.runs["orchestrator"]) if not names.is_twin(name)]
    for a, b in combinations(orchestrators, 2):
        caption = (
            f"Median response times, {names.display(a)} relative to {names.display(b)}, in the colour of the faster "
            "one. "
            "In brackets: undecided."
        )
        yield Plan(f"ratios_{names.slug(a)}_{names.slug(b)}", partial(heatmap, comparison, a, b), caption)


def function_plans(data: Dataset, function: str, options: Options) -> Iterator[Plan]:
    """The figures of one function that its section in the report shows too."""
    folder, label = names.slug(function), names.function_label(function)
    runs = usable(data)
    runs = runs[runs["function"] == function]
    interval = f"{options.confidence * 100:g} % intervals"
    yield Plan(
        f"{folder}/overview",
        partial(overview, data, function, options),
        f"{label}: medians over runs with {interval}; dots are runs.",
    )
    yield Plan(
        f"{folder}/scaling",
        partial(scaling_curves, data, function, options),
        f"{label}: how it scales; medians over runs with {interval}, log axes.",
    )
    yield Plan(
        f"{folder}/cold_starts",
        partial(cold_strip, data, function),
        f"{label}: the first response of every cold chunk, and other responses that waited for a replica to start.",
    )
    for (load, scaling), rows in runs.groupby(["load", "scaling"], sort=False):
        place, words = (data, function, str(load), str(scaling)), names.type_label(str(load), str(scaling))
        yield Plan(
            f"{folder}/{load}_{scaling}_distribution",
            partial(ecdf, *place),
            f"{label}, {words}: cumulative distribution of response times; thin lines are runs, log axis.",
        )
        hardest = names.in_natural_order(rows["case"])[-1]
        yield Plan(
            f"{folder}/{load}_{scaling}_course",
            partial(course, *place, hardest),
            f"{label}, {words}, {names.case_label(hardest)}: the course of a typical run.",
        )


def draw_svg(plan: Plan) -> str:
    """The figure as SVG; empty when there is nothing to draw."""
    with paper():
        figure = plan.draw()
    return svg(figure) if figure is not None else ""


def _save(plan: Plan, destination: Path) -> list[Path]:
    with paper():
        figure = plan.draw()
    return save(figure, destination / plan.stem) if figure is not None else []
