"""The stopping rule and the costs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from analysis_trees import campaign
from scipy.stats import binom

from faas_exp.analysis.cost import costs
from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.stopping import decide, half_width_pct, median_interval

TYPES = {("sequential", "noautoscaling"): ("replica1",)}


def test_the_interval_of_the_median_by_hand() -> None:
    # Six runs: both ends outside with probability 2 / 64, so the extremes cover 96.9 %; five give 93.75 %.
    assert median_interval([6, 1, 5, 2, 4, 3]) == (1, 6)
    assert median_interval([1, 2, 3, 4, 5]) is None
    # Nine: extremes 99.6 %, the second ones 1 - 2 (1 + 9) / 512 = 96.1 %, the third 82 %.
    assert median_interval(range(1, 10)) == (2, 8)


@pytest.mark.parametrize("runs", range(6, 40))
def test_the_interval_has_the_binomial_coverage_and_none_is_narrower(runs: int) -> None:
    ends = median_interval([float(k) for k in range(1, runs + 1)])
    assert ends is not None
    k = int(ends[0])
    assert ends[1] == runs + 1 - k
    assert 1 - 2 * binom.cdf(k - 1, runs, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(k, runs, 0.5) < 0.95


def test_the_half_width_is_the_farther_end() -> None:
    assert half_width_pct([95, 99, 100, 100, 101, 120]) == pytest.approx(20.0)
    assert half_width_pct([1.0] * 3) == math.inf
    assert half_width_pct([0.0] * 6) == math.inf


def test_steady_runs_stop_at_the_least_number_and_noisy_ones_go_on() -> None:
    steady = [10.0, 10.1, 9.9, 10.05, 9.95, 10.0]
    assert not decide(steady[:5]).stop
    assert decide(steady).stop
    assert decide(steady).half_width_pct == pytest.approx(1.0)
    noisy = [10.0, 14.0, 7.0, 12.0, 9.0, 10.0]
    assert not decide(noisy).stop
    assert "wanted 5 %" in decide(noisy).reason
    assert decide(noisy, target_pct=50).stop


def test_the_cap_stops_whatever_the_width() -> None:
    found = decide([10.0, 14.0, 7.0] * 10)
    assert found.stop
    assert found.reason == "30 runs are the cap"
    assert decide([1.0], least_runs=1, most_runs=1).half_width_pct == math.inf


def test_more_noise_takes_more_runs() -> None:
    def needed(spread: float) -> float:
        counts = []
        for seed in range(30):
            runs = (10 * np.exp(np.random.default_rng(seed).normal(0, spread, 60))).tolist()
            counts.append(next(n for n in range(1, 61) if decide(runs[:n], most_runs=60).stop))
        return float(np.mean(counts))

    assert needed(0.01) == 6
    assert 6 < needed(0.05) < needed(0.1) < 60


@pytest.mark.parametrize("values", [[1.0, math.nan], [1.0, 0.0], [-1.0], [math.inf]])
def test_medians_must_be_times(values: list[float]) -> None:
    with pytest.raises(ValueError, match="allowed: medians of runs with successes"):
        decide(values)


@pytest.mark.parametrize("limits", [{"least_runs": 0}, {"most_runs": 3}, {"target_pct": 0}, {"confidence": 1.0}])
def test_limits_must_make_sense(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="allowed: 1 ≤ least ≤ most"):
        decide([1.0], **limits)  # type: ignore[arg-type]


def priced(root: Path, manifest: object) -> Path:
    campaign(root, types=TYPES, ratios={"k8s": 1.0, "swarm": 1.0}, functions=("gofunction",), runs=3, requests=50)
    (root / "k8s/manifest.json").write_text(json.dumps(manifest))
    return root


def test_cost_of_a_million_requests_by_hand(tmp_path: Path) -> None:
    data = load_dataset(priced(tmp_path, {"experiment": {"experiment": {"prices": {"k8s": 0.36}}}}))
    found = costs(data)
    assert found is not None
    (row,) = found.table.to_dict("records")
    assert row["orchestrator"] == "k8s"
    # 0.36 an hour is 0.0001 a second; a million requests take 1e6 / throughput seconds.
    assert row["per_million"] == pytest.approx(100 / row["throughput"])
    throughput = data.runs[data.runs["orchestrator"] == "k8s"]["throughput"].median()
    assert row["throughput"] == pytest.approx(throughput)


def test_machines_may_be_priced_one_by_one(tmp_path: Path) -> None:
    prices = {"t3a.large": 0.1, "t3a.medium": 0.05, "unused": 9}
    machines = [
        {"name": "w1", "type": "t3a.large"},
        {"name": "w2", "type": "t3a.large"},
        "t3a.medium",
        {"name": "free"},
    ]
    manifest = {"experiment": {"prices": prices}, "platform": {"machines": machines}}
    found = costs(load_dataset(priced(tmp_path, manifest)))
    assert found is not None
    assert found.per_hour == {"k8s": pytest.approx(0.25)}


@pytest.mark.parametrize(
    "manifest", [{}, {"experiment": None}, {"experiment": {"prices": {"nomad": 1}}}, {"experiment": {"prices": 3}}]
)
def test_without_prices_that_fit_there_are_no_costs(tmp_path: Path, manifest: object) -> None:
    assert costs(load_dataset(priced(tmp_path, manifest))) is None
