"""The tables of measured values: per case, failures, cold starts, twins, costs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from faas_exp.analysis import names, numbers
from faas_exp.analysis.cost import Costs
from faas_exp.analysis.figures.estimates import estimate
from faas_exp.analysis.inference.metrics import ERRORS, P95, P99, RESPONSE, THROUGHPUT
from faas_exp.analysis.inference.noise import NoiseFloor
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.overall import Overall
from faas_exp.analysis.inference.presentation import CELL_HEADS, cell_words
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset
from faas_exp.analysis.outliers import median_within_fences
from faas_exp.analysis.tables import Table

_MEASURED = (RESPONSE, P95, P99, THROUGHPUT, ERRORS)
VALUE_HEADS = (
    "Orchestrator",
    "Runs",
    "Median ms",
    "interval",
    "without outliers",
    "p95 ms",
    "p99 ms",
    "Requests/s",
    "Failed",
)


def value_table(data: Dataset, function: str, options: Options) -> Table:
    """Every case of a function: what was measured, with and without the interquartile cut."""
    runs = usable(data)
    runs = runs[runs["function"] == function]
    phase = runs["chunk"].str.extract(r"^(warm|cold)_", expand=False).fillna("")
    rows = []
    keys = ["load", "scaling", "case"]
    for (load, scaling, case, kind), group in runs.groupby([*keys, phase.rename("phase")], sort=False):
        cell = {"function": function, "load": load, "scaling": scaling, "case": case, "phase": kind}
        for orchestrator in names.in_natural_order(group["orchestrator"]):
            of_one = group[group["orchestrator"] == orchestrator]
            found = {
                metric.name: estimate(data, of_one, metric, options)
                for metric in (RESPONSE, P95, P99, THROUGHPUT, ERRORS)
            }
            response = found["resTime"]
            medians = {name: value.median if value is not None else np.nan for name, value in found.items()}
            rows.append(
                (
                    *cell_words(cell)[1:],
                    names.display(orchestrator),
                    str(of_one["run"].nunique()),
                    numbers.plain(medians["resTime"]),
                    numbers.interval(response.low, response.high, numbers.plain) if response else numbers.DASH,
                    numbers.plain(median_within_fences(response.values.tolist()) if response else np.nan),
                    numbers.plain(medians["p95"]),
                    numbers.plain(medians["p99"]),
                    numbers.plain(medians["throughput"]),
                    numbers.percent(medians["errorPct"]),
                )
            )
    heads = (
        *CELL_HEADS[1:],
        *(f"{options.confidence * 100:g} % interval" if h == "interval" else h for h in VALUE_HEADS),
    )
    return Table(f"{names.function_label(function)}: medians over runs", heads, rows, frozenset(heads[3:]))


def overall_table(results: list[Overall], by_type: list[tuple[str, Overall]], options: Options) -> Table:
    """Every pair: over all cases, then per load type."""
    rows = [("all", *_overall_words(result)) for result in results]
    rows += [(where, *_overall_words(result)) for where, result in by_type]
    interval = f"{options.confidence * 100:g} % interval"
    heads = ("Load", "A", "B", "Cases", "A ÷ B", interval, "A faster", "A slower", "Equivalent", "Undecided")
    return Table("Median response time, A relative to B", heads, rows, frozenset(heads[3:]))


def _overall_words(result: Overall) -> tuple[str, ...]:
    return (
        names.display(result.a),
        names.display(result.b),
        str(result.cells),
        numbers.ratio(result.ratio),
        numbers.interval(result.low, result.high),
        *(str(count) for count in (result.better, result.worse, result.equivalent, result.undecided)),
    )


def cold_table(data: Dataset) -> Table | None:
    """First responses of cold chunks, one row per case and orchestrator; None without cold chunks."""
    runs = usable(data)
    cold = runs[runs["chunk"].str.startswith("cold") & runs["first_response"].notna()]
    if cold.empty:
        return None
    rows = []
    for (function, load, scaling, case), group in cold.groupby(["function", "load", "scaling", "case"], sort=False):
        cell = {"function": function, "load": load, "scaling": scaling, "case": case, "phase": ""}
        for orchestrator in names.in_natural_order(group["orchestrator"]):
            of_one = group[group["orchestrator"] == orchestrator]
            first = of_one["first_response"].to_numpy(dtype=float)
            low, median, high = np.quantile(first, [0.1, 0.5, 0.9])
            same = (runs["function"] == function) & (runs["load"] == load) & (runs["scaling"] == scaling)
            same &= (runs["case"] == case) & (runs["orchestrator"] == orchestrator)
            warm = float(runs[same & runs["chunk"].str.startswith("warm")]["p50"].median())
            told = of_one["cold_responses"].dropna()
            rows.append(
                (
                    *cell_words(cell),
                    names.display(orchestrator),
                    str(len(first)),
                    numbers.plain(float(median)),
                    numbers.interval(float(low), float(high), numbers.plain),
                    numbers.plain(float(first.max())),
                    numbers.plain(warm),
                    numbers.plain(float(median) / warm) if warm > 0 else numbers.DASH,
                    f"{int(told.sum())}" if len(told) else "not told",
                )
            )
    heads = (
        *CELL_HEADS, "Orchestrator", "Cold chunks", "First response ms", "10 to 90 %", "Slowest ms", "Warm median ms",
        "Times warm", "Cold responses",
    )  # fmt: skip
    note = (
        "A cold response is one whose replica started after the request was sent, or the first one of a replica that "
        "started during the chunk."
    )
    return Table("First responses after a cold start", heads, rows, frozenset(heads[4:]), note)


def failure_table(data: Dataset) -> Table | None:
    """Cases with failed requests; None when every request succeeded."""
    runs = usable(data)
    keys = ["function", "load", "scaling", "case", "orchestrator"]
    cells = runs.groupby(keys, sort=False)["error_pct"].agg(["median", "max", "size"]).reset_index()
    cells = cells[cells["max"] > 0].sort_values("median", ascending=False, kind="stable")
    if cells.empty:
        return None
    rows = [
        (
            *cell_words({**row, "phase": ""}),
            names.display(row["orchestrator"]),
            numbers.percent(row["median"]),
            numbers.percent(row["max"]),
        )
        for row in cells.to_dict("records")
    ]
    heads = (*CELL_HEADS, "Orchestrator", "Failed, median run", "Failed, worst run")
    return Table("Cases with failed requests", heads, rows, frozenset(heads[4:]))


def noise_table(noise: NoiseFloor) -> Table:
    """The A/A pairs, farthest apart first."""
    twins = noise.twins.sort_values("deviation", ascending=False, kind="stable")
    rows = [
        (
            *cell_words(row),
            names.display(row["orchestrator"]),
            f"{row['n']} and {row['n_twin']}",
            numbers.plain(row["median"]),
            numbers.plain(row["median_twin"]),
            numbers.percent(100 * row["deviation"]),
            numbers.p_value(row["p"]),
        )
        for row in twins.to_dict("records")
    ]
    heads = (*CELL_HEADS, "Orchestrator", "Runs", "Median ms", "again ms", "Apart", "p")
    note = (
        f"Half of the pairs are within {numbers.percent(100 * noise.median)}, "
        f"95 % within {numbers.percent(100 * noise.p95)}. "
        f"A test without correction calls {numbers.percent(100 * noise.false_alarms)} of them different."
    )
    return Table("The same thing, measured twice", heads, rows, frozenset(heads[4:]), note)


def cost_table(costs: Costs) -> Table:
    """Cost per million successful requests."""
    rows = [
        (
            *cell_words(row),
            names.display(row["orchestrator"]),
            numbers.plain(row["per_hour"]),
            numbers.plain(row["throughput"]),
            numbers.plain(row["per_million"]),
        )
        for row in costs.table.to_dict("records")
    ]
    heads = (*CELL_HEADS, "Orchestrator", "Per hour", "Requests/s", "Per million requests")
    note = "In the currency of the experiment file's prices, at the measured throughput: a cluster kept busy."
    return Table("Cost", heads, rows, frozenset(heads[4:]), note)


def void_table(voids: pd.DataFrame) -> Table:
    """The void runs and why."""
    rows = [
        (
            names.display(row["orchestrator"]),
            *cell_words({**row, "phase": row["chunk"]}),
            str(row["run"]),
            row["void_reasons"],
        )
        for row in voids.to_dict("records")
    ]
    return Table("Void runs: counted, not in the statistics", ("Orchestrator", *CELL_HEADS, "Run", "Why"), rows)
