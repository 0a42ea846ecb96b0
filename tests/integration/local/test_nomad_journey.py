"""What docs/nomad.md promises, as its reader types it: from nothing to a report on Nomad, and back to nothing.

Needs FAAS_FILES_REPO, NOMAD_VERSION and NOMAD_SHA256 as tools/test-nomad says.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from locallab import ROOT, Lab, changed
from nomad_lab import NEEDS_NOMAD, REAL, Nomad, gateway, image

from faas_exp.deploy import absent, present

pytestmark = NEEDS_NOMAD

RUNS = 45
REQUESTS = 300


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An environment with a folder of its own for results and secrets."""
    one = Lab("pytest-nomad-journey", "198.18.44.0/24", tmp_path_factory.mktemp("journey"), {**REAL})
    yield one
    if one.names():
        one.play("teardown", confirm="yes")
    assert one.names() == []


def complete(lab: Lab, experiment: str) -> dict[Path, dict[str, Any]]:
    """What each complete run says of itself."""
    return {file.parent: json.loads(file.read_text()) for file in (lab.base / "results" / experiment).rglob("run.json")}


def rows(folder: Path) -> list[dict[str, str]]:
    """Every request of a run."""
    files = sorted(folder.rglob("requests.csv"))
    return [row for file in files for row in csv.DictReader(file.open(encoding="utf-8", newline=""))]


def test_from_nothing_to_answers_and_again(lab: Lab) -> None:
    assert lab.names() == []
    lab.play("site")
    assert changed(lab.play("site")) == 0


def test_the_quick_experiment(lab: Lab) -> None:
    lab.play("experiment", experiment=str(ROOT / "experiments" / "quick.yml"))
    runs = complete(lab, "quick")
    assert len(runs) == RUNS
    assert {record["orchestrator"] for record in runs.values()} == {"nomad"}
    fixed = [record for record in runs.values() if record["replicas"]]
    assert {record["replicas"] for record in fixed} == {1, 10, 20}
    for record in fixed:
        assert set(record["replicas_seen"].values()) == {record["replicas"]}
    for folder in runs:
        answers = rows(folder)
        assert len(answers) == REQUESTS
        assert {row["responseCode"] for row in answers} == {"200"}
    # Twenty really run: over the runs of that case, at fifteen users, every one of them has answered.
    twenty = "pythonfunction/parallel/noautoscaling/replica20/*"
    assert len({row["replica"] for folder in runs if folder.match(twenty) for row in rows(folder)}) >= 20


def test_cold_starts_are_cold(lab: Lab) -> None:
    """None ran before a cold chunk: the replica that answers it is none that answered before."""
    folders = [folder for folder in complete(lab, "quick") if "warmfunction" in folder.parts]
    assert len(folders) == 3
    for folder in folders:
        seen: set[str] = set()
        for chunk in ("warm_0", "cold_0"):
            answers = rows(folder / chunk)
            replicas = {row["replica"] for row in answers}
            first = min(int(row["replicaStart"]) for row in answers)
            begun = min(float(row["timeStamp"]) for row in answers)
            if chunk.startswith("cold"):
                assert not replicas & seen, chunk
                assert first > begun, chunk
            seen |= replicas


def test_the_machines_own_figures_are_kept(lab: Lab) -> None:
    folder = next(iter(complete(lab, "quick")))
    series = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["series"]
    assert all(series[query] for query in series), series.keys()


def test_a_password_is_no_environment(lab: Lab) -> None:
    """The FTP server's password reaches the function, and stands neither in the job nor in an environment."""
    experiment = {
        "experiment": {
            "number_of_runs": 1,
            "number_of_requests": 20,
            "delay_between_runs": 0,
            "delay_between_functions": 0,
            "replicas": [2],
            "load_types": ["sequential/noautoscaling"],
        },
        "functions": [
            {
                "name": "ftpfunction",
                "yaml_path": str(ROOT / "experiments" / "functions" / "ftpfunction" / "stack.yml"),
                "api": {"uri": "function/ftpfunction"},
            }
        ],
    }
    (lab.base / "ftp.yml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    said = lab.play("experiment", options=("-vv",), experiment="ftp.yml")
    (folder,) = complete(lab, "ftp")
    assert {row["responseCode"] for row in rows(folder)} == {"200"}
    password = lab.secret("ftp-password")
    assert password not in said
    for file in (lab.base / "results").rglob("*"):
        assert not file.is_file() or password not in file.read_text(encoding="utf-8", errors="replace"), file

    faas = gateway(lab)
    present(
        faas,
        {"service": "ftpfunction", "image": image(lab, "ftpfunction"), "secrets": ["ftp-password"]},
        key="k",
        replicas=2,
    )
    told = json.dumps(Nomad(lab).get("/v1/job/faas-exp-ftpfunction"))
    assert "ftp-password" in told
    assert password not in told
    for client in ("nomad-client-1", "nomad-client-2"):
        found = lab.ssh(client, "sudo docker ps --quiet --filter name=^/ftpfunction-").split()
        assert found, client
        assert password not in lab.ssh(client, f"sudo docker inspect {' '.join(found)}")
        within = lab.ssh(client, f"sudo docker exec {found[0]} cat /var/openfaas/secrets/ftp-password")
        assert within == password
    absent(faas, "ftpfunction")


def test_a_client_is_given_back(lab: Lab) -> None:
    """Its replicas start elsewhere before its machine goes; then one comes back."""
    nomad = Nomad(lab)
    lab.play("site", clients_count=1)
    assert f"{lab.name}-nomad-client-2" not in lab.names()
    assert nomad.ready() == {"nomad-client-1"}
    token = lab.secret("consul-management-token")
    members = lab.ssh("nomad-server-1", f"CONSUL_HTTP_TOKEN={token} consul members").splitlines()
    # Not failed: it said goodbye.
    assert [line.split()[2] for line in members if line.startswith("nomad-client-2 ")] == ["left"]
    assert changed(lab.play("site", clients_count=1)) == 0
    lab.play("site")
    assert nomad.ready() == {"nomad-client-1", "nomad-client-2"}


def test_report_and_teardown(lab: Lab) -> None:
    lab.play("report", experiment=str(ROOT / "experiments" / "quick.yml"))
    report = (lab.base / "results" / "quick" / "report" / "report.html").read_text(encoding="utf-8")
    assert "pythonfunction" in report
    assert "Nomad" in report
    assert "0 remain" in lab.play("teardown", confirm="yes")
    assert lab.names() == []
