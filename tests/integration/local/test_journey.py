"""What the README promises, as its reader types it: from nothing to a report on Docker Swarm, and all of it twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from locallab import ROOT, Lab, changed, run

RUNS = 45
REQUESTS = 300


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An environment for all rounds, with a folder of its own for results and secrets."""
    one = Lab("pytest-journey", "198.18.251.0/24", tmp_path_factory.mktemp("journey"))
    yield one
    if one.names():
        one.play("teardown", confirm="yes")
    assert one.names() == []


def complete(lab: Lab) -> dict[Path, dict[str, Any]]:
    """What each complete run says of itself."""
    return {file.parent: json.loads(file.read_text()) for file in (lab.base / "results" / "quick").rglob("run.json")}


@pytest.mark.parametrize("time", ["first", "again"])
def test_from_nothing_to_a_report(lab: Lab, time: str) -> None:
    experiment = str(ROOT / "experiments" / "quick.yml")
    assert lab.names() == []
    assert run("make", "lab").returncode == 0

    lab.play("site", orchestrator="swarm")
    assert changed(lab.play("site", orchestrator="swarm")) == 0

    before = {folder: (folder / "run.json").stat().st_mtime_ns for folder in complete(lab)}
    said = lab.play("experiment", experiment=experiment)
    runs = complete(lab)
    assert len(runs) == RUNS
    if time == "again":
        assert f"All {RUNS} runs are complete" in said
        assert {folder: (folder / "run.json").stat().st_mtime_ns for folder in runs} == before

    fixed = [record for record in runs.values() if record["replicas"]]
    assert {record["replicas"] for record in fixed} == {1, 10, 20}
    for record in fixed:
        assert set(record["replicas_seen"].values()) == {record["replicas"]}
    for folder in runs:
        files = sorted(folder.rglob("requests.csv"))
        rows = [row for file in files for row in csv.DictReader(file.open(encoding="utf-8", newline=""))]
        assert len(rows) == REQUESTS
        assert {row["responseCode"] for row in rows} == {"200"}
    # Twenty really run: over the runs of that case, at fifteen users, every one of them has answered.
    served = {
        row["replica"]
        for folder in runs
        if folder.match("pythonfunction/parallel/noautoscaling/replica20/*")
        for row in csv.DictReader((folder / "requests.csv").open(encoding="utf-8", newline=""))
    }
    assert len(served) >= 20

    lab.play("report", experiment=experiment)
    report = (lab.base / "results" / "quick" / "report" / "report.html").read_text(encoding="utf-8")
    assert "pythonfunction" in report
    assert "Docker Swarm" in report

    assert "0 remain" in lab.play("teardown", confirm="yes")
    assert lab.names() == []
