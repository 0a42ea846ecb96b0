"""Flavour upstream on Kubernetes without its images: what would be pulled, and what would run with which settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from played import played

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles" / "openfaas"
BIN = Path(sys.executable).parent
DIGEST = "sha256:" + "a" * 64
PARTS = ("basic-auth", "nats-streaming", "faas-netes", "gateway", "queue-worker", "faas-idler")
TEMPLATES = (
    "upstream_rights",
    "upstream_profiles",
    "upstream_services",
    "upstream_gateway",
    "upstream_beside",
    "prometheus",
)
ADDRESSES = {"gateway": "10.96.0.1", "prometheus": "10.96.0.2", "nats": "10.96.0.3"}

PLAY = """
- hosts: bastion
  connection: local
  gather_facts: false
  vars_files:
    - {role}/defaults/main.yml
    - {role}/vars/main.yml
    - {role}/vars/artefacts.yml
    - {role}/vars/k8s.yml
    - {role}/vars/k8s_upstream.yml
  tasks:
    - ansible.builtin.copy:
        dest: {out}
        mode: "0600"
        content: "{{{{ rendered | to_json }}}}"
      vars:
        rendered:
          copies: "{{{{ openfaas__upstream_copies | from_yaml }}}}"
          manifests: {manifests}
"""


def rendered(tmp_path: Path, **inputs: Any) -> dict[str, Any]:
    """What the role would copy (``copies``), and apply, by kind and name."""
    play, out = tmp_path / "play.yml", tmp_path / "out.json"
    (tmp_path / "templates").symlink_to(ROLE / "templates")
    manifests = {name: "{{ lookup('ansible.builtin.template', 'k8s/" + name + ".yml.j2') }}" for name in TEMPLATES}
    play.write_text(PLAY.format(role=ROLE, out=out, manifests=json.dumps(manifests)), encoding="utf-8")
    services = [{"metadata": {"name": name}, "spec": {"clusterIP": ip}} for name, ip in ADDRESSES.items()]
    inventory = {
        "bastion": {"hosts": {"bastion": {}}},
        "k8s_workers": {"hosts": {"w1": {"private_ip": "192.0.2.51", "machine_name": "worker-1"}}},
        "registry": {"hosts": {"r": {"openfaas_upstream": {name: f"r:5000/{name}@{DIGEST}" for name in PARTS}}}},
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": inventory}}), encoding="utf-8")
    given = {
        "orchestrator": "k8s",
        "openfaas_flavor": "upstream",
        "faas_registry_host": "",
        "registry_address": "r:5000",
        "faas_state_dir": str(tmp_path),
        "faas_base_dir": str(tmp_path),
        "openfaas_user": "admin",
        "openfaas_password": "sesame",
        "openfaas_backend_port": 80,
        "backend_ips": ["192.0.2.51"],
        "prometheus_backend_port": 9090,
        "openfaas_prometheus_image": f"r:5000/prometheus@{DIGEST}",
        "openfaas_services": {"resources": services},
        "ansible_python_interpreter": sys.executable,
        "role_path": str(ROLE),
        **inputs,
    }
    played(tmp_path, given)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert "sesame" not in json.dumps(found)
    for text in found["manifests"].values():
        for item in yaml.safe_load_all(text):
            if item:
                found[f"{item['kind']}/{item['metadata']['name']}"] = item
    return found


def containers(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A pod's containers by name, their environment as a mapping."""
    found = {one["name"]: one for one in item["spec"]["template"]["spec"]["containers"]}
    for one in found.values():
        one["env"] = {entry["name"]: entry["value"] for entry in one.get("env", [])}
    return found


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return rendered(tmp_path_factory.mktemp("usual"))


def test_what_is_pulled(usual: dict[str, Any]) -> None:
    sources = {copy["name"]: copy["source"] for copy in usual["copies"]}
    assert set(sources) == set(PARTS)
    assert sources["faas-netes"] == "ghcr.io/openfaas/faas-netes:0.13.2", "the last before replicas were capped"
    assert sources["gateway"] == "ghcr.io/openfaas/gateway:0.20.12"


