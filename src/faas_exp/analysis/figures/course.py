"""The course of a run: response times, requests and errors per second, and replicas, over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from faas_exp.analysis import names
from faas_exp.analysis.figures.style import GREY, PAGE, Look, grid, log_ticks, looks, plain_tick, safe
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset

_ERROR = "#b00020"


def course(data: Dataset, function: str, load: str, scaling: str, case: str) -> Figure | None:
    """One typical run per orchestrator, side by side on the same axes; None without raw requests.

    Typical: the run whose median is nearest to the median over runs.
    """
    rows = usable(data)
    rows = rows[(rows["function"] == function) & (rows["load"] == load) & (rows["scaling"] == scaling)]
    rows = rows[(rows["case"] == case) & rows["leaf"].isin(data.timeline["leaf"].unique())]
    if rows.empty:
        return None
    orchestrators = names.in_natural_order(rows["orchestrator"])
    look = looks(data.runs["orchestrator"])
    chunked = bool((rows["chunk"] != "").any())
    figure, axes = grid(3, len(orchestrators), PAGE, 3.6, sharex="col", sharey="row", height_ratios=[1.3, 1.3, 0.8])
    served = False
    for column, orchestrator in enumerate(orchestrators):
        run, slots, starts = _typical(data, rows[rows["orchestrator"] == orchestrator])
        top, middle, bottom = (axes[line][column] for line in range(3))
        colour = look[orchestrator]
        top.set_title(f"{safe(names.display(orchestrator))}, run {run}")
        served |= _times(top, slots, colour)
        bottom.xaxis.set_major_locator(MaxNLocator(nbins=5))
        bottom.xaxis.set_major_formatter(plain_tick)
        _rates(middle, slots, colour)
        _replicas(bottom, slots, colour)
        for axis in (top, middle, bottom):
            for start in starts[1:]:
                axis.axvline(start, color=GREY, linewidth=0.5, linestyle=(0, (4, 3)))
    for line, label in enumerate(("Response time\n(ms)", "Requests\nper second", "Replicas\nanswering")):
        axes[line][0].set_ylabel(label)
    if served:
        axes[0][0].set_yscale("log")
        low, high = axes[0][0].get_ylim()
        log_ticks(axes[0][0].yaxis, high / low)
    for line in (1, 2):
        axes[line][0].set_ylim(bottom=0)
        axes[line][0].yaxis.set_major_formatter(plain_tick)
        axes[line][0].yaxis.set_major_locator(MaxNLocator(nbins=4, integer=line == 2))
    figure.supxlabel(
        "Seconds of load (dashed: next chunk)" if chunked else "Seconds from the start of the run", fontsize=7
    )
    figure.legend(
        handles=[
            Line2D([], [], color="#333333", label="median"),
            Line2D([], [], color="#333333", linestyle=":", label="95th percentile"),
            Line2D([], [], color=_ERROR, marker="x", linestyle="none", label="failed requests per second"),
        ],
        loc="outside upper center",
        ncols=3,
        frameon=False,
    )
    return figure


def _typical(data: Dataset, rows: pd.DataFrame) -> tuple[int, pd.DataFrame, list[float]]:
    """The run nearest to the median: its number, its slots with all chunks one after another, and where those start."""
    medians = rows.groupby("run")["p50"].median()
    distance = (medians - medians.median()).abs().fillna(np.inf)
    run = int(distance.index[int(distance.to_numpy().argmin())])
    parts, starts = [], []
    offset = 0.0
    chunks = rows[rows["run"] == run]
    for leaf, wall_s in zip(chunks["leaf"], chunks["wall_s"], strict=True):
        slots = _with_empty_slots(data.timeline[data.timeline["leaf"] == leaf])
        parts.append(slots.assign(second=slots["second"] + offset))
        starts.append(offset)
        offset += float(wall_s)
    return run, pd.concat(parts), starts


def _with_empty_slots(slots: pd.DataFrame) -> pd.DataFrame:
    """Slots without a request are not stored; drawn, they are zero requests and a gap in the times."""
    width = float(slots["width_s"].iloc[0])
    number = np.rint(slots["second"] / width).astype(int)
    full = slots.set_index(number).reindex(range(int(number.max()) + 1))
    full = full.assign(second=full.index.to_numpy() * width, width_s=width)
    return full.fillna({"count": 0.0, "errors": 0.0, "replicas": 0.0})


def _times(axis: Axes, slots: pd.DataFrame, look: Look) -> bool:
    """Draw the response times; returns whether there are any."""
    # A log axis has no zero: less than a microsecond is drawn as one.
    axis.plot(slots["second"], slots["p50"].clip(lower=1e-3), color=look.colour)
    axis.plot(slots["second"], slots["p95"].clip(lower=1e-3), color=look.colour, linestyle=":")
    return bool(slots["p50"].notna().any())


def _rates(axis: Axes, slots: pd.DataFrame, look: Look) -> None:
    # The last slot of a run is cut off somewhere: a rate over its whole width would dive.
    whole = slots.iloc[:-1] if len(slots) > 3 else slots
    axis.step(whole["second"], whole["count"] / whole["width_s"], where="post", color=look.colour)
    failed = slots[slots["errors"] > 0]
    # An empty line would still take part in the layout, at the lower left corner of the figure.
    if len(failed):
        axis.plot(
            failed["second"], failed["errors"] / failed["width_s"], "x", color=_ERROR, markersize=3, clip_on=False
        )


def _replicas(axis: Axes, slots: pd.DataFrame, look: Look) -> None:
    if (slots["replicas"] > 0).any():
        axis.step(slots["second"], slots["replicas"], where="post", color=look.colour)
    else:
        axis.text(0.5, 0.5, "not recorded", transform=axis.transAxes, ha="center", va="center", fontsize=6)
