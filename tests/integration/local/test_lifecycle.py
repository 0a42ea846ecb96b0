"""A lab is made, made again, broken, healed, grown, shrunk and deleted."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import yaml
from locallab import Lab, changed, docker, run

SMALL = {"cloud_local_services": ["bastion"], "worker_count": 1}


def nodes(lab: Lab) -> list[str]:
    """What the manager says of the swarm's nodes."""
    said = lab.ssh("docker-swarm-manager-1", "sudo docker node ls --format '{{.Hostname}} {{.Status}}'")
    return sorted(said.split("\n"))


def test_a_lab_lives_and_is_gone(lab: Lab, tmp_path: Path):
    # With a key that its user has already, whose public half is not beside it.
    key = tmp_path / "mine"
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)).returncode == 0
    key.with_suffix(".pub").unlink()
    before_all = key.read_bytes()
    lab = replace(lab, inputs={"private_key": str(key)})
    first = lab.play("provision", "cluster", **SMALL)
    state = lab.base / ".faas" / lab.name
    assert lab.names() == [
        f"faas-exp-{lab.name}",
        *(f"{lab.name}-{name}" for name in ("bastion", "docker-swarm-manager-1", "docker-swarm-worker-1")),
    ]
    outputs = yaml.safe_load((lab.base / "results" / lab.name / "outputs.yml").read_text())
    assert outputs["floating_ip"] == "198.18.250.4"
    assert outputs["swarm"] == {"manager-ips": ["198.18.250.11"], "worker-ips": ["198.18.250.51"]}

    tokens_file = state / "secrets" / "swarm-tokens.yml"
    tokens = yaml.safe_load(tokens_file.read_text())
    assert stat.S_IMODE(tokens_file.stat().st_mode) == 0o600

    second = lab.play("provision", "cluster", options=("-vv", "--diff"), **SMALL)
    assert changed(second) == 0
    checked = lab.play("provision", "cluster", options=("--check",), **SMALL)
    assert changed(checked) == 0
    for token in tokens.values():
        assert token not in first + second + checked
    assert yaml.safe_load(tokens_file.read_text()) == tokens

    # A machine deleted by hand comes back under its name and address, in a swarm that has forgotten the old one.
    docker("rm", "--force", "--volumes", f"{lab.name}-docker-swarm-worker-1")
    lab.play("provision", "cluster", **SMALL)
    assert nodes(lab) == ["docker-swarm-manager-1 Ready", "docker-swarm-worker-1 Ready"]

    # A machine that was only stopped is started.
    docker("stop", "--time", "1", f"{lab.name}-docker-swarm-worker-1")
    lab.play("provision", "cluster", **SMALL)
    assert nodes(lab) == ["docker-swarm-manager-1 Ready", "docker-swarm-worker-1 Ready"]

    lab.play("provision", "cluster", **SMALL | {"worker_count": 2})
    assert nodes(lab) == ["docker-swarm-manager-1 Ready", "docker-swarm-worker-1 Ready", "docker-swarm-worker-2 Ready"]
    lab.play("provision", "cluster", **SMALL)
    assert nodes(lab) == ["docker-swarm-manager-1 Ready", "docker-swarm-worker-1 Ready"]
    assert f"{lab.name}-docker-swarm-worker-2" not in lab.names()

    # Another environment is another's, and an unanswered question is a no.
    refused = lab.attempt("teardown")
    assert refused.returncode != 0
    assert "Not confirmed, nothing was deleted. Without a terminal: -e confirm=yes" in refused.stdout
    before = lab.names()
    Lab("pytest-other", lab.subnet, lab.base).play("teardown", confirm=True)
    assert lab.names() == before

    gone = lab.play("teardown", confirm=True)
    assert f"{lab.name}: 3 machines and 1 networks deleted, 0 remain" in gone
    assert lab.names() == []
    assert not state.exists()
    assert key.read_bytes() == before_all
