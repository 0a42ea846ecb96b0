"""What happens to functions on a real Nomad when parts of it break.

Needs FAAS_FILES_REPO, NOMAD_VERSION and NOMAD_SHA256 as tools/test-nomad says.
"""

from __future__ import annotations

import http.client
import os
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nomad_lab
import pytest
from locallab import Lab, changed, docker
from nomad_lab import NEEDS_NOMAD, REAL, Nomad

from faas_exp.deploy import present, scaled
from faas_exp.openfaas import OpenFaaS, Probe

pytestmark = NEEDS_NOMAD

SUBNET = "198.18.45.0/24"
HAPROXY = "198.18.45.5"
INPUTS: dict[str, object] = REAL | {
    "servers_count": 3,
    "cloud_local_services": ["bastion", "haproxy"],
    "functions_names": ["gofunction"],
}
PROBE = Probe("function/steady", "GET")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A platform on three servers and two clients.

    ``KEEP_NOMAD=FOLDER`` leaves it for the next call.
    """
    kept = os.environ.get("KEEP_NOMAD", "")
    lab = Lab("pytest-nomad", SUBNET, Path(kept) if kept else tmp_path_factory.mktemp("nomad"), INPUTS)
    try:
        output = lab.play("site")
        (lab.base / "site.log").write_text(output, encoding="utf-8")
        yield lab
    finally:
        if not kept:
            lab.play("teardown", confirm=True)
    assert kept or lab.names() == []


@pytest.fixture(scope="module")
def gateway(platform: Lab) -> OpenFaaS:
    """It, through HAProxy, with a function that runs all the time."""
    one = nomad_lab.gateway(platform)
    wanted = {"service": "steady", "image": nomad_lab.image(platform, "gofunction")}
    present(one, wanted, key="k", replicas=4, probe=PROBE)
    return one


def leader(lab: Lab) -> int:
    """Number of the server that leads."""
    address: str = Nomad(lab).get("/v1/status/leader")
    return int(address.split(":", maxsplit=1)[0].rsplit(".", 1)[1]) - 20


class Load:
    """Requests one after the other, on connections of their own, until it is told to stop."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(HAPROXY, 80, timeout=10)
            try:
                connection.request("GET", "/function/steady")
                self.answers.append(connection.getresponse().status)
            except (OSError, http.client.HTTPException):
                self.answers.append(0)
            finally:
                connection.close()
            time.sleep(0.05)

    def settled(self, good: int) -> bool:
        """The last ``good`` answers were all good."""
        return len(self.answers) >= good and set(self.answers[-good:]) == {200}


def eventually(lab_says: object, seconds: float = 180) -> None:
    """Waits until a question is answered with yes."""
    assert callable(lab_says)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if lab_says():
            return
        time.sleep(0.5)
    raise AssertionError(f"not in {seconds:g} s")


def test_nothing_changes_the_second_time_and_no_secret_is_told(platform: Lab) -> None:
    again = platform.play("site", options=("-vv", "--diff"))
    assert changed(again) == 0
    outputs = (platform.base / "site.log").read_text(encoding="utf-8") + again
    secrets = platform.base / ".faas" / platform.name / "secrets"
    for file in secrets.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
        if file.name.endswith(("token", "password", "gossip-key", ".key")):
            for line in file.read_text(encoding="utf-8").split("\n"):
                assert len(line) < 16 or line not in outputs, file.name


def test_one_ten_twenty_none(platform: Lab, gateway: OpenFaaS) -> None:
    for replicas in (1, 10, 20, 0, 4):
        scaled(gateway, "steady", replicas, timeout=240)
        status = gateway.get("steady")
        assert status is not None
        assert (status.available, status.replicas) == (replicas, replicas)


def seen(requests: int) -> set[str]:
    """Replicas that answered."""
    found = set()
    for _ in range(requests):
        with urllib.request.urlopen(f"http://{HAPROXY}/function/steady") as answer:
            found.add(answer.headers["X-Replica-Id"])
    return found


def test_scaling_up_replaces_no_replica(platform: Lab, gateway: OpenFaaS) -> None:
    before = seen(60)
    assert len(before) == 4
    scaled(gateway, "steady", 8, timeout=240)
    assert before < seen(200)
    scaled(gateway, "steady", 4, timeout=240)


def test_the_leader_goes_during_a_run(platform: Lab, gateway: OpenFaaS) -> None:
    number = leader(platform)
    machine = f"{platform.name}-nomad-server-{number}"
    with Load() as load:
        eventually(lambda: load.settled(20))
        docker("kill", machine)
        scaled(gateway, "steady", 6, timeout=240)
        eventually(lambda: load.settled(50))
    # Requests never pass by the servers.
    assert set(load.answers) == {200}
    docker("start", machine)
    scaled(gateway, "steady", 4, timeout=240)


def test_consul_is_gone_for_twenty_seconds(platform: Lab, gateway: OpenFaaS) -> None:
    machines = [f"nomad-server-{n}" for n in (1, 2, 3)] + ["nomad-client-1", "nomad-client-2"]
    with Load() as load:
        for machine in machines:
            platform.ssh(machine, "sudo systemctl stop consul")
        scaled(gateway, "steady", 6, timeout=240)
        time.sleep(20)
        for machine in machines:
            platform.ssh(machine, "sudo systemctl start consul")
        scaled(gateway, "steady", 4, timeout=240)
        eventually(lambda: load.settled(50))
    assert set(load.answers) == {200}


def test_a_client_goes_during_a_run(platform: Lab, gateway: OpenFaaS) -> None:
    machine = f"{platform.name}-nomad-client-2"
    with Load() as load:
        eventually(lambda: load.settled(20))
        docker("kill", machine)
        eventually(lambda: load.settled(100))

        def whole() -> bool:
            status = gateway.get("steady")
            return status is not None and status.available == status.replicas == 4

        # Nomad starts its replicas elsewhere once it knows.
        eventually(lambda: "nomad-client-2" not in Nomad(platform).ready())
        eventually(whole)
    bad = sum(answer != 200 for answer in load.answers)
    assert bad < len(load.answers) / 4
    docker("start", machine)


def test_a_wrong_checksum_installs_nothing(tmp_path: Path) -> None:
    inputs = INPUTS | {
        "servers_count": 1,
        "clients_count": 0,
        "cloud_local_services": ["bastion"],
        "nomad_sha256": "0" * 64,
    }
    lab = Lab("pytest-nomad-sum", "198.18.46.0/24", tmp_path, inputs)
    try:
        refused = lab.attempt("provision", "cluster")
        assert refused.returncode != 0
        assert "The archive is not the one that nomad_sha256 stands for; nothing was installed." in " ".join(
            refused.stdout.split()
        )
        assert lab.ssh("nomad-server-1", "ls /usr/local/bin") == ""
    finally:
        lab.play("teardown", confirm=True)
