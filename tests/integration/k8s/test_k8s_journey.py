"""What the README promises, on a Kubernetes that exists: from a kubeconfig to a report."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from k8s_site import EXPERIMENT, RUNS, K8sSite
from locallab import changed

REQUESTS = 300


def rows(folder: Path) -> list[dict[str, str]]:
    """All requests below a folder, in the order of its chunks' names and of their files."""
    found = []
    for file in sorted(folder.rglob("requests.csv")):
        with file.open(encoding="utf-8", newline="") as content:
            found += list(csv.DictReader(content))
    return found


def test_the_second_run_changes_nothing_and_tells_no_secret(site: K8sSite) -> None:
    output = site.play("site", options=("-vvv", "--diff"))
    assert changed(output) == 0
    for name in ("ftp-password", "basic-auth-password", "haproxy-stats-password"):
        assert site.secret(name) not in output, name
    # What lets anybody into the cluster.
    key = next(line for line in site.given.read_text().splitlines() if "client-key-data" in line).split()[-1]
    assert key not in output


def test_check_mode_tells_the_truth(site: K8sSite) -> None:
    assert changed(site.play("site", options=("--check",))) == 0


def test_every_run_is_complete_and_every_request_answered(runs: dict[Path, dict[str, Any]]) -> None:
    assert len(runs) == RUNS
    for folder in runs:
        answered = rows(folder)
        assert len(answered) == REQUESTS
        assert {row["responseCode"] for row in answered} == {"200"}, folder


def test_one_ten_and_twenty_replicas_really_run(runs: dict[Path, dict[str, Any]]) -> None:
    fixed = {folder: record for folder, record in runs.items() if record["replicas"]}
    assert {record["replicas"] for record in fixed.values()} == {1, 10, 20}
    for record in fixed.values():
        assert set(record["replicas_seen"].values()) == {record["replicas"]}
    for wanted in (1, 10, 20):
        case = [folder for folder in fixed if folder.match(f"pythonfunction/parallel/noautoscaling/replica{wanted}/*")]
        served = {row["replica"] for folder in case for row in rows(folder)}
        # One deployment for all runs of a case; over them, at fifteen users, every pod has answered.
        assert len(served) == wanted
        assert all(pod.startswith("pythonfunction-") for pod in served)


def test_cold_starts_are_cold(runs: dict[Path, dict[str, Any]]) -> None:
    cold_runs = {folder: record for folder, record in runs.items() if record["function"] == "warmfunction"}
    assert cold_runs
    for folder, record in cold_runs.items():
        assert record["chunks"] == ["warm_0", "cold_0"]
        last: list[dict[str, str]] = []
        for chunk in record["chunks"]:
            now = rows(folder / chunk)
            if chunk.startswith("cold"):
                # No pod of before served it: its own began when all that was asked before had been answered.
                ended = max(float(row["timeStamp"]) + float(row["elapsed"]) for row in last)
                assert {row["replica"] for row in now}.isdisjoint(row["replica"] for row in last)
                assert min(float(row["replicaStart"]) for row in now) > ended
            last = now


def test_prometheus_in_the_cluster_saw_the_runs(runs: dict[Path, dict[str, Any]]) -> None:
    machines, counts = set(), []
    for folder in runs:
        metrics = json.loads((folder / "metrics.json").read_text())
        assert "error" not in metrics, metrics["error"]
        machines |= {series["labels"]["machine"] for series in metrics["series"]["node_memory_used_bytes"]}
        # Read every five seconds: a run of this file may be over before its function was seen.
        counts += [value for series in metrics["series"]["gateway_service_count"] for _, value in series["values"]]
    assert max(counts) > 1
    assert machines == {"k8s-worker-1", "k8s-worker-2"}


def test_once_more_there_is_nothing_to_do(site: K8sSite, runs: dict[Path, dict[str, Any]]) -> None:
    before = {folder: (folder / "run.json").stat().st_mtime_ns for folder in runs}
    assert f"All {RUNS} runs are complete" in site.play("experiment", experiment=EXPERIMENT)
    assert {folder: (folder / "run.json").stat().st_mtime_ns for folder in runs} == before


def test_the_report_names_the_orchestrator(site: K8sSite, runs: dict[Path, dict[str, Any]]) -> None:
    site.play("report", experiment=EXPERIMENT)
    report = (site.base / "results" / "quick" / "report" / "report.html").read_text(encoding="utf-8")
    assert "Kubernetes" in report
    assert "pythonfunction" in report
