"""Bars per case and orchestrator: medians with intervals, the runs as dots, always from zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from faas_exp.analysis import names, numbers
from faas_exp.analysis.figures.estimates import Estimate, estimate
from faas_exp.analysis.figures.style import COLUMN, PAGE, Look, grid, legend, looks, plain_tick, safe
from faas_exp.analysis.inference.metrics import ERRORS, RESPONSE, THROUGHPUT, Metric
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset

SUCCESS = replace(ERRORS, name="successRate", label="Successful requests", better="higher")
"""Drawn as 100 minus the error rate."""

SHOWN = (RESPONSE, THROUGHPUT, SUCCESS)
FILE_NAMES = {"resTime": "response", "throughput": "throughput", "successRate": "success_rate"}
"""As the thesis named its figures."""


def bars(data: Dataset, rows: pd.DataFrame, metric: Metric, options: Options) -> Figure:
    """One metric over the cases of one function and load type (and chunk), at column width."""
    look = looks(data.runs["orchestrator"])
    figure, axes = grid(1, 1, COLUMN, 2.3)
    draw(axes[0][0], data, rows, metric, options, look)
    legend(figure, names.in_natural_order(rows["orchestrator"]), look)
    return figure


def overview(data: Dataset, function: str, options: Options) -> Figure | None:
    """Response time, throughput and success rate of a function over all load types, at page width.

    A function with warm and cold chunks shows its warm ones; the cold starts have a figure of their own.
    """
    rows = usable(data)
    rows = rows[(rows["function"] == function) & ~rows["chunk"].str.startswith("cold")]
    if rows.empty:
        return None
    look = looks(data.runs["orchestrator"])
    types = list(dict.fromkeys(zip(rows["load"], rows["scaling"], strict=True)))
    cases = [rows[(rows["load"] == load) & (rows["scaling"] == scaling)]["case"].nunique() for load, scaling in types]
    figure, axes = grid(len(SHOWN), len(types), PAGE, 1.55 * len(SHOWN) + 0.3, width_ratios=[n + 0.6 for n in cases])
    for column, (load, scaling) in enumerate(types):
        of_type = rows[(rows["load"] == load) & (rows["scaling"] == scaling)]
        for line, metric in enumerate(SHOWN):
            axis = axes[line][column]
            last = line == len(SHOWN) - 1
            draw(axis, data, of_type, metric, options, look, xlabel=last, ylabel=column == 0)
            if line == 0:
                axis.set_title(names.type_label(load, scaling))
    legend(figure, names.in_natural_order(rows["orchestrator"]), look)
    return figure


def draw(
    axis: Axes,
    data: Dataset,
    rows: pd.DataFrame,
    metric: Metric,
    options: Options,
    look: dict[str, Look],
    *,
    xlabel: bool = True,
    ylabel: bool = True,
) -> None:
    """Grouped bars on one axis."""
    cases = names.in_natural_order(rows["case"])
    orchestrators = names.in_natural_order(rows["orchestrator"])
    # A single bar as wide as its case would look like a wall.
    width = min(0.34, 0.84 / max(1, len(orchestrators)))
    top = 0.0
    for turn, orchestrator in enumerate(orchestrators):
        of_one = rows[rows["orchestrator"] == orchestrator]
        for place, case in enumerate(cases):
            found = _estimate(data, of_one[of_one["case"] == case], metric, options)
            if found is not None:
                middle = place + (turn - (len(orchestrators) - 1) / 2) * width
                top = max(top, _bar(axis, middle, width, found, look[orchestrator], metric))
    kinds, labels = _case_labels(cases)
    axis.set_xticks(range(len(cases)), labels)
    if xlabel:
        axis.set_xlabel(kinds)
    axis.set_xlim(-0.55, len(cases) - 0.45)
    axis.grid(visible=False, axis="x")
    axis.tick_params(axis="x", length=0)
    # Room for the numbers above the tallest bar.
    axis.set_ylim(0, 112 if metric is SUCCESS else (top or 1) * 1.13)
    if metric is SUCCESS:
        axis.set_yticks(range(0, 101, 25))
    axis.yaxis.set_major_formatter(plain_tick)
    if ylabel:
        axis.set_ylabel(f"{metric.label}\n({metric.unit})")


def _case_labels(cases: list[str]) -> tuple[str, list[str]]:
    """What the cases count, and their numbers; where they count different things, nothing and their whole names."""
    kinds = {
        "Users" if case.startswith("user") else "Replicas" for case in cases if names.case_number(case) is not None
    }
    if len(kinds) == 1 and all(names.case_number(case) is not None for case in cases):
        return kinds.pop(), [str(names.case_number(case)) for case in cases]
    return "", [safe(names.case_label(case)) for case in cases]


def _estimate(data: Dataset, rows: pd.DataFrame, metric: Metric, options: Options) -> Estimate | None:
    """One value per run (over the run's chunks the median), turned round for the success rate."""
    if metric is not SUCCESS:
        return estimate(data, rows, metric, options)
    found = estimate(data, rows, ERRORS, options)
    if found is None:
        return None
    return Estimate(100 - found.median, 100 - found.high, 100 - found.low, 100 - found.values)


def _bar(axis: Axes, middle: float, width: float, found: Estimate, look: Look, metric: Metric) -> float:
    """One bar; returns how high it reaches."""
    if np.isnan(found.median):
        axis.text(middle, 0, " none succeeded", rotation=90, ha="center", va="bottom", fontsize=5, color=look.colour)
        return 0.0
    axis.bar(middle, found.median, width * 0.94, color=look.colour, alpha=0.75, edgecolor=look.colour, zorder=2)
    reach = found.median
    if not np.isnan(found.low):
        below, above = max(0.0, found.median - found.low), max(0.0, found.high - found.median)
        axis.errorbar(
            middle,
            found.median,
            yerr=[[below], [above]],
            color="black",
            elinewidth=0.8,
            capsize=1.6,
            capthick=0.8,
            zorder=4,
        )
        reach = max(reach, found.high)
    if len(found.values) > 1:
        spread = np.linspace(-0.27, 0.27, len(found.values)) * width
        axis.scatter(middle + spread, found.values, s=3.5, color="white", edgecolor="black", linewidth=0.35, zorder=3)
        reach = max(reach, float(found.values.max()))
    if metric is SUCCESS and found.median == 100:
        # What is as it should be needs no number.
        return reach
    axis.annotate(
        numbers.share(found.median) if metric is SUCCESS else numbers.compact(found.median),
        (middle, reach),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=5.5,
    )
    return reach
