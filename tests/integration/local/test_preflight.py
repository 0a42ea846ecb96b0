"""What is wrong is said in one line, and before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from locallab import Lab, docker, run


@pytest.fixture(scope="module")
def foreign_image() -> Iterator[str]:
    """An image that is nobody's machine."""
    name = "pytest-local/foreign:1"
    docker("import", "--change", 'CMD ["/none"]', "/dev/null", name)
    yield name
    docker("image", "rm", "--force", name)


def refusal(lab: Lab, environment: dict[str, str] | None = None, **inputs: object) -> str:
    """The line with which provisioning refuses; nothing may have been made."""
    before = lab.names()
    done = lab.attempt("provision", environment=environment, **inputs)
    assert done.returncode != 0, done.stdout
    assert lab.names() == before
    assert not (lab.base / ".faas").exists()
    lines = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]: Task failed: Action failed: ")]
    return lines[-1].removeprefix("[ERROR]: Task failed: Action failed: ")


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({"orchestrator": "mesos"}, "inputs: orchestrator: found 'mesos', allowed: swarm, nomad, k8s"),
        (
            {"manager_count": 2},
            "inputs: manager_count: found 2, allowed: 1, 3 or 5 (a majority must be able to survive)",
        ),
        ({"worker_count": -1}, "inputs: worker_count: found -1, allowed: zero or more"),
        ({"worker_count": "many"}, "inputs: worker_count: found 'many', allowed: a whole number"),
        (
            {"cloud_local_subnet_cidr": "198.18.0.0/30"},
            "inputs: subnet_cidr: found '198.18.0.0/30', allowed: an IPv4 network of",
        ),
        ({"cloud_local_memory_needed_mb": 9_000_000}, "6 machines need about 54000000 MiB of memory, "),
    ],
)
def test_wrong_input(lab: Lab, inputs: dict[str, object], line: str):
    assert refusal(lab, **inputs).startswith(line)


def test_wrong_docker_host(lab: Lab):
    line = refusal(lab, environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert line.startswith("No Docker daemon answers at unix:///nowhere/docker.sock. Run `make lab` as root")


def test_keys_that_are_no_pair(lab: Lab, tmp_path: Path):
    for name in ("mine", "other"):
        assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)).returncode == 0
    line = refusal(lab, private_key=str(tmp_path / "mine"), public_key=str(tmp_path / "other.pub"))
    assert line.startswith(f"public_key: found {tmp_path}/other.pub, which belongs to another key, allowed: ")


def test_name_clash(lab: Lab, foreign_image: str):
    docker("create", "--name", f"{lab.name}-haproxy", foreign_image)
    try:
        line = refusal(lab)
    finally:
        docker("rm", "--force", f"{lab.name}-haproxy")
    assert line.startswith(
        f"Docker has containers of other owners under names of this environment: {lab.name}-haproxy."
    )


def test_address_clash(lab: Lab):
    docker("network", "create", "--subnet", "198.18.250.128/25", "pytest-local-clash")
    try:
        line = refusal(lab)
    finally:
        docker("network", "rm", "pytest-local-clash")
    assert line.startswith("cloud_local_subnet_cidr: 198.18.250.0/24 overlaps 198.18.250.128/25 on this machine.")
