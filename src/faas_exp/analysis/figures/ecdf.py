"""Cumulative distributions of response times: all of the distribution, not one number of it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from faas_exp.analysis import names
from faas_exp.analysis.figures.style import PAGE, grid, legend, log_ticks, looks, safe
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.measure import GRID
from faas_exp.analysis.model import Dataset, FloatArray

_SHARES = np.concatenate([np.linspace(0, 0.99, 200), np.linspace(0.99, 1, 21)[1:]])


def ecdf(data: Dataset, function: str, load: str, scaling: str) -> Figure | None:
    """One panel per case, one thick line per orchestrator over the thin ones of its runs; None without raw requests.

    The thick line is the mean of the runs' distributions: every run counts the same, whatever its number of requests.
    Cold chunks are not in it.
    """
    rows = usable(data)
    rows = rows[(rows["function"] == function) & (rows["load"] == load) & (rows["scaling"] == scaling)]
    rows = rows[rows["leaf"].isin(list(data.quantiles)) & ~rows["chunk"].str.startswith("cold")]
    if rows.empty:
        return None
    look = looks(data.runs["orchestrator"])
    cases = names.in_natural_order(rows["case"])
    columns = min(4, len(cases))
    lines = -(-len(cases) // columns)
    figure, axes = grid(lines, columns, PAGE * max(0.5, columns / 4), 1.75 * lines + 0.4, sharey=True)
    for number, case in enumerate(cases):
        axis = axes[number // columns][number % columns]
        low, high = np.inf, 0.0
        for orchestrator in names.in_natural_order(rows["orchestrator"]):
            chosen = rows[(rows["case"] == case) & (rows["orchestrator"] == orchestrator)]
            runs = [np.maximum(data.quantiles[int(leaf)], 1e-3) for leaf in chosen["leaf"]]
            if not runs:
                continue
            colour = look[orchestrator].colour
            for run in runs:
                axis.plot(np.interp(_SHARES, GRID, run), _SHARES, color=colour, linewidth=0.4, alpha=0.35)
            times, shares = mixture(runs)
            axis.plot(times, shares, color=colour, linewidth=1.3)
            median = float(np.interp(0.5, shares, times))
            axis.plot(
                median, 0.5, marker=look[orchestrator].marker, color=colour, markeredgecolor="white", markersize=4.5
            )
            low = min(low, *(float(np.interp(0.002, GRID, run)) for run in runs))
            high = max(high, *(float(np.interp(0.998, GRID, run)) for run in runs))
        axis.set_xscale("log")
        axis.set_xlim(low * 0.9, high * 1.1)
        axis.set_ylim(0, 1.01)
        log_ticks(axis.xaxis, span=high / low)
        axis.set_title(safe(names.case_label(case)))
        if number % columns == 0:
            axis.set_ylabel("Share of requests")
    for number in range(len(cases), lines * columns):
        axes[number // columns][number % columns].set_visible(False)
    figure.supxlabel("Response time (ms)", fontsize=7)
    legend(figure, names.in_natural_order(rows["orchestrator"]), look)
    return figure


def mixture(runs: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Times and cumulative shares of the mean of several distributions, each given by its quantiles at ``GRID``."""
    times = np.unique(np.concatenate([np.interp(_SHARES, GRID, run) for run in runs]))
    shares = np.mean([np.interp(times, run, GRID) for run in runs], axis=0)
    return times, shares
