"""Comparisons over whole campaigns with known truths: ratios, verdicts, warnings, twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_trees import RATIOS, campaign, own_run

from faas_exp.analysis import compute_wilcoxon
from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.inference.compare import Comparison, compare
from faas_exp.analysis.inference.metrics import metrics_in
from faas_exp.analysis.inference.noise import noise_floor
from faas_exp.analysis.inference.options import Options
from faas_exp.analysis.inference.overall import overall
from faas_exp.analysis.inference.samples import samples
from faas_exp.analysis.model import Dataset

QUICK = Options(resamples=1_000)
CASE = "gofunction/sequential/noautoscaling/replica1"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset(campaign(tmp_path_factory.mktemp("tree"), cold=("warmfunction",), error_share=0.01))


@pytest.fixture(scope="module")
def comparison(data: Dataset) -> Comparison:
    return compare(data, QUICK)


def tree_of(root: Path, values: dict[str, list[list[float]]], **options: object) -> Dataset:
    """One case; per orchestrator one list of times per run."""
    for orchestrator, runs in values.items():
        for number, times in enumerate(runs, 1):
            own_run(root / orchestrator / CASE / str(number), times, **options)  # type: ignore[arg-type]
    return load_dataset(root)


def test_intervals_contain_the_true_ratios(comparison: Comparison) -> None:
    pairs = comparison.pairs
    times = pairs[(pairs["metric"] == "resTime") & (pairs["phase"] != "cold")]
    truth = np.array([RATIOS[a] / RATIOS[b] for a, b in zip(times["a"], times["b"], strict=True)])
    covered = (times["low"] <= truth) & (truth <= times["high"])
    assert len(times) == 54
    assert covered.mean() > 0.85
    assert (times["ratio"] / truth).between(0.93, 1.07).all()


def test_the_overall_ratio_is_the_truth_and_narrower_than_a_single_one(comparison: Comparison) -> None:
    results = {(result.a, result.b): result for result in overall(comparison)}
    for (a, b), result in results.items():
        truth = RATIOS[a] / RATIOS[b]
        # Drawn once: three standard errors, not the interval itself, must hold it.
        assert result.ratio == pytest.approx(truth, rel=0.02)
        assert result.low < result.ratio < result.high
        assert result.high / result.low < 1.04
        assert result.cells == 18
        assert result.better + result.worse == 18
    assert results[("k8s", "nomad")].better == 18
    fastest = results[("k8s", "swarm")].faster_first
    assert (fastest.a, fastest.better, fastest.sure) == ("swarm", 18, True)
    assert fastest.ratio == pytest.approx(1 / results[("k8s", "swarm")].ratio)
    assert fastest.low == pytest.approx(1 / results[("k8s", "swarm")].high)


def test_overall_can_look_at_one_load_type(comparison: Comparison) -> None:
    (first, *_) = overall(comparison, lambda cell: cell.load == "sequential")
    assert first.cells == 6


def test_the_unit_is_the_run_also_for_chunks(data: Dataset, comparison: Comparison) -> None:
    (response, *_) = metrics_in(data)
    sizes = {len(s) for cell, by in samples(data, response) if cell.phase for s in by.values()}
    assert sizes == {6}
    pairs = comparison.pairs
    assert set(pairs[["n_a", "n_b"]].to_numpy().ravel()) == {6}
    assert set(pairs["phase"]) == {"", "warm", "cold"}


def test_cold_starts_have_a_metric_of_their_own(comparison: Comparison) -> None:
    pairs = comparison.pairs
    cold = pairs[pairs["metric"] == "firstResponse"]
    assert set(cold["phase"]) == {"cold"}
    assert set(cold["function"]) == {"warmfunction"}
    ratio = cold[(cold["a"] == "k8s") & (cold["b"] == "nomad")]["ratio"]
    assert ratio.median() == pytest.approx(0.8, rel=0.15)


def test_throughput_is_better_when_higher(comparison: Comparison) -> None:
    pairs = comparison.pairs
    rows = pairs[(pairs["metric"] == "throughput") & (pairs["a"] == "k8s") & (pairs["b"] == "nomad")]
    rows = rows[rows["phase"] != "cold"]
    assert (rows["ratio"] > 1).all()
    assert set(rows["verdict"]) == {"better"}


def test_results_do_not_depend_on_what_else_is_in_the_tree(comparison: Comparison, tmp_path: Path) -> None:
    alone = load_dataset(campaign(tmp_path, functions=("gofunction",), error_share=0.01))
    whole = comparison.pairs
    whole = whole[whole["function"] == "gofunction"].reset_index(drop=True)
    pd.testing.assert_frame_equal(compare(alone, QUICK).pairs, whole)


def test_the_seed_is_in_the_numbers(data: Dataset, comparison: Comparison) -> None:
    one = comparison.pairs
    pd.testing.assert_frame_equal(one, compare(data, QUICK).pairs)
    other = compare(data, Options(resamples=1_000, seed=7)).pairs
    assert not np.allclose(one["low"].dropna(), other["low"].dropna())
    assert one["p"].equals(other["p"])


def test_all_values_equal(tmp_path: Path) -> None:
    found = compare(tree_of(tmp_path, {"a": [[5.0] * 9] * 6, "b": [[5.0] * 9] * 6}), QUICK)
    row = found.pairs[found.pairs["metric"] == "resTime"].iloc[0]
    assert (row["ratio"], row["low"], row["high"], row["p"], row["a12"], row["verdict"]) == (
        1,
        1,
        1,
        1,
        0.5,
        "equivalent",
    )
    assert found.omnibus["p"].tolist() == [1.0] * len(found.omnibus)


def test_a_difference_that_is_sure_but_small_is_equivalent(tmp_path: Path) -> None:
    a = [[10.0 + k / 100] * 9 for k in range(6)]
    b = [[10.2 + k / 100] * 9 for k in range(6)]
    pairs = compare(tree_of(tmp_path, {"a": a, "b": b}), QUICK).pairs
    row = pairs[pairs["metric"] == "resTime"].iloc[0]
    assert row["p_holm"] < 0.05
    assert row["verdict"] == "equivalent"
    strict = compare(load_dataset(tmp_path), Options(resamples=1_000, margin=0.01)).pairs
    assert strict[strict["metric"] == "resTime"].iloc[0]["verdict"] == "better"


def test_three_runs_decide_nothing_and_say_so(tmp_path: Path) -> None:
    found = compare(tree_of(tmp_path, {"a": [[5.0] * 9, [6.0] * 9, [7.0] * 9], "b": [[15.0] * 9] * 3}), QUICK)
    assert set(found.pairs["verdict"]) == {"undecided"}
    assert any("can't reach significance" in warning and "make more runs" in warning for warning in found.warnings)
    assert any("fewer than 5 runs" in warning for warning in found.warnings)


def test_one_run_gives_a_ratio_and_no_interval(tmp_path: Path) -> None:
    found = compare(tree_of(tmp_path, {"a": [[5.0] * 9], "b": [[10.0] * 9]}), QUICK)
    row = found.pairs[found.pairs["metric"] == "resTime"].iloc[0]
    assert (row["ratio"], row["p"], row["verdict"]) == (0.5, 1.0, "undecided")
    assert np.isnan(row["low"])


def test_unequal_numbers_of_runs(tmp_path: Path) -> None:
    found = compare(
        tree_of(tmp_path, {"a": [[5.0 + k] * 9 for k in range(7)], "b": [[50.0 + k] * 9 for k in range(5)]}), QUICK
    )
    row = found.pairs[found.pairs["metric"] == "resTime"].iloc[0]
    assert (row["n_a"], row["n_b"], row["verdict"]) == (7, 5, "better")


def test_a_run_without_success_is_no_run_for_times_but_one_for_errors(tmp_path: Path) -> None:
    tree_of(tmp_path, {"a": [[5.0] * 4] * 6, "b": [[5.0] * 4] * 5})
    own_run(tmp_path / "b" / CASE / "6", [5.0] * 4, errors=range(4))
    pairs = compare(load_dataset(tmp_path), QUICK).pairs.set_index("metric")
    assert pairs.loc["resTime", "n_b"] == 5
    assert pairs.loc["errorPct", "n_b"] == 6


def test_no_success_anywhere(tmp_path: Path) -> None:
    found = compare(tree_of(tmp_path, {"a": [[5.0] * 4] * 6, "b": [[6.0] * 4] * 6}, errors=range(4)), QUICK)
    assert set(found.pairs["metric"]) == {"throughput", "errorPct"}
    assert np.isnan(found.pairs[found.pairs["metric"] == "throughput"].iloc[0]["ratio"])


def test_one_orchestrator_only(tmp_path: Path) -> None:
    found = compare(tree_of(tmp_path, {"a": [[5.0] * 4] * 6}), QUICK)
    assert found.pairs.empty
    assert found.warnings == ["there is no cell with two orchestrators in it: nothing can be compared"]
    assert overall(found) == []


def test_void_runs_are_not_compared(tmp_path: Path) -> None:
    tree_of(tmp_path, {"a": [[5.0] * 4] * 6, "b": [[5.0] * 4] * 6})
    own_run(tmp_path / "b" / CASE / "7", [500.0] * 4, stats={"void": True})
    pairs = compare(load_dataset(tmp_path), QUICK).pairs
    assert set(pairs["n_b"]) == {6}


def test_error_rates_compare_by_difference(tmp_path: Path) -> None:
    tree_of(tmp_path, {"a": [[5.0] * 10] * 6})
    for run in range(1, 7):
        own_run(tmp_path / "b" / CASE / str(run), [5.0] * 10, errors=range(run % 3))
    row = compare(load_dataset(tmp_path), QUICK).pairs.set_index("metric").loc["errorPct"]
    assert np.isnan(row["ratio"])
    assert row["difference"] == -10.0
    assert row["low"] < -5 < row["high"]


def test_what_compute_wilcoxon_writes(tmp_path: Path) -> None:
    campaign(tmp_path / "t", functions=("gofunction",), requests=30)
    written = compute_wilcoxon(tmp_path / "t", tmp_path / "out", options=QUICK)
    folder = tmp_path / "out/gofunction/parallel/autoscaling"
    for ending in ("csv", "md", "tex"):
        assert (folder / f"Wilcoxon-resTime.{ending}").is_file()
        assert (folder / f"Kruskal-p95.{ending}").is_file()
    table = pd.read_csv(tmp_path / "out/comparisons.csv")
    assert set(table["metric"]) == {"resTime", "p95", "p99", "throughput", "errorPct"}
    assert len(table) == 5 * 6 * 3
    assert (tmp_path / "out/omnibus.csv").is_file()
    text = (folder / "Wilcoxon-resTime.md").read_text()
    assert "| go | many users, autoscaling | 5 users | Kubernetes | Nomad | 6 and 6 |" in text
    latex = (folder / "Wilcoxon-errorPct.tex").read_text()
    assert r"\begin{longtable}" in latex
    assert r"95 \% interval" in latex
    assert set(written.files) == {path for path in (tmp_path / "out").rglob("*") if path.is_file()}


def test_twins_are_the_noise_floor_and_in_no_comparison(tmp_path: Path) -> None:
    ratios = {"k8s": 1.0, "swarm": 0.8, "k8s~aa": 1.0}
    data = load_dataset(campaign(tmp_path, ratios=ratios, functions=("gofunction", "gofunction~aa"), requests=60))
    comparison = compare(data, QUICK)
    assert {*comparison.pairs["a"], *comparison.pairs["b"]} == {"k8s", "swarm"}
    assert set(comparison.pairs["function"]) == {"gofunction"}
    found = noise_floor(data)
    assert found is not None
    # Of 6 cases: k8s~aa against k8s; and each function's twin on k8s and swarm, and the twin of the twin, against the
    # base.
    assert set(found.twins["orchestrator"]) == {"k8s", "swarm"}
    assert set(found.twins["function"]) == {"gofunction"}
    assert 0 < found.median < found.p95 <= found.largest


@pytest.mark.parametrize(("base", "twin", "ratio"), [(10.0, 8.0, 1.25), (8.0, 10.0, 0.8)])
def test_the_deviation_of_twins_by_hand(tmp_path: Path, base: float, twin: float, ratio: float) -> None:
    data = tree_of(tmp_path, {"a": [[base] * 4] * 3, "a~aa": [[twin] * 4] * 3, "b": [[10.0] * 4] * 3})
    found = noise_floor(data)
    assert found is not None
    (row,) = found.twins.to_dict("records")
    assert (row["orchestrator"], row["ratio"], row["deviation"]) == ("a", ratio, 0.25)
    assert found.false_alarms == 0.0


def test_without_twins_there_is_no_noise_floor(data: Dataset) -> None:
    assert noise_floor(data) is None
