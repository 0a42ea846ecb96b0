"""How response time and throughput change with replicas and with users."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from faas_exp.analysis import names
from faas_exp.analysis.figures.estimates import estimate
from faas_exp.analysis.figures.style import PAGE, Look, grid, legend, log_ticks, looks
from faas_exp.analysis.inference.metrics import RESPONSE, THROUGHPUT, Metric
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset


def scaling_curves(data: Dataset, function: str, options: Options) -> Figure | None:
    """Medians over runs with intervals, on log axes; None when no load type has two numbered cases."""
    rows = usable(data)
    rows = rows[(rows["function"] == function) & ~rows["chunk"].str.startswith("cold")]
    rows = rows.assign(number=[float(names.case_number(case) or 0) for case in rows["case"]])
    rows = rows[rows["number"] > 0]
    types = [
        (load, scaling)
        for (load, scaling), group in rows.groupby(["load", "scaling"], sort=False)
        if group["number"].nunique() > 1
    ]
    if not types:
        return None
    look = looks(data.runs["orchestrator"])
    width = PAGE * max(0.5, len(types) / 3)
    figure, axes = grid(2, len(types), width, 3.4, sharex="col")
    for column, (load, scaling) in enumerate(types):
        of_type = rows[(rows["load"] == load) & (rows["scaling"] == scaling)]
        for line, metric in enumerate((RESPONSE, THROUGHPUT)):
            axis = axes[line][column]
            for orchestrator in names.in_natural_order(of_type["orchestrator"]):
                _curve(
                    axis, data, of_type[of_type["orchestrator"] == orchestrator], metric, options, look[orchestrator]
                )
            axis.set_xscale("log")
            axis.set_yscale("log")
            log_ticks(axis.yaxis, span=float(np.divide(*axis.get_ylim()[::-1])))
            ticks = sorted(set(of_type["number"].astype(int)))
            axis.set_xticks(ticks, [str(tick) for tick in ticks])
            axis.set_xticks([], minor=True)
            if column == 0:
                axis.set_ylabel(f"{metric.label}\n({metric.unit})")
        axes[0][column].set_title(names.type_label(str(load), str(scaling)))
        axes[1][column].set_xlabel("Users" if of_type["case"].iloc[0].startswith("user") else "Replicas")
    legend(figure, names.in_natural_order(rows["orchestrator"]), look)
    return figure


def _curve(axis: Axes, data: Dataset, rows: pd.DataFrame, metric: Metric, options: Options, look: Look) -> None:
    points = []
    for number, group in rows.groupby("number"):
        found = estimate(data, group, metric, options)
        if found is not None and found.median > 0:
            below, above = found.median - found.low, found.high - found.median
            points.append((float(number), found.median, np.nan_to_num(below), np.nan_to_num(above)))  # type: ignore[arg-type]
    if points:
        x, y, below, above = np.array(points).T
        errors = [np.clip(below, 0, y * 0.999), np.clip(above, 0, None)]
        axis.errorbar(x, y, yerr=errors, color=look.colour, marker=look.marker, capsize=2, elinewidth=0.8)
