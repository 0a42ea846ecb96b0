"""Cold starts one by one: the first response of every cold chunk, against what the function does when warm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from faas_exp.analysis import names
from faas_exp.analysis.figures.style import GREY, PAGE, grid, log_ticks, looks, safe
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset

MOST_VECTORS = 300


def cold_strip(data: Dataset, function: str) -> Figure | None:
    """One panel per load type, one strip per case and orchestrator; None when there is no cold chunk with requests.

    A dot is the first response of a cold chunk, a ring any other response that waited for its replica to start, a bar
    the warm median.
    """
    rows = usable(data)
    rows = rows[rows["function"] == function]
    cold = rows[rows["chunk"].str.startswith("cold") & rows["first_response"].notna()]
    if cold.empty:
        return None
    look = looks(data.runs["orchestrator"])
    orchestrators = names.in_natural_order(cold["orchestrator"])
    types = list(dict.fromkeys(zip(cold["load"], cold["scaling"], strict=True)))
    others = _other_cold(data, cold)
    figure, axes = grid(1, len(types), PAGE * max(0.5, len(types) / 3), 2.5, sharey=True)
    # seaborn jitters by NumPy's global generator: the same data must give the same file.
    np.random.seed(1)
    for column, (load, scaling) in enumerate(types):
        axis = axes[0][column]
        of_type = cold[(cold["load"] == load) & (cold["scaling"] == scaling)]
        cases = names.in_natural_order(of_type["case"])
        shared = {"x": "case", "order": cases, "hue": "orchestrator", "hue_order": orchestrators, "dodge": True}
        shared |= {"palette": {name: look[name].colour for name in orchestrators}, "legend": False, "ax": axis}
        rings = others[(others["load"] == load) & (others["scaling"] == scaling)]
        if len(rings):
            # Thousands of vector marks would make a file that no viewer likes.
            dense = {"rasterized": len(rings) > MOST_VECTORS, "size": 2.2, "linewidth": 0.35, "jitter": 0.15}
            sns.stripplot(rings, y="elapsed", facecolor="none", edgecolor="auto", **dense, **shared)
        sns.stripplot(of_type, y="first_response", size=3, alpha=0.8, jitter=0.15, linewidth=0.3, **shared)
        warm = rows[(rows["load"] == load) & (rows["scaling"] == scaling) & rows["chunk"].str.startswith("warm")]
        width = 0.8 / len(orchestrators)
        for place, case in enumerate(cases):
            for turn, orchestrator in enumerate(orchestrators):
                of_warm = warm[(warm["case"] == case) & (warm["orchestrator"] == orchestrator)]["p50"]
                if of_warm.notna().any():
                    left = place - 0.4 + turn * width
                    axis.hlines(float(of_warm.median()), left + 0.03, left + width - 0.03, color=GREY, linewidth=1.4)
        axis.set_yscale("log")
        axis.set_xticks(range(len(cases)), [safe(names.case_label(case)) for case in cases])
        axis.set_xlabel("")
        axis.set_ylabel("Response time (ms)" if column == 0 else "")
        axis.set_title(names.type_label(load, scaling))
    low, high = axes[0][0].get_ylim()
    log_ticks(axes[0][0].yaxis, high / low)
    marks = [
        Line2D(
            [], [], color=look[name].colour, marker="o", linestyle="none", label=f"{safe(names.display(name))}, first"
        )
        for name in orchestrators
    ]
    marks.append(
        Line2D([], [], color=GREY, marker="o", fillstyle="none", linestyle="none", label="other cold responses")
    )
    marks.append(Line2D([], [], color=GREY, linewidth=1.4, label="warm median"))
    figure.legend(
        handles=marks, loc="outside upper center", ncols=5, frameon=False, handletextpad=0.4, columnspacing=1.2
    )
    return figure


def _other_cold(data: Dataset, cold: pd.DataFrame) -> pd.DataFrame:
    """Cold responses of the cold chunks, without the first successful one of each, which is shown as a dot."""
    if "cold" not in data.first:
        return cold.head(0).assign(elapsed=np.nan)
    found = data.first[data.first["cold"] & data.first["leaf"].isin(cold["leaf"])]
    named = found.merge(cold[["leaf", "orchestrator", "load", "scaling", "case", "first_response"]], on="leaf")
    return named[named["elapsed"] != named["first_response"]]
