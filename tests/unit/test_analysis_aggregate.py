"""aggregate: the thesis's files, the tidy table, and everything that is left out and said."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_trees import campaign, jmeter_run, own_run, write_run_json

from faas_exp.analysis import aggregate
from faas_exp.analysis.dataset import load_dataset
from faas_exp.analysis.errors import AnalysisError, BadFileError, NoResultsError
from faas_exp.analysis.outliers import within_fences
from faas_exp.analysis.store import load

CASE = "gofunction/sequential/noautoscaling/replica1"
TYPES = {("sequential", "noautoscaling"): ("replica1",)}


def case_row(path: Path) -> dict[str, float]:
    with path.open() as stream:
        (row,) = csv.DictReader(stream)
    return {key: float(value) if value else float("nan") for key, value in row.items()}


def test_one_orchestrators_folder_gives_the_thesis_layout(tmp_path: Path) -> None:
    for run, level in enumerate([10, 11, 12, 13, 14, 90], 1):
        own_run(tmp_path / "t/k8s" / CASE / str(run), [level] * 5)
    report = aggregate(tmp_path / "t/k8s", tmp_path / "out")
    path = tmp_path / "out" / f"{CASE}.csv"
    assert path in report.files
    # Quartiles by midpoint: 11.5 and 13.5... of 10 11 12 13 14 90; 90 is beyond the fence, the median of the rest is
    # 12.
    assert path.read_text().splitlines()[0] == '"resTime","throughput","errorPct"'
    assert case_row(path)["resTime"] == 12.0
    assert case_row(path)["errorPct"] == 0.0


def test_the_tree_gives_the_same_below_each_orchestrator(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=2, requests=10)
    aggregate(tmp_path / "t", tmp_path / "out")
    assert (tmp_path / "out/swarm/pythonfunction/sequential/noautoscaling/replica1.csv").is_file()
    assert len(list((tmp_path / "out").rglob("replica1.csv"))) == 6


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        # Midpoint quartiles of six: (x2 + x3) / 2 and (x4 + x5) / 2; reach 1.5 times their distance.
        ([10, 11, 12, 13, 14, 90], [10, 11, 12, 13, 14]),
        ([5, 5, 5, 5, 5, 90], [5, 5, 5, 5, 5, 90]),
        ([1.0], [1.0]),
        ([1.0, 100.0], [1.0, 100.0]),
        # The bound itself is out: quartiles 2 and 4 of 1..5, fences at -1 and 7.
        ([1, 2, 3, 4, 7], [1, 2, 3, 4]),
        ([-1, 2, 3, 4, 5], [2, 3, 4, 5]),
        # Midpoint quartiles 11.5 and 13.5, fence 16.5; interpolated ones (11.25, 13.75) would keep 17.
        ([10, 11, 12, 13, 14, 17], [10, 11, 12, 13, 14]),
        ([float("nan"), 3.0], [3.0]),
    ],
)
def test_the_interquartile_cut_by_hand(values: list[float], kept: list[float]) -> None:
    assert within_fences(values) == kept


def test_tidy_table_in_both_formats_and_back(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=2, requests=20, error_share=0.2, cold=("warmfunction",))
    aggregate(tmp_path / "t", tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out/runs.parquet")
    wanted = "orchestrator function load scaling case run chunk count errors p50 p90 p95 p99 p99.9 mean throughput"
    assert set(f"{wanted} cold_responses replicas_seen void".split()) <= set(table.columns)
    assert len(table) == 3 * 2 * (2 + 4)
    text = pd.read_csv(tmp_path / "out/runs.csv")
    np.testing.assert_allclose(text["p99.9"], table["p99.9"])
    again = load(tmp_path / "out")
    pd.testing.assert_frame_equal(again.runs, load_dataset(tmp_path / "t").runs)
    assert set(again.quantiles) == set(table["leaf"])


def test_numbers_of_a_run_match_its_own_stats(tmp_path: Path) -> None:
    own_run(tmp_path / "t/k8s" / CASE / "1", [4, 8, 6, 100], errors=[3], replicas=2, users=2)
    aggregate(tmp_path / "t", tmp_path / "out")
    (row,) = pd.read_parquet(tmp_path / "out/runs.parquet").to_dict("records")
    assert (row["count"], row["errors"], row["p50"], row["error_pct"]) == (4, 1, 6.0, 25.0)
    assert (row["replicas_seen"], row["users"], row["cold_responses"], row["config_hash"]) == (2, 2, 0, "abc")


def test_warm_and_cold_chunks_have_their_own_lines(tmp_path: Path) -> None:
    campaign(
        tmp_path / "t", functions=(), cold=("warmfunction",), types=TYPES, ratios={"swarm": 1.0}, runs=3, requests=30
    )
    aggregate(tmp_path / "t/swarm", tmp_path / "out")
    lines = (tmp_path / "out/warmfunction/sequential/noautoscaling/replica1.csv").read_text().splitlines()
    assert lines[0] == '"startTime","resTime","throughput","errorPct"'
    assert [line.split(",")[0] for line in lines[1:]] == ['"warm_0"', '"cold_0"', '"warm_1"', '"cold_1"']
    table = pd.read_parquet(tmp_path / "out/runs.parquet")
    cold = table["chunk"].str.startswith("cold")
    assert (table[cold]["cold_responses"] == 1).all()
    assert (table[~cold]["cold_responses"] == 0).all()
    # The cold start is there to be seen, and hidden in no median.
    assert (table[cold]["first_response"] > 100).all()
    assert (table[cold]["p50"] < 100).all()


def test_jmeter_and_ours_mixed_and_error_rates_from_jmeters_statistics(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, ratios={"swarm": 1.0}, functions=("gofunction",), runs=2, requests=10)
    for run in (1, 2):
        jmeter_run(tmp_path / "t/nomad" / CASE / str(run), [5, 6, 7], codes={2: "500"}, error_pct=76.5)
    jmeter_run(tmp_path / "t/nomad" / CASE / "3", [5, 6, 7], codes={2: "500"})
    report = aggregate(tmp_path / "t", tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out/runs.parquet").set_index(["orchestrator", "run"])
    assert table.loc["nomad"]["error_pct"].tolist() == pytest.approx([76.5, 76.5, 100 / 3])
    assert table.loc["swarm"]["source"].tolist() == ["own", "own"]
    assert pd.isna(table.loc["nomad"]["cold_responses"]).all()
    assert report.left_out == []


def test_void_runs_are_counted_and_in_no_median(tmp_path: Path) -> None:
    for run, level in enumerate([10, 12, 500], 1):
        void = {"void": True, "void_reasons": ["CPU 97 % of a core"]} if level == 500 else {}
        own_run(tmp_path / "t/k8s" / CASE / str(run), [level] * 5, stats=void)
    report = aggregate(tmp_path / "t/k8s", tmp_path / "out")
    assert (report.voids, report.runs) == (1, 3)
    assert case_row(tmp_path / f"out/{CASE}.csv")["resTime"] == 11
    table = pd.read_parquet(tmp_path / "out/runs.parquet")
    assert table[table["void"]]["void_reasons"].tolist() == ["CPU 97 % of a core"]
    assert "(1 void" in str(report)


def test_a_void_run_of_chunks_is_void_in_all_of_them(tmp_path: Path) -> None:
    campaign(tmp_path / "t", functions=(), cold=("warmfunction",), types=TYPES, ratios={"k8s": 1.0}, runs=1, requests=8)
    folder = tmp_path / "t/k8s/warmfunction/sequential/noautoscaling/replica1/1"
    write_run_json(folder, void=True, chunks=["warm_0", "cold_0", "warm_1", "cold_1"], number_of_requests=32)
    aggregate(tmp_path / "t", tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out/runs.parquet")["void"].all()


def test_two_configurations_in_one_case_are_an_error_line_and_the_case_is_left_out(tmp_path: Path) -> None:
    for run in (1, 2, 3):
        config = {"number_of_requests": 5 if run < 3 else 7, "seed": run}
        extra = {"config": config, "config_hash": f"hash{run}"}
        own_run(tmp_path / "t/k8s" / CASE / str(run), [5.0] * 5, run_json=extra)
        own_run(tmp_path / "t/k8s" / CASE.replace("gofunction", "other") / str(run), [5.0] * 5)
    report = aggregate(tmp_path / "t", tmp_path / "out")
    (line,) = report.errors
    assert "k8s/gofunction/sequential/noautoscaling/replica1" in line
    assert "runs 1, 2; runs 3" in line
    assert "differ in number_of_requests)" in line
    assert set(pd.read_parquet(tmp_path / "out/runs.parquet")["function"]) == {"other"}
    assert str(report).startswith("error: ")


def test_the_seed_may_differ_from_run_to_run(tmp_path: Path) -> None:
    for run in (1, 2):
        extra = {"config": {"requests": 5, "seed": run}, "config_hash": f"hash{run}"}
        own_run(tmp_path / "t/k8s" / CASE / str(run), [5.0] * 5, run_json=extra)
    assert aggregate(tmp_path / "t", tmp_path / "out").errors == []


def test_hashes_alone_must_agree(tmp_path: Path) -> None:
    for run in (1, 2):
        own_run(tmp_path / "t/k8s" / CASE / str(run), [5.0] * 5, run_json={"config_hash": f"hash{run}"})
        own_run(tmp_path / "t/k8s/a/parallel/autoscaling/user_5" / str(run), [5.0] * 5)
    assert "differ in their hash" in aggregate(tmp_path / "t", tmp_path / "out").errors[0]


def test_unusable_files_and_rows_are_said(tmp_path: Path) -> None:
    case = tmp_path / "t/k8s" / CASE
    own_run(case / "1", [5.0] * 5)
    own_run(case / "2", [5.0] * 5)
    (case / "2/requests.csv").write_text("not,a\nfile,of requests\n")
    own_run(case / "3", [5.0, 6.0, -1.0])
    own_run(case / "4", [5.0] * 4, run_json={"number_of_requests": 5})
    report = aggregate(tmp_path / "t", tmp_path / "out")
    assert report.runs == 3
    (item,) = report.left_out
    assert item.path.endswith("2/requests.csv")
    assert "found the first line 'not,a'" in item.reason
    name = "k8s/gofunction/sequential/noautoscaling/replica1"
    assert f"{name}/3: 1 rows with a negative time, left out" in report.notes
    assert f"{name}/4: 4 requests, 5 were asked for" in report.notes
    kept = json.loads((tmp_path / "out/provenance.json").read_text())
    assert [entry["path"] for entry in kept["left_out"]] == [item.path]


def test_a_run_without_a_success_leaves_its_field_empty(tmp_path: Path) -> None:
    own_run(tmp_path / "t/k8s" / CASE / "1", [5.0, 6.0], errors=[0, 1])
    aggregate(tmp_path / "t/k8s", tmp_path / "out")
    assert (tmp_path / f"out/{CASE}.csv").read_text().splitlines()[1] == ",0.0,100.0"


def test_only_unusable_runs_is_an_error_that_says_why(tmp_path: Path) -> None:
    own_run(tmp_path / "t/k8s" / CASE / "1", [5.0], complete=False)
    with pytest.raises(AnalysisError, match=r"no usable run: .*incomplete: no run\.json"):
        aggregate(tmp_path / "t", tmp_path / "out")


def test_excluding(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=1, requests=5)
    report = aggregate(tmp_path / "t", tmp_path / "out", ["gofunction"])
    assert set(pd.read_parquet(tmp_path / "out/runs.parquet")["function"]) == {"pythonfunction"}
    assert report.requests == 15


def test_manifests_and_machines_are_kept(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=1, requests=5)
    aggregate(tmp_path / "t", tmp_path / "out")
    kept = json.loads((tmp_path / "out/provenance.json").read_text())
    assert kept["manifests"]["k8s"]["calibration"] == {"floor_ms": 0.2}
    assert kept["facts"]["swarm"]["versions.locust"] == ["2.43.4"]
    aggregate(tmp_path / "t/swarm", tmp_path / "one")
    assert set(json.loads((tmp_path / "one/provenance.json").read_text())["manifests"]) == {"swarm"}


def test_a_destination_that_is_a_file(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=1, requests=5)
    (tmp_path / "out").write_text("")
    with pytest.raises(AnalysisError, match=r"out.*can't write"):
        aggregate(tmp_path / "t", tmp_path / "out")


def test_an_aggregated_folder_can_be_read_whole_or_by_orchestrator(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=2, requests=10)
    aggregate(tmp_path / "t", tmp_path / "whole")
    for name in ("k8s", "nomad", "swarm"):
        aggregate(tmp_path / "t" / name, tmp_path / "parts" / name)
    whole, parts = load_dataset(tmp_path / "whole"), load_dataset(tmp_path / "parts")
    same = [column for column in whole.runs.columns if column not in ("prefix", "leaf")]
    pd.testing.assert_frame_equal(whole.runs[same], parts.runs[same])
    for leaf, other in zip(whole.runs["leaf"], parts.runs["leaf"], strict=True):
        np.testing.assert_array_equal(whole.quantiles[leaf], parts.quantiles[other])
        assert len(whole.timeline[whole.timeline["leaf"] == leaf]) == len(
            parts.timeline[parts.timeline["leaf"] == other]
        )


def test_the_thesis_case_files_alone_can_be_read(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, runs=2, requests=10, cold=("warmfunction",))
    aggregate(tmp_path / "t", tmp_path / "out")
    for path in [*tmp_path.glob("out/*.parquet"), tmp_path / "out/runs.csv", *tmp_path.glob("out/details/*")]:
        path.unlink()
    found = load_dataset(tmp_path / "out")
    assert set(found.runs["source"]) == {"case"}
    assert len(found.runs) == 3 * (2 + 4)
    assert set(found.runs["orchestrator"]) == {"k8s", "nomad", "swarm"}


def test_summaries_and_trees_mixed_and_told_twice(tmp_path: Path) -> None:
    data = Path(__file__).parent / "data/thesis/summary"
    campaign(
        tmp_path / "t",
        types={("sequential", "noautoscaling"): ("replica1",)},
        ratios={"swarm": 1.0},
        runs=6,
        requests=9,
    )
    (tmp_path / "t/summary").symlink_to(data)
    # Symbolic links are not followed, so that no loop can trap anybody.
    assert "summary" not in set(load_dataset(tmp_path / "t").runs["source"])
    (tmp_path / "t/summary").unlink()
    for path in data.rglob("*.csv"):
        target = tmp_path / "t/summary" / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    found = load_dataset(tmp_path / "t")
    swarm = found.runs[(found.runs["orchestrator"] == "swarm") & (found.runs["function"] == "gofunction")]
    swarm = swarm[(swarm["load"] == "sequential") & (swarm["case"] == "replica1")]
    assert set(swarm["source"]) == {"own"}
    assert set(found.runs["source"]) == {"own", "summary"}
    assert any("6 runs were found twice" in note for note in found.provenance.notes)
    assert found.runs["leaf"].is_unique


def test_requests_are_read_again_rather_than_an_old_aggregate(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, ratios={"k8s": 1.0}, functions=("gofunction",), runs=1, requests=5)
    aggregate(tmp_path / "t", tmp_path / "t/agg")
    campaign(tmp_path / "t", types=TYPES, ratios={"k8s": 1.0}, functions=("gofunction",), runs=2, requests=5)
    found = load_dataset(tmp_path / "t")
    assert found.runs["run"].tolist() == [1, 2]
    assert any("aggregated earlier" in item.reason for item in found.provenance.left_out)


def test_a_damaged_aggregate_is_said(tmp_path: Path) -> None:
    campaign(tmp_path / "t", types=TYPES, ratios={"k8s": 1.0}, runs=1, requests=5)
    aggregate(tmp_path / "t", tmp_path / "out")
    (tmp_path / "out/runs.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(BadFileError, match=r"runs\.parquet: found an unreadable file"):
        load_dataset(tmp_path / "out")
    with pytest.raises(NoResultsError):
        load_dataset(tmp_path / "out/details")


def test_reading_is_the_same_with_one_worker_and_many(tmp_path: Path) -> None:
    from faas_exp.analysis.collect import collect

    campaign(tmp_path / "t", types=TYPES, runs=3, requests=50)
    pd.testing.assert_frame_equal(collect(tmp_path / "t", workers=1).runs, collect(tmp_path / "t", workers=8).runs)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, faas_exp.analysis; print([m for m in ('numpy', 'pandas', 'pyarrow', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
