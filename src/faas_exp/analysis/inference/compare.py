"""Every pair of orchestrators in every cell: test, effect size, ratio with interval, verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from faas_exp.analysis import names
from faas_exp.analysis.inference.bootstrap import generator, interval, medians
from faas_exp.analysis.inference.effect import a12, magnitude
from faas_exp.analysis.inference.families import correct
from faas_exp.analysis.inference.metrics import RESPONSE, Metric, metrics_in
from faas_exp.analysis.inference.options import ENOUGH_RUNS, Options
from faas_exp.analysis.inference.ranks import kruskal_wallis, mann_whitney
from faas_exp.analysis.inference.samples import CellKey, Sample, samples
from faas_exp.analysis.model import Dataset, FloatArray

BETTER, WORSE, EQUIVALENT, UNDECIDED = "better", "worse", "equivalent", "undecided"


@dataclass(slots=True)
class Comparison:
    """All comparisons of a data set.

    Attributes:
        pairs: one row per cell, metric and pair (a, b); ratio and difference are of a to b; ``verdict`` is about a.
        omnibus: one row per cell and metric: Kruskal-Wallis over all orchestrators.
        log_ratios: of the median response time, per pair and cell, the bootstrap distribution of log(a/b).
        warnings: what limits the conclusions.
    """

    options: Options
    pairs: pd.DataFrame
    omnibus: pd.DataFrame
    log_ratios: dict[tuple[str, str], dict[CellKey, FloatArray]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def compare(data: Dataset, options: Options | None = None) -> Comparison:
    """Compare every pair of orchestrators that share a cell; twins (A/A) are not compared here."""
    options = options or Options()
    result = Comparison(options, pd.DataFrame(), pd.DataFrame())
    pairs: list[dict[str, Any]] = []
    omnibus: list[dict[str, Any]] = []
    for metric in metrics_in(data):
        for cell, by_orchestrator in samples(data, metric):
            if names.is_twin(cell.function):
                continue
            groups = {name: by_orchestrator[name] for name in _order(by_orchestrator) if not names.is_twin(name)}
            if len(groups) < 2:
                continue
            omnibus.append(_omnibus(cell, metric, groups))
            pairs.extend(_pairs(cell, metric, groups, result))
    result.omnibus = pd.DataFrame(omnibus)
    result.pairs = _judge(correct(pd.DataFrame(pairs), options), options) if pairs else pd.DataFrame()
    result.warnings = _warnings(result)
    return result


def _order(by_orchestrator: dict[str, Sample]) -> list[str]:
    return names.in_natural_order(by_orchestrator)


def _omnibus(cell: CellKey, metric: Metric, groups: dict[str, Sample]) -> dict[str, Any]:
    h, p, p_chi2 = kruskal_wallis([sample.values for sample in groups.values()])
    runs = ", ".join(f"{name} {len(sample)}" for name, sample in groups.items())
    found = {"groups": len(groups), "runs": runs, "h": h, "p": p, "p_chi2": p_chi2}
    return {**cell._asdict(), "metric": metric.name, **found}


def _pairs(cell: CellKey, metric: Metric, groups: dict[str, Sample], result: Comparison) -> list[dict[str, Any]]:
    options = result.options
    resampled = {
        name: medians(sample, metric.quantile, generator(options.seed, *cell, metric.name, name), options.resamples)
        for name, sample in groups.items()
    }
    rows = []
    for a, b in combinations(groups, 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios, differences = resampled[a] / resampled[b], resampled[a] - resampled[b]
            ratio = float(np.divide(groups[a].median, groups[b].median))
        if metric is RESPONSE and np.isfinite(ratio):
            result.log_ratios.setdefault((a, b), {})[cell] = np.log(ratios)
        wide = interval(ratios if metric.scale == "ratio" else differences, options.confidence)
        # Two one-sided tests at alpha are an interval of 1 - 2 alpha (Schuirmann, 1987).
        narrow = interval(ratios if metric.scale == "ratio" else differences, 1 - 2 * options.alpha)
        u, p = mann_whitney(groups[a].values, groups[b].values)
        effect = a12(groups[a].values, groups[b].values)
        rows.append(
            {
                **cell._asdict(),
                "metric": metric.name,
                "better": metric.better,
                "scale": metric.scale,
                "a": a,
                "b": b,
                "n_a": len(groups[a]),
                "n_b": len(groups[b]),
                "median_a": groups[a].median,
                "median_b": groups[b].median,
                "ratio": ratio if metric.scale == "ratio" else float("nan"),
                "difference": groups[a].median - groups[b].median,
                "low": wide[0],
                "high": wide[1],
                "narrow_low": narrow[0],
                "narrow_high": narrow[1],
                "a12": effect,
                "magnitude": magnitude(effect),
                "u": u,
                "p": p,
            }
        )
    return rows


def _judge(pairs: pd.DataFrame, options: Options) -> pd.DataFrame:
    ratio = pairs["scale"] == "ratio"
    lowest = np.where(ratio, 1 / (1 + options.margin), -options.error_margin)
    highest = np.where(ratio, 1 + options.margin, options.error_margin)
    enough = (pairs["n_a"] >= ENOUGH_RUNS) & (pairs["n_b"] >= ENOUGH_RUNS)
    equivalent = enough & (pairs["narrow_low"] >= lowest) & (pairs["narrow_high"] <= highest)
    different = pairs["p_holm"] <= options.alpha
    tied = pairs["median_a"] == pairs["median_b"]
    a_lower = np.where(tied, pairs["a12"] < 0.5, pairs["median_a"] < pairs["median_b"])
    verdict = np.where(a_lower == (pairs["better"] == "lower"), BETTER, WORSE)
    pairs["verdict"] = np.select([equivalent, different], [EQUIVALENT, verdict], UNDECIDED)
    return pairs.drop(columns=["better"])


def _warnings(result: Comparison) -> list[str]:
    pairs, options = result.pairs, result.options
    if pairs.empty:
        return ["there is no cell with two orchestrators in it: nothing can be compared"]
    found = []
    few = pairs[(pairs["n_a"] < ENOUGH_RUNS) | (pairs["n_b"] < ENOUGH_RUNS)]
    if len(few):
        found.append(
            f"{len(few)} of {len(pairs)} comparisons have fewer than {ENOUGH_RUNS} runs on a side: their intervals "
            "cover less than they say (88 % instead of 95 % with 3 runs), one run gives none"
        )
    blind = pairs[~pairs["reachable"]]
    if len(blind):
        n, m = int(blind["n_a"].min()), int(blind["n_b"].min())
        size = int(blind["family_size"].max())
        found.append(
            f"{len(blind)} of {len(pairs)} comparisons can't reach significance whatever the data: with {n} and {m} "
            f"runs the smallest p is {blind['smallest_p'].max():.3g}, and Holm's correction over {size} comparisons "
            f"asks for {options.alpha / size:.2g}; make more runs"
        )
    return found
