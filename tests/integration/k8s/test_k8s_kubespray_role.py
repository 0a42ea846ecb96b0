"""Role kubernetes with installer kubespray, from nothing to nodes that leave and come.

Kubespray itself needs two gigabytes of upstream's files and images. In its place stands a checkout of the same outer
form (kubespray/), which makes a real cluster of the same machines: all that the role does around it is what runs here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from k8s_site import K8sSite
from locallab import ROOT, changed, run

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[K8sSite]:
    """Machines, and nothing on them yet."""
    assert run("tools/lab", "start").returncode == 0
    base = tmp_path_factory.mktemp("kubespray")
    (ROOT / ".cache").mkdir(exist_ok=True)
    (base / ".cache").symlink_to(ROOT / ".cache")
    # Apart from this repository, whose next commit would be another Kubespray.
    shutil.copytree(HERE / "kubespray", base / "checkout")
    (base / "checkout" / "installer").symlink_to(HERE)
    variables = {
        "env_name": "pytest-spray",
        "faas_state_dir": f"{base}/.faas/pytest-spray",
        "registry_address": "198.18.67.4:5000",
    }
    inputs = {
        "orchestrator": "k8s",
        "kubespray_dir": str(base / "checkout"),
        "kubernetes_kubespray_variables": variables,
        "cloud_local_services": ["bastion"],
    }
    one = K8sSite("pytest-spray", "198.18.67.0/24", base, inputs)
    try:
        one.play("provision")
        yield one
    finally:
        assert "0 remain" in one.play("teardown", confirm="yes")
    assert one.names() == []


def variables(lab: K8sSite, **more: str) -> dict[str, object]:
    """Kubespray's own variables, and some more."""
    own = lab.inputs["kubernetes_kubespray_variables"]
    assert isinstance(own, dict)
    return {**own, **more}


def ready(lab: K8sSite) -> list[str]:
    """Names of the nodes that are ready, as the bastion is told by the kubeconfig that is kept there."""
    text = lab.ssh("bastion", "sudo /opt/faas-exp/venv/bin/python3 - <<'END'\n" + ASK + "END")
    found: list[str] = json.loads(text)
    return found


ASK = """
import json
from kubernetes import client, config
config.load_kube_config("/root/.kube/config")
nodes = client.CoreV1Api().list_node().items
print(json.dumps(sorted(node.metadata.name for node in nodes if any(
    condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions))))
"""


def test_a_failure_half_way_is_quoted(lab: K8sSite) -> None:
    given = variables(lab, broken_mirror="http://mirror.invalid")
    done = lab.attempt("cluster", kubernetes_kubespray_variables=given)
    assert done.returncode != 0
    line = " ".join(done.stdout.split())
    assert "Kubespray failed: task 'Download what is needed' on k8s-worker-" in line
    assert "no answer from http://mirror.invalid (log: " in line
    assert "the same command goes on where it can" in line
    log = lab.base / ".faas" / lab.name / "kubespray.log"
    assert "Download what is needed" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o077 == 0


def test_the_same_command_goes_on_to_a_cluster(lab: K8sSite) -> None:
    output = lab.play("cluster")
    assert "Kubespray: 1 tasks in 0 min" in output
    assert ready(lab) == ["k8s-master-1", "k8s-worker-1", "k8s-worker-2"]
    kept = lab.base / ".faas" / lab.name / "kubeconfig"
    assert kept.stat().st_mode & 0o077 == 0
    assert f"https://{lab.address(31)}:6443" in kept.read_text(encoding="utf-8")
    key = next(line for line in kept.read_text().splitlines() if "client-key-data" in line).split()[-1]
    assert key not in output


def test_kubespray_is_not_started_where_nothing_has_changed(lab: K8sSite) -> None:
    log = lab.base / ".faas" / lab.name / "kubespray.log"
    before = log.stat().st_mtime_ns
    again = lab.play("cluster")
    assert changed(again) == 0
    assert "Kubespray: " not in again
    assert log.stat().st_mtime_ns == before
    assert changed(lab.play("cluster", options=("--check",))) == 0


def test_a_worker_leaves_and_comes_back(lab: K8sSite) -> None:
    lab.play("provision", "cluster", worker_count=1)
    assert ready(lab) == ["k8s-master-1", "k8s-worker-1"]
    assert f"{lab.name}-k8s-worker-2" not in lab.names()
    lab.play("provision", "cluster")
    assert ready(lab) == ["k8s-master-1", "k8s-worker-1", "k8s-worker-2"]
    assert changed(lab.play("cluster")) == 0


def test_a_master_does_not_leave(lab: K8sSite) -> None:
    # Three masters can't become one by taking machines away: they are asked first.
    lab.play("provision", master_count=3)
    done = lab.attempt("provision")
    assert done.returncode != 0
    assert "is a master; fewer masters need a new cluster" in " ".join(done.stdout.split())
    assert f"{lab.name}-k8s-master-3" in lab.names()
