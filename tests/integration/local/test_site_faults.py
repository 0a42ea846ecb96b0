"""A whole environment in use: what breaks during a run is recorded, what is broken is healed by the same command."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from locallab import changed, docker
from site_lab import REQUESTS, Site

from faas_exp.errors import PlatformError
from faas_exp.openfaas import Probe

SECRETS = ("ftp-password", "basic-auth-password", "haproxy-stats-password", "swarm-agent.key")


def secrets(site: Site) -> dict[str, str]:
    """All that the environment keeps to itself."""
    # Of a key, its longest line: the first and the last are everybody's.
    kept = {name: max(site.secret(name).splitlines(), key=len) for name in SECRETS}
    return kept | dict(yaml.safe_load(site.secret("swarm-tokens.yml")))


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def deploy(site: Site, name: str, image: str, timeout: float) -> None:
    """A function that is up and answers."""
    site.gateway.deploy({"service": name, "image": image})
    site.gateway.wait_ready(name, 1, Probe(f"/function/{name}"), timeout)


def test_the_second_run_changes_nothing_and_tells_no_secret(site: Site) -> None:
    before = secrets(site)
    output = site.play("site", options=("-vvv", "--diff"))
    assert changed(output) == 0
    assert secrets(site) == before
    assert [name for name, value in before.items() if value in output] == []


def test_check_mode_tells_the_truth(site: Site) -> None:
    assert changed(site.play("site", options=("--check",))) == 0
    names = site.names()
    # A file that somebody changed by hand: seen, with the reload that would follow, and left alone.
    site.ssh("haproxy", "sudo sed -i 's/^  maxconn .*/  maxconn 77/' /etc/haproxy/haproxy.cfg")
    assert changed(site.play("site", options=("--check",))) == 2
    assert "maxconn 77" in site.ssh("haproxy", "sudo cat /etc/haproxy/haproxy.cfg")
    # A machine more: it would be made.
    assert changed(site.play("site", options=("--check",), worker_count=3)) > 1
    assert site.names() == names
    assert changed(site.play("services")) > 0
    assert "maxconn 77" not in site.ssh("haproxy", "sudo cat /etc/haproxy/haproxy.cfg")


def test_grow_and_shrink(site: Site) -> None:
    site.play("site", worker_count=3)
    assert set(site.backends()) == {site.address(51), site.address(52), site.address(53)}
    assert wait_until(lambda: set(site.backends().values()) == {"UP"}, 60), site.backends()
    site.play("site")
    assert set(site.backends()) == set(site.workers)
    assert wait_until(lambda: set(site.backends().values()) == {"UP"}, 60), site.backends()
    assert f"{site.name}-docker-swarm-worker-3" not in site.names()
    assert changed(site.play("site")) == 0


def test_worker_killed_during_a_run(site: Site) -> None:
    site.experiment("worker-killed")
    victim = f"{site.name}-docker-swarm-worker-2"
    done = site.measure_while("worker-killed", "nodefunction", lambda: docker("kill", victim))
    assert done.returncode == 0, done.stdout
    broken, clean = site.runs("worker-killed")
    # Nothing is hidden: every request has its row, those that met the dead machine as errors.
    assert broken.total() == clean.total() == REQUESTS
    assert 0 < broken.total() - broken["200"] < REQUESTS / 2, broken
    # The replica that was on it runs elsewhere, before the next run begins.
    assert clean == Counter({"200": REQUESTS})
    assert [record["replicas_seen"]["before"] for record in site.records("worker-killed")] == [2, 2]

    site.play("site")
    assert wait_until(lambda: site.backends() == dict.fromkeys(site.workers, "UP"), 60), site.backends()


def test_load_balancer_restarted_during_a_run(site: Site) -> None:
    site.experiment("restarted")
    # Away for three seconds: at a hundred requests each, some meet it.
    restart = "sudo systemctl stop haproxy && sleep 3 && sudo systemctl start haproxy"
    done = site.measure_while("restarted", "nodefunction", lambda: site.ssh("haproxy", restart))
    assert done.returncode == 0, done.stdout
    broken, clean = site.runs("restarted")
    assert broken.total() == REQUESTS
    assert broken["0"] > 0, broken
    assert broken["200"] > REQUESTS / 2, broken
    assert clean == Counter({"200": REQUESTS})


def test_ftp_password_changed_during_a_run(site: Site) -> None:
    # Address and login come from the inventory. Fewer requests, since a wrong password makes its owner wait.
    requests = 300
    site.experiment("ftp", "ftpfunction", runs=1, number_of_requests=requests, rate=20)
    change = "echo ftpuser:another-password | sudo chpasswd"
    inspected: list[str] = []

    def look_and_change() -> None:
        services = "sudo docker service ls --quiet | xargs sudo docker service inspect"
        inspected.append(site.ssh("docker-swarm-manager-1", services))
        site.ssh("ftp", change)

    done = site.measure_while("ftp", "ftpfunction", look_and_change, after=100)
    assert done.returncode == 0, done.stdout
    # The function has it all the same: as a secret.
    assert secrets(site)["ftp-password"] not in inspected[0] + done.stdout
    assert '"SecretName": "ftp-password"' in inspected[0]
    (run,) = site.runs("ftp")
    # The function's own answer is what is recorded.
    assert set(run) == {"200", "502"}
    assert run.total() == requests
    # The role sets it right again.
    assert changed(site.play("services")) == 1


def test_wrong_ftp_password(site: Site) -> None:
    wrong = {"ftp_password": "not-the-password"}
    site.experiment("ftp-wrong", "ftpfunction", runs=1, environment=wrong, ready_timeout=15)
    done = site.measure("ftp-wrong")
    assert done.returncode != 0
    assert "ftpfunction: replicas are up but POST /function/ftpfunction answers 502" in done.stdout
    assert "the FTP server answered 530 to PASS" in done.stdout
    assert "not-the-password" not in done.stdout
    assert site.runs("ftp-wrong") == []


def test_registry_down(site: Site) -> None:
    image = site.image("warmfunction")
    site.ssh("bastion", "sudo systemctl stop docker-registry")
    # Said before anything is deployed, where an experiment looks for its images.
    site.experiment("registry-down", runs=1)
    done = site.measure("registry-down")
    assert done.returncode != 0
    errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]: ")]
    assert f"registry http://{site.address(4)}:5000 does not answer: " in errors[-1], errors
    assert site.runs("registry-down") == []
    # And where a worker pulls one that it never had.
    with pytest.raises(PlatformError, match=r"unpulled.*warmfunction"):
        deploy(site, "unpulled", image, timeout=40)
    # Both go on once it is back; the function by itself.
    site.play("site")
    site.gateway.wait_ready("unpulled", 1, Probe("/function/unpulled"), 120)
    site.gateway.delete("unpulled")
    assert site.measure("registry-down").returncode == 0
    assert site.runs("registry-down") == [Counter({"200": REQUESTS})]


def test_machines_deleted_by_hand(site: Site) -> None:
    for machine in ("haproxy", "docker-swarm-worker-1"):
        docker("rm", "--force", "--volumes", f"{site.name}-{machine}")
    assert site.healthy() == 0
    site.play("site")
    assert wait_until(lambda: site.backends() == dict.fromkeys(site.workers, "UP"), 60), site.backends()
    assert site.healthy() == 200
    assert changed(site.play("site")) == 0


@pytest.fixture
def deployed(site: Site) -> Iterator[str]:
    """A function that runs, by the name of its service."""
    deploy(site, "kept", site.image("nodefunction"), timeout=120)
    yield "kept"
    site.gateway.delete("kept")


def test_secrets_are_nowhere_else(site: Site, deployed: str) -> None:
    own = secrets(site)
    seen = site.ssh("docker-swarm-manager-1", f"sudo docker service inspect {deployed}")
    for machine in ("docker-swarm-worker-1", "docker-swarm-worker-2", "docker-swarm-manager-1"):
        # All containers: replicas of functions, gateways, Prometheus, agents.
        seen += site.ssh(machine, "sudo docker ps --all --quiet | xargs --no-run-if-empty sudo docker inspect")
        seen += site.ssh(machine, "sudo journalctl --no-pager; sudo cat /var/log/*.log 2>/dev/null || true")
    results = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(Path(site.base / "results").rglob("*"))
        if path.is_file()
    )
    assert [name for name, value in own.items() if value in seen] == []
    assert [name for name, value in own.items() if value in results] == []