def test_a_gateways_pod_reaches_its_own_parts(usual: dict[str, Any]) -> None:
    parts = containers(usual["DaemonSet/gateway"])
    assert list(parts) == ["gateway", "faas-netes", "basic-auth"]
    gateway = parts["gateway"]
    assert {port["name"]: port["hostPort"] for port in gateway["ports"]} == {"http": 80, "metrics": 8082}
    assert gateway["env"]["functions_provider_url"] == f"http://127.0.0.1:{parts['faas-netes']['env']['port']}/"
    assert gateway["env"]["auth_proxy_url"] == f"http://127.0.0.1:{parts['basic-auth']['env']['port']}/validate"
    assert gateway["env"]["faas_nats_address"] == ADDRESSES["nats"]
    assert gateway["env"]["faas_prometheus_host"] == ADDRESSES["prometheus"]
    assert gateway["env"]["scale_from_zero"] == "true"
    for part in parts.values():
        assert part["image"].endswith(DIGEST)
        assert part["securityContext"]["readOnlyRootFilesystem"]


def test_its_account_looks_after_functions_and_nothing_else(usual: dict[str, Any]) -> None:
    account = usual["DaemonSet/gateway"]["spec"]["template"]["spec"]["serviceAccountName"]
    bindings = [item for name, item in usual.items() if name.startswith("RoleBinding/")]
    assert {(item["metadata"]["namespace"], item["subjects"][0]["name"]) for item in bindings} == {
        ("openfaas-fn", account),
        ("openfaas", account),
    }
    assert not [name for name in usual if name.startswith("Cluster")]
    (rule,) = usual["Role/openfaas-profiles"]["rules"]
    assert rule["verbs"] == ["get", "list", "watch"]


def test_alerts_reach_the_gateway(usual: dict[str, Any]) -> None:
    data = usual["ConfigMap/prometheus"]["data"]
    prometheus = yaml.safe_load(data["prometheus.yml"])
    assert prometheus["rule_files"] == ["/etc/prometheus-configuration/alert.rules.yml"]
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": ["192.0.2.51:8082"]}]
    rules = yaml.safe_load(data["alert.rules.yml"])
    assert "> 5" in rules["groups"][0]["rules"][0]["expr"]
    receiver = yaml.safe_load(data["alertmanager.yml"])["receivers"][0]["webhook_configs"][0]
    assert receiver["url"] == f"http://{ADDRESSES['gateway']}:8080/system/alert"
    (target,) = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert f"--web.listen-address={target}" in containers(usual["Deployment/prometheus"])["alertmanager"]["args"]


def test_what_stands_beside_it(usual: dict[str, Any], tmp_path: Path) -> None:
    assert {name for name in usual if name.startswith("Deployment/")} == {
        "Deployment/nats",
        "Deployment/queue-worker",
        "Deployment/faas-idler",
        "Deployment/prometheus",
    }
    worker = containers(usual["Deployment/queue-worker"])["queue-worker"]["env"]
    assert (worker["faas_nats_address"], worker["faas_gateway_address"]) == (ADDRESSES["nats"], ADDRESSES["gateway"])
    less = rendered(tmp_path, openfaas_async=False, openfaas_idler=False)
    assert {name for name in less if name.startswith(("Deployment/", "Service/"))} == {
        "Deployment/prometheus",
        "Service/gateway",
        "Service/prometheus",
    }
    assert "faas_nats_address" not in containers(less["DaemonSet/gateway"])["gateway"]["env"]


def test_ones_own_environment_wins(tmp_path: Path) -> None:
    own = {"faas-idler": {"inactivity_duration": "15m"}, "faas-netes": {"readiness_probe_period_seconds": "1"}}
    found = rendered(tmp_path, openfaas_upstream_environment=own)
    assert containers(found["Deployment/faas-idler"])["faas-idler"]["env"]["inactivity_duration"] == "15m"
    assert containers(found["DaemonSet/gateway"])["faas-netes"]["env"]["readiness_probe_period_seconds"] == "1"
