"""The hierarchical bootstrap: resample runs, then requests within each resampled run.

A run's quantile over ``n`` requests resampled with replacement is the run's empirical quantile function at the k-th
order statistic of ``n`` uniform variates, and that follows Beta(k, n + 1 - k). So one Beta variate and one
interpolation in the stored quantiles stand for a resample of thousands of requests, with the same distribution
(exactly for odd ``n`` and the median, up to interpolation between neighbouring requests otherwise).
"""

from __future__ import annotations

import zlib

import numpy as np

from faas_exp.analysis.inference.samples import Part, Sample
from faas_exp.analysis.measure import GRID
from faas_exp.analysis.model import FloatArray

RESAMPLES = 4_000


def generator(seed: int, *key: str) -> np.random.Generator:
    """A generator for one cell, independent of the order in which cells are computed."""
    return np.random.default_rng([seed, zlib.crc32("\x1f".join(key).encode())])


def medians(sample: Sample, quantile: float | None, rng: np.random.Generator, resamples: int = RESAMPLES) -> FloatArray:
    """Bootstrap distribution of the median over runs.

    Args:
        sample: the runs.
        quantile: which quantile of a run's requests its value is; None resamples runs only.
        rng: source of randomness.
        resamples: how many.

    Returns:
        One median per resample; all NaN when there are fewer than two runs, because one run says nothing about the
        next.
    """
    runs = len(sample)
    if runs < 2:
        return np.full(resamples, np.nan)
    chosen = rng.integers(0, runs, (resamples, runs))
    drawn = np.empty(chosen.shape)
    for number, parts in enumerate(sample.runs):
        here = chosen == number
        drawn[here] = np.median([_draws(part, quantile, rng, int(here.sum())) for part in parts], axis=0)
    result: FloatArray = np.median(drawn, axis=1)
    return result


def _draws(part: Part, quantile: float | None, rng: np.random.Generator, size: int) -> FloatArray:
    """The part's value under resampling of its requests."""
    if quantile is None or part.quantiles is None or part.count < 2:
        return np.full(size, part.value)
    # Type-7 position, as the value itself is computed.
    k = (part.count - 1) * quantile + 1
    return np.interp(rng.beta(k, part.count + 1 - k, size), GRID, part.quantiles)


def interval(values: FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval; NaN where the distribution is."""
    known = values[np.isfinite(values)]
    if len(known) < len(values) or not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
