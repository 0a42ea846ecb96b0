"""Three managers under OpenFaaS, the leader dies under load; and a gateway dies that led the scaling."""

from __future__ import annotations

from pathlib import Path

from clusterload import gateway_of, image_of, load, on, share_caches, stats_of, until
from locallab import Lab, changed, docker

INPUTS = {
    "manager_count": 3,
    "worker_count": 2,
    "cloud_local_services": ["bastion", "haproxy"],
    "swarm_drain_managers": True,
    "functions_names": ["pythonfunction"],
}
MANAGERS = ("manager-1", "manager-2", "manager-3")


def leader(lab: Lab, asked: str) -> str:
    """The manager that the one asked holds for the leader; "" while there is none."""
    listed = on(lab, asked, "docker", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
    return next((line.split()[0] for line in listed.splitlines() if line.endswith("Leader")), "")


def replicas_on_managers(lab: Lab, asked: str) -> list[str]:
    """Tasks of services on managers."""
    names = [f"docker-swarm-{name}" for name in MANAGERS]
    return on(lab, asked, "docker", "node", "ps", "--quiet", "--filter", "desired-state=running", *names).split()


def leading_gateway(lab: Lab, asked: str) -> str:
    """The worker whose gateway leads: the one with the lowest task id."""
    command = ("docker", "service", "ps", "--no-trunc", "--filter", "desired-state=running")
    listed = on(lab, asked, *command, "--format", "{{.ID}} {{.Node}}", "openfaas_gateway")
    return min(line.split() for line in listed.splitlines())[1].removeprefix("docker-swarm-")


def test_a_leader_dies_under_load(lab: Lab, tmp_path: Path) -> None:
    share_caches(lab)
    lab.play("provision", "cluster", "openfaas", "services", **INPUTS)
    gateway = gateway_of(lab)
    image = image_of(lab, "pythonfunction")
    gateway.deploy({"service": "steady", "image": image, "labels": {"com.openfaas.scale.min": "4"}})
    gateway.wait_ready("steady", 4, None, 120)
    assert replicas_on_managers(lab, "manager-1") == []

    # 30 per second for 60 s; the leader dies after a while, and scaling and deploying go on without it.
    running = load(gateway, "steady", tmp_path / "hurt", users=20, rate=30, number_of_requests=1800)
    dead = leader(lab, "manager-1").removeprefix("docker-swarm-")
    alive = next(name for name in MANAGERS if name != dead)
    docker("kill", f"{lab.name}-docker-swarm-{dead}")
    gateway.scale("steady", 6)
    gateway.wait_ready("steady", 6, None, 120)
    gateway.deploy({"service": "young", "image": image})
    gateway.wait_ready("young", 1, None, 120)
    until(lambda: leader(lab, alive) not in ("", f"docker-swarm-{dead}"))
    hurt = stats_of(running, tmp_path / "hurt")
    assert hurt["count"] == 1800, "every request is in the rows, answered or not"
    assert hurt["errors"] == 0, "no request goes through a manager"

    clean = stats_of(load(gateway, "steady", tmp_path / "clean", users=5, number_of_requests=500), tmp_path / "clean")
    assert (clean["count"], clean["errors"]) == (500, 0)
    gateway.delete("steady")
    gateway.wait_gone("steady", 60)
    gateway.delete("young")

    # The scaler that leads has raised a function, and dies: the next one takes its replicas away again.
    labels = {"com.openfaas.scale.max": "6", "com.openfaas.scale.target": "2", "com.openfaas.scale.factor": "50"}
    gateway.deploy({"service": "busy", "image": image, "labels": labels})
    gateway.wait_ready("busy", 1, None, 120)
    running = load(gateway, "busy", tmp_path / "busy", users=20, rate=40, number_of_requests=1600)
    until(lambda: (gateway.get("busy") or gateway.list()[0]).replicas > 1)
    worker = leading_gateway(lab, alive)
    container = on(
        lab, worker, "docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=openfaas_gateway"
    )
    on(lab, worker, "docker", "kill", container)
    busy = stats_of(running, tmp_path / "busy")
    assert busy["count"] == 1600
    until(lambda: (gateway.get("busy") or gateway.list()[0]).replicas == 1)
    gateway.delete("busy")

    # The dead manager comes back by the command that made it, and nothing more is to be done then.
    lab.play("provision", "cluster", "openfaas", **INPUTS)
    assert changed(lab.play("provision", "cluster", "openfaas", **INPUTS)) == 0
    assert replicas_on_managers(lab, "manager-1") == []
