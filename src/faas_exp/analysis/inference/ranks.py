"""Rank tests, exact under ties: Mann-Whitney for two samples, Kruskal-Wallis for more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from scipy.stats import chi2, mannwhitneyu, rankdata

from faas_exp.analysis.model import FloatArray

LARGEST_EXACT = 200
"""Up to so many runs in both samples together the exact distribution is computed; beyond, the normal one is as good."""

PERMUTATIONS = 9_999


def mann_whitney(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """``U`` of ``a`` and the two-sided p-value of its permutation distribution given the ties.

    Without ties this is the exact Mann-Whitney test; with ties it is the permutation test on mid-ranks, which the
    asymptotic formula approximates badly for few runs. The p-value is twice the smaller tail, at most 1.

    Method: the shift algorithm of Streitberg and Röhmel (1986) on doubled mid-ranks, which are whole numbers.
    """
    n, m = len(a), len(b)
    if not n or not m:
        return float("nan"), float("nan")
    ranks = rankdata(np.concatenate([a, b]))
    u = float(ranks[:n].sum() - n * (n + 1) / 2)
    if n + m > LARGEST_EXACT:
        return u, float(mannwhitneyu(a, b, alternative="two-sided", method="asymptotic").pvalue)
    doubled = np.rint(2 * ranks).astype(int)
    at_most = _cumulative(tuple(sorted(doubled.tolist())), n)
    total = int(doubled[:n].sum())
    lower = at_most[total]
    upper = 1.0 - (at_most[total - 1] if total else 0.0)
    return u, float(min(1.0, 2 * min(lower, upper)))


@lru_cache(maxsize=4096)
def _cumulative(doubled_ranks: tuple[int, ...], size: int) -> FloatArray:
    """P(sum of ``size`` ranks drawn without replacement ≤ s) for every s."""
    top = sum(sorted(doubled_ranks)[-size:])
    ways = np.zeros((size + 1, top + 1))
    ways[0, 0] = 1.0
    for rank in doubled_ranks:
        # From the largest subset down, so that no rank is drawn twice.
        for chosen in range(size, 0, -1):
            ways[chosen, rank:] += ways[chosen - 1, : top + 1 - rank]
    result: FloatArray = np.cumsum(ways[size]) / comb(len(doubled_ranks), size)
    return result


def smallest_p(n: int, m: int) -> float:
    """The smallest two-sided p-value that samples of ``n`` and ``m`` runs can give, without ties."""
    return min(1.0, 2.0 / comb(n + m, n)) if n and m else float("nan")


def kruskal_wallis(groups: Sequence[FloatArray]) -> tuple[float, float, float]:
    """``H`` corrected for ties, its permutation p-value (``PERMUTATIONS``, seeded) and its chi-square p-value.

    All values equal gives H = 0 and p = 1. Fewer than two groups with values give NaN.
    """
    groups = [group for group in groups if len(group)]
    if len(groups) < 2:
        return float("nan"), float("nan"), float("nan")
    ranks = rankdata(np.concatenate(groups))
    sizes = tuple(len(group) for group in groups)
    h = float(_h(ranks[np.newaxis, :], sizes)[0])
    null = _null(tuple(np.sort(ranks).tolist()), sizes)
    # A tolerance, because equal statistics differ in their last bits with the order of summation.
    reached = int((null >= h - 1e-9).sum())
    return h, (reached + 1) / (len(null) + 1), float(chi2.sf(h, len(groups) - 1))


def _h(ranks: FloatArray, sizes: tuple[int, ...]) -> FloatArray:
    """Kruskal and Wallis (1952), for every row of ranks."""
    total = ranks.shape[1]
    edges = np.cumsum((0, *sizes[:-1]))
    sums = np.add.reduceat(ranks, edges, axis=1)
    h = 12 / (total * (total + 1)) * (sums**2 / np.array(sizes)).sum(axis=1) - 3 * (total + 1)
    _, ties = np.unique(ranks[0], return_counts=True)
    correction = 1 - (ties**3 - ties).sum() / (total**3 - total)
    result: FloatArray = h / correction if correction > 0 else np.zeros(len(ranks))
    return result


@lru_cache(maxsize=1024)
def _null(ranks: tuple[float, ...], sizes: tuple[int, ...]) -> FloatArray:
    rng = np.random.default_rng(19_521_101)
    return _h(rng.permuted(np.tile(np.array(ranks), (PERMUTATIONS, 1)), axis=1), sizes)
