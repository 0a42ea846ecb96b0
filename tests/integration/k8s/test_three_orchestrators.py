"""The comparison that all of this is for: the same file on three orchestrators, beside each other, and one report.

Nomad's archives come from FAAS_FILES_REPO, as in tools/test-nomad; without it two orchestrators are compared.
"""

from __future__ import annotations

import csv
import os
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from k8s_site import EXPERIMENT, RUNS, K8sSite
from locallab import changed

NOMAD = pytest.mark.skipif(
    not os.environ.get("FAAS_FILES_REPO"), reason="NOT RUN: no Nomad beside it, since FAAS_FILES_REPO is not set"
)
INPUTS: dict[str, dict[str, object]] = {
    "swarm": {},
    "nomad": {
        "faas_files_repo": os.environ.get("FAAS_FILES_REPO", ""),
        "nomad_version": os.environ.get("NOMAD_VERSION") or "1.6.4",
        "nomad_sha256": os.environ.get("NOMAD_SHA256", ""),
        "consul_from": "package",
    },
}
NAMES = {"k8s": "Kubernetes", "nomad": "Nomad", "swarm": "Docker Swarm"}


@pytest.mark.parametrize("other", ["swarm", pytest.param("nomad", marks=NOMAD)])
def test_the_same_experiment_beside_it(site: K8sSite, runs: dict[Path, dict[str, Any]], other: str) -> None:
    inputs = {"orchestrator": other, **INPUTS[other]}
    site.play("site", **inputs)
    site.play("experiment", experiment=EXPERIMENT, **inputs)
    found = site.quick_runs(other)
    assert len(found) == len(runs) == RUNS
    assert {record["replicas"] for record in found.values()} == {None, 1, 10, 20}
    for record in found.values():
        if record["replicas"]:
            assert set(record["replicas_seen"].values()) == {record["replicas"]}


def test_one_report_compares_them(site: K8sSite, runs: dict[Path, dict[str, Any]]) -> None:
    site.play("report", experiment=EXPERIMENT)
    there = sorted(name for name in NAMES if site.quick_runs(name))
    assert {"k8s", "swarm"} <= set(there)
    folder = site.base / "results" / "quick" / "report"
    page = (folder / "report.html").read_text(encoding="utf-8")
    for name in there:
        assert NAMES[name] in page
    with (folder / "tables" / "all_resTime.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for row in rows:
        case = (row["function"], row["load"], row["scaling"], row["case"], row["phase"])
        pairs.setdefault((row["a"], row["b"]), set()).add(case)
    assert set(pairs) == set(combinations(there, 2))
    # Void runs don't count: where the generator was too slow, a pair may have lost a case.
    for cases in pairs.values():
        assert ("pythonfunction", "sequential", "noautoscaling", "replica20", "") in cases


def test_the_load_balancer_goes_back_to_kubernetes(site: K8sSite) -> None:
    site.play("site")
    assert set(site.backends()) == set(site.workers)
    assert changed(site.play("site")) == 0
