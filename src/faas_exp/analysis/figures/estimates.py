"""What a bar or a point shows: the median over runs, its interval, and the runs themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from faas_exp.analysis.inference.bootstrap import generator, interval, medians
from faas_exp.analysis.inference.metrics import Metric
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.samples import sample_of
from faas_exp.analysis.model import Dataset, FloatArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """Median over runs with its bootstrap interval; ``values`` are the runs. NaN without a successful request."""

    median: float
    low: float
    high: float
    values: FloatArray


def estimate(data: Dataset, rows: pd.DataFrame, metric: Metric, options: Options) -> Estimate | None:
    """The estimate from rows of the tidy table, all of one orchestrator and case; None when there are no rows."""
    if rows.empty:
        return None
    known = rows[rows[metric.column].notna()]
    if known.empty:
        return Estimate(float("nan"), float("nan"), float("nan"), np.empty(0))
    sample = sample_of(data, known, metric)
    first = known.iloc[0]
    key = [str(first[name]) for name in ("orchestrator", "function", "load", "scaling", "case", "chunk")]
    rng = generator(options.seed, *key, metric.name)
    low, high = interval(medians(sample, metric.quantile, rng, options.resamples), options.confidence)
    return Estimate(sample.median, low, high, sample.values)
