"""What breaks on Kubernetes is recorded and healed; what can't be had is said, and why."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from k8s_site import K8sSite
from locallab import Lab, changed, docker
from site_lab import REQUESTS
from test_preflight import refusal
from test_site_faults import wait_until


def said(output: str) -> str:
    """Output as one line."""
    return " ".join(output.split())


def settled(site: K8sSite) -> Callable[[], bool]:
    """Whether the load balancer sees a gateway on every worker."""
    return lambda: site.backends() == dict.fromkeys(site.workers, "UP")


def test_worker_lost_during_a_run(site: K8sSite) -> None:
    site.experiment("worker-lost", ready_timeout=300)
    done = site.measure_while("worker-lost", "nodefunction", lambda: docker("kill", f"{site.name}-k8s-worker-2"))
    assert done.returncode == 0, done.stdout
    broken, clean = site.runs("worker-lost")
    # Nothing is hidden: every request has its row, those that met the dead machine as errors.
    assert broken.total() == clean.total() == REQUESTS
    assert broken["200"] > REQUESTS / 2, broken
    # The pod that was on it runs elsewhere, before the next run begins.
    assert clean == Counter({"200": REQUESTS})
    assert [record["replicas_seen"]["before"] for record in site.records("worker-lost")] == [2, 2]

    site.play("site")
    assert wait_until(settled(site), 120), site.backends()
    assert changed(site.play("site")) == 0


def test_what_the_platform_saw_of_a_run(site: K8sSite) -> None:
    site.experiment("seen", runs=1)
    done = site.measure("seen")
    assert done.returncode == 0, done.stdout
    (path,) = (site.base / "results" / "seen").rglob("metrics.json")
    metrics = json.loads(path.read_text())
    assert "error" not in metrics
    series = metrics["series"]
    assert {value for one in series["gateway_service_count"] for _, value in one["values"]} >= {2}
    (good,) = (one for one in series["gateway_requests_per_second"] if one["labels"] == {"code": "200"})
    # A hundred per second for half a minute, over the gateways of both workers.
    assert max(value for _, value in good["values"]) > 10
    assert {one["labels"]["machine"] for one in series["node_cpu_pct"]} == {"k8s-worker-1", "k8s-worker-2"}


def test_the_ftp_password_is_a_secret(site: K8sSite) -> None:
    # Address and login come from the inventory.
    site.experiment("ftp", "ftpfunction", runs=1)
    looked: list[str] = []

    def look() -> None:
        (deployment,) = site.objects("deployments", "openfaas-fn")
        pods = site.objects("pods", "openfaas-fn")
        looked.append(json.dumps([deployment, pods]))
        (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
        assert volume["projected"]["sources"] == [{"secret": {"name": "ftp-password"}}]

    done = site.measure_while("ftp", "ftpfunction", look)
    assert done.returncode == 0, done.stdout
    # The function has it: it logs in.
    assert site.runs("ftp") == [Counter({"200": REQUESTS})]
    password = site.secret("ftp-password")
    results = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in (site.base / "results").rglob("*")
        if path.is_file()
    )
    assert password not in looked[0] + done.stdout + results


def test_an_image_that_is_not_there(site: K8sSite) -> None:
    missing = f"{site.address(4)}:5000/faas-exp/missing:1"
    # It gives up long before this time, which a platform that says nothing would be given.
    site.experiment("missing", runs=1, ready_timeout=840)
    done = site.attempt("experiment", experiment="missing.yml", experiment_images={"nodefunction": missing})
    assert done.returncode != 0
    assert "nodefunction: 0 of 2 replicas are up" in said(done.stdout)
    assert "faas-exp/missing:1" in said(done.stdout)
    assert any(word in done.stdout for word in ("ErrImagePull", "ImagePullBackOff"))
    assert site.runs("missing") == []
    assert site.objects("deployments", "openfaas-fn") == []


def test_replicas_that_do_not_fit_are_counted(site: K8sSite) -> None:
    # One fits each worker, and no second one beside it.
    big = {"requests": {"cpu": f"{(os.cpu_count() or 1) * 600}m"}, "image": site.image("nodefunction")}
    stack = {"version": "1.0", "functions": {"nodefunction": {"lang": "dockerfile", "handler": "./none", **big}}}
    (site.base / "big-stack.yml").write_text(yaml.safe_dump(stack), encoding="utf-8")
    path = site.experiment("big", runs=1, replicas=[3], ready_timeout=60)
    experiment = yaml.safe_load(path.read_text(encoding="utf-8"))
    experiment["functions"][0]["yaml_path"] = "big-stack.yml"
    path.write_text(yaml.safe_dump(experiment), encoding="utf-8")
    done = site.measure("big")
    assert done.returncode != 0
    assert "2 of 3 replicas fit the cluster: " in said(done.stdout)
    assert "Insufficient cpu" in said(done.stdout)
    assert site.runs("big") == []


def test_the_cluster_of_the_kubeconfig_is_gone(site: K8sSite, tmp_path: Path) -> None:
    before = site.ssh("bastion", "sudo sha256sum /root/.kube/config")
    # The bastion's own loopback, where nothing listens.
    server = "https://127.0.0.1:1"
    gone = yaml.safe_load(site.given.read_text(encoding="utf-8"))
    gone["clusters"][0]["cluster"]["server"] = server
    (tmp_path / "gone").write_text(yaml.safe_dump(gone), encoding="utf-8")
    done = site.attempt("cluster", kubeconfig=str(tmp_path / "gone"))
    assert done.returncode != 0
    assert f"The cluster at {server} does not answer the bastion (kubeconfig {tmp_path}/gone)" in said(done.stdout)
    # What was known is kept.
    assert site.ssh("bastion", "sudo sha256sum /root/.kube/config") == before
    assert changed(site.play("cluster")) == 0


def test_the_kubeconfig_lets_nobody_in(site: K8sSite, tmp_path: Path) -> None:
    before = site.ssh("bastion", "sudo sha256sum /root/.kube/config")
    stranger = yaml.safe_load(site.given.read_text(encoding="utf-8"))
    stranger["users"][0]["user"] = {"token": "wrong-token"}
    (tmp_path / "stranger").write_text(yaml.safe_dump(stranger), encoding="utf-8")
    done = site.attempt("cluster", kubeconfig=str(tmp_path / "stranger"))
    assert done.returncode != 0
    assert "does not let us in" in said(done.stdout)
    assert "Unauthorized" in said(done.stdout)
    assert "wrong-token" not in done.stdout
    assert site.ssh("bastion", "sudo sha256sum /root/.kube/config") == before


def test_a_worker_leaves_and_another_comes(site: K8sSite) -> None:
    site.play("site", worker_count=1)
    assert [node["metadata"]["name"] for node in site.objects("nodes", "default")] == ["k8s-master-1", "k8s-worker-1"]
    assert set(site.backends()) == {site.address(179)}
    assert f"{site.name}-k8s-worker-2" not in site.names()
    site.make_cluster()
    site.play("site")
    assert wait_until(settled(site), 120), site.backends()
    assert len(site.objects("nodes", "default")) == 3


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({"master_count": 2}, "inputs: master_count: found 2, allowed: 1, 3 or 5 (a majority must be able to survive)"),
        ({"kube_version": "newest"}, "inputs: kube_version: found newest, allowed: three numbers as 1.34.3, or empty"),
        (
            {"kubernetes_installer": "existing"},
            "inputs: kubeconfig: found nothing, allowed: a file on the controller that leads to the existing cluster",
        ),
        (
            {"kubernetes_installer": "existing", "kubeconfig": "/nonexistent/config"},
            "inputs: kubeconfig: found /nonexistent/config, allowed: a file on the controller",
        ),
    ],
)
def test_wrong_input_before_a_machine_is_made(tmp_path: Path, inputs: dict[str, object], line: str) -> None:
    lab = Lab("pytest-k8s-input", "198.18.68.0/24", tmp_path)
    assert refusal(lab, orchestrator="k8s", **inputs).startswith(line)
