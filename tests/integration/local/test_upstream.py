"""OpenFaaS's own programs on a swarm, from a registry that has their images: FAAS_REGISTRY_HOST names it (host:port, in
plain HTTP when FAAS_REGISTRY_INSECURE=1). Without it only tests/unit/test_upstream_swarm.py looks at the flavour."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from clusterload import gateway_of, image_of, load, on, share_caches, stats_of, until
from locallab import Lab, changed

MIRROR = os.environ.get("FAAS_REGISTRY_HOST", "")
REGISTRY = "198.18.250.4:5000"
INPUTS = {
    "orchestrator": "swarm",
    "openfaas_flavor": "upstream",
    "faas_registry_host": MIRROR,
    "docker_insecure_registries": [REGISTRY, *([MIRROR] if os.environ.get("FAAS_REGISTRY_INSECURE") else [])],
    "manager_count": 1,
    "worker_count": 2,
    "cloud_local_services": ["bastion", "haproxy"],
    "functions_names": ["pythonfunction"],
}


@pytest.fixture(autouse=True)
def images() -> None:
    """Says what is not run, and why."""
    if not MIRROR:
        reason = "NOT RUN: OpenFaaS's own programs on Docker Swarm. no FAAS_REGISTRY_HOST with their images"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)


def test_upstream_on_a_swarm(lab: Lab, tmp_path: Path) -> None:
    share_caches(lab)
    lab.play("provision", "cluster", "openfaas", "services", **INPUTS)
    assert changed(lab.play("provision", "cluster", "openfaas", "services", **INPUTS)) == 0
    assert changed(lab.play("openfaas", options=("--check",), **INPUTS)) == 0

    services = on(lab, "manager-1", "docker", "service", "ls", "--format", "{{.Name}} {{.Replicas}} {{.Image}}")
    for line in services.splitlines():
        name, replicas, image = line.split()[:3]
        assert image.startswith(f"{REGISTRY}/"), f"{name} does not come from the environment's own registry"
        assert "@sha256:" in image
        assert replicas in ("1/1", "2/2"), f"{name}: {replicas}"

    gateway = gateway_of(lab)
    image = image_of(lab, "pythonfunction")
    zero = {"com.openfaas.scale.zero": "true"}
    gateway.deploy({"service": "echo", "image": image, "labels": zero})
    for count in (1, 10, 3):
        gateway.scale("echo", count)
        gateway.wait_ready("echo", count, None, 180)
    stats = stats_of(load(gateway, "echo", tmp_path / "run", users=5, number_of_requests=200), tmp_path / "run")
    assert (stats["count"], stats["errors"]) == (200, 0)

    # From zero, by a call.
    gateway.scale("echo", 0)
    gateway.wait_zero("echo", 60)
    assert gateway.call("GET", "/function/echo", timeout=60).status == 200
    # Through NATS Streaming and the queue worker.
    assert gateway.call("POST", "/async-function/echo", b"x").status == 202
    logs = ("docker", "service", "logs", "--raw", "openfaas_queue-worker")
    until(lambda: "[200]" in on(lab, "manager-1", "sh", "-c", " ".join(logs) + " 2>&1"))
    gateway.delete("echo")
    gateway.wait_gone("echo", 60)

    lab.play("openfaas", **INPUTS | {"openfaas_state": "absent"})
    assert on(lab, "manager-1", "docker", "service", "ls", "--quiet") == ""
    assert changed(lab.play("openfaas", **INPUTS | {"openfaas_state": "absent"})) == 0
