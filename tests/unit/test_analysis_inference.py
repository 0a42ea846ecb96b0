"""Tests, effect sizes and intervals against independent computations and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from faas_exp.analysis.inference.bootstrap import generator, interval, medians
from faas_exp.analysis.inference.effect import a12, magnitude
from faas_exp.analysis.inference.families import correct
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.ranks import kruskal_wallis, mann_whitney, smallest_p
from faas_exp.analysis.inference.samples import Part, Sample
from faas_exp.analysis.measure import GRID

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("sizes", [(3, 4), (6, 6), (5, 9), (12, 12), (1, 7)])
def test_mann_whitney_without_ties_is_scipys_exact_test(sizes: tuple[int, int]) -> None:
    for shift in (0, 0.5, 2):
        a, b = RNG.normal(0, 1, sizes[0]), RNG.normal(shift, 1, sizes[1])
        expected = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact")
        assert mann_whitney(a, b) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize("values", [2, 3, 5])
def test_mann_whitney_with_ties_is_scipys_permutation_test(values: int) -> None:
    def rank_sum(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        ranks = stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)
        return np.take(ranks, range(x.shape[axis]), axis=axis).sum(axis=axis)

    for _ in range(4):
        a, b = RNG.integers(0, values, 6).astype(float), RNG.integers(0, values + 1, 5).astype(float)
        expected = stats.permutation_test(
            (a, b), rank_sum, vectorized=True, n_resamples=np.inf, alternative="two-sided"
        )
        assert mann_whitney(a, b)[1] == pytest.approx(expected.pvalue)


def test_mann_whitney_by_hand() -> None:
    # {1, 2} against {3, 4}: one of the six ways to choose two ranks is as low; two-sided 2/6.
    assert mann_whitney(np.array([1.0, 2]), np.array([3.0, 4])) == pytest.approx((0, 1 / 3))
    # All equal: every arrangement is the same.
    assert mann_whitney(np.ones(6), np.ones(6)) == (18.0, 1.0)
    # {1, 1} against {1, 2}: mid-ranks 2, 2, 2, 4; a sum of 4 in three ways of six, a sum of at least 4 in all.
    assert mann_whitney(np.array([1.0, 1]), np.array([1.0, 2]))[1] == pytest.approx(1.0)


def test_mann_whitney_of_nothing_has_no_p() -> None:
    assert all(map(math.isnan, mann_whitney(np.array([]), np.array([1.0]))))


def test_mann_whitney_of_many_runs_goes_over_to_the_normal_distribution_smoothly() -> None:
    a, b = RNG.normal(0, 1, 100), RNG.normal(0.3, 1, 100)
    exact = mann_whitney(a, b)[1]
    more = mann_whitney(np.append(a, 0.1), b)[1]
    assert exact == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue, rel=0.02)
    assert more == pytest.approx(exact, rel=0.2)


def test_smallest_p_is_what_complete_separation_gives() -> None:
    for n, m in ((3, 3), (6, 6), (8, 8), (2, 9)):
        assert mann_whitney(np.arange(n) + 0.0, np.arange(m) + 100.0)[1] == pytest.approx(smallest_p(n, m))
    assert smallest_p(6, 6) == pytest.approx(0.00216, abs=1e-5)


@pytest.mark.parametrize("digits", [0, 6])
def test_kruskal_wallis_agrees_with_scipy(digits: int) -> None:
    groups = [np.round(RNG.normal(shift, 2, size), digits) for shift, size in ((0, 6), (1, 7), (3, 6))]
    expected = stats.kruskal(*groups)
    h, p, p_chi2 = kruskal_wallis(groups)
    assert (h, p_chi2) == pytest.approx((expected.statistic, expected.pvalue))
    assert p == pytest.approx(expected.pvalue, abs=0.02)


def test_kruskal_wallis_permutation_p_is_exact_for_a_case_by_hand() -> None:
    # Three groups of two, ranks 1..6 in order: 90 arrangements, of which the 6 orders of the groups are as extreme.
    _, p, _ = kruskal_wallis([np.array([1.0, 2]), np.array([3.0, 4]), np.array([5.0, 6])])
    assert p == pytest.approx(6 / 90, abs=0.008)


def test_kruskal_wallis_of_equal_values_and_of_one_group() -> None:
    assert kruskal_wallis([np.ones(4), np.ones(4)]) == (0.0, 1.0, 1.0)
    assert all(map(math.isnan, kruskal_wallis([np.ones(4), np.array([])])))


def test_a12_by_hand() -> None:
    # Pairs (a, b) of {1, 2, 3} and {2, 2, 5}: larger 2 (3 > 2 twice), ties 2 (2 = 2 twice): (2 + 1) / 9.
    assert a12(np.array([1.0, 2, 3]), np.array([2.0, 2, 5])) == pytest.approx(3 / 9)
    assert a12(np.array([4.0, 5]), np.array([1.0, 2])) == 1.0
    assert a12(np.ones(3), np.ones(5)) == 0.5
    assert math.isnan(a12(np.array([]), np.ones(2)))


def test_a12_is_u_over_the_number_of_pairs_and_turns_round() -> None:
    a, b = RNG.integers(0, 9, 7).astype(float), RNG.integers(0, 9, 6).astype(float)
    assert a12(a, b) == pytest.approx(stats.mannwhitneyu(a, b).statistic / 42)
    assert a12(a, b) == pytest.approx(1 - a12(b, a))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (0.5, "negligible"),
        (0.56, "small"),
        (0.44, "small"),
        (0.64, "medium"),
        (0.29, "large"),
        (0.71, "large"),
        (1, "large"),
    ],
)
def test_magnitudes_of_vargha_and_delaney(value: float, word: str) -> None:
    assert magnitude(value) == word


def family(p_values: list[float], **columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"p": p_values, "metric": "m", "function": "f", "load": "l", "scaling": "s", "n_a": 6, "n_b": 6} | columns
    )


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1, then never falling: 0.03, 0.06, 0.06.
    got = correct(family([0.04, 0.01, 0.03]), Options())
    assert got["p_holm"].tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert got["family_size"].tolist() == [3, 3, 3]


def test_holm_agrees_with_statsmodels_within_each_declared_family() -> None:
    p = RNG.random(12) ** 3
    pairs = family(p.tolist(), function=["f", "g"] * 6, load=["x"] * 6 + ["y"] * 6)
    for name, keys in (("table", ["function", "load"]), ("function", ["function"]), ("all", ["metric"])):
        got = correct(pairs, Options(family=name))  # type: ignore[arg-type]
        for _, group in got.groupby(keys):
            np.testing.assert_allclose(group["p_holm"], multipletests(group["p"], method="holm")[1])
            assert (group["family_size"] == len(group)).all()


def test_comparisons_without_a_p_value_are_no_part_of_a_family() -> None:
    got = correct(family([0.01, math.nan]), Options())
    assert got["family_size"].tolist() == [1, 0]
    assert got["p_holm"].tolist()[0] == pytest.approx(0.01)


def test_reachable_is_whether_the_smallest_p_survives_the_correction() -> None:
    assert correct(family([0.5] * 23), Options())["reachable"].all()
    assert not correct(family([0.5] * 24), Options())["reachable"].any()
    assert not correct(family([0.5], n_a=3, n_b=3), Options())["reachable"].any()


def sample(values: list[np.ndarray] | np.ndarray, requests: bool = False) -> Sample:
    if requests:
        return Sample(tuple((Part(float(np.median(v)), np.quantile(v, GRID), len(v)),) for v in values))
    return Sample(tuple((Part(float(v), None, 0),) for v in values))


def test_bootstrap_of_a_median_by_hand() -> None:
    # Three runs 1, 2, 3: the median of three draws is 1 with probability 7/27, 2 with 13/27, 3 with 7/27.
    drawn = medians(sample(np.array([1.0, 2, 3])), None, np.random.default_rng(1), 200_000)
    for value, share in ((1, 7 / 27), (2, 13 / 27), (3, 7 / 27)):
        assert (drawn == value).mean() == pytest.approx(share, abs=0.004)


def test_requests_are_resampled_within_runs_as_brute_force_would() -> None:
    runs = [RNG.lognormal(1 + k / 10, 0.8, 101) for k in range(4)]
    fast = medians(sample(runs, requests=True), 0.5, np.random.default_rng(1), 20_000)
    rng = np.random.default_rng(2)
    slow = np.array(
        [np.median([np.median(rng.choice(runs[k], 101)) for k in rng.integers(0, 4, 4)]) for _ in range(4_000)]
    )
    for share in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert np.quantile(fast, share) == pytest.approx(np.quantile(slow, share), rel=0.02)
    # And it is wider than resampling runs alone, whose medians are fixed.
    flat = medians(sample(np.array([np.median(run) for run in runs])), None, np.random.default_rng(1), 20_000)
    assert np.ptp(fast) > np.ptp(flat)


def test_chunks_of_a_run_are_taken_together_by_their_median() -> None:
    chunked = Sample(tuple((Part(v, None, 0), Part(v + 10, None, 0), Part(v + 2, None, 0)) for v in (1.0, 2.0, 3.0)))
    assert chunked.values.tolist() == [3.0, 4.0, 5.0]
    assert set(medians(chunked, None, np.random.default_rng(1), 500)) == {3.0, 4.0, 5.0}


def test_one_run_has_no_interval_and_seeds_decide() -> None:
    assert np.isnan(medians(sample(np.array([5.0])), None, np.random.default_rng(1), 10)).all()
    assert all(map(math.isnan, interval(np.full(10, np.nan))))
    one, same = generator(1, "a", "b").random(3), generator(1, "a", "b").random(3)
    assert one.tolist() == same.tolist()
    others = [generator(1, "ab"), generator(1, "b", "a"), generator(2, "a", "b")]
    assert all(other.random(3).tolist() != one.tolist() for other in others)


@pytest.mark.parametrize("runs", [5, 6, 8])
def test_intervals_of_ratios_cover_the_truth(runs: int) -> None:
    """Simulated: run-to-run spread and requests within runs; the 95 % interval covers in 93 % or more of 400 campaigns.

    With a true coverage of 95 %, 372 or fewer hits of 400 have a probability below 5 %; the seed makes it repeatable.
    """
    rng = np.random.default_rng(20 + runs)
    truth, hits, campaigns = 0.8, 0, 400
    for number in range(campaigns):
        drawn = []
        for orchestrator, level in (("a", 10 * truth), ("b", 10.0)):
            levels = level * np.exp(rng.normal(0, 0.05, runs))
            requests = [each * np.exp(rng.normal(0, 0.4, 200)) for each in levels]
            one = sample(requests, requests=True)
            drawn.append(medians(one, 0.5, generator(number, orchestrator), 1_000))
        low, high = interval(drawn[0] / drawn[1])
        hits += low <= truth <= high
    assert hits >= 0.93 * campaigns


def test_a_number_of_runs_says_how_small_a_family_must_be() -> None:
    assert [n for n in range(2, 9) if 30 * smallest_p(n, n) <= 0.05] == [7, 8]
