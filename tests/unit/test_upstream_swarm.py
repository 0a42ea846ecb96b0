"""Flavour upstream on Swarm without its images: what would be pulled, and what would run with which settings.

With the images themselves: tests/integration/local/test_upstream.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from played import played

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles" / "openfaas"
BIN = Path(sys.executable).parent
DIGEST = "sha256:" + "a" * 64
PARTS = ("basic-auth", "nats-streaming", "faas-swarm", "gateway", "queue-worker", "faas-idler")

PLAY = """
- hosts: manager
  connection: local
  gather_facts: false
  vars_files:
    - {role}/defaults/main.yml
    - {role}/vars/main.yml
    - {role}/vars/artefacts.yml
    - {role}/vars/swarm_upstream.yml
  vars:
    openfaas_secrets:
      results:
        - {{item: basic-auth-user, secret_name: openfaas_basic-auth-user_v1, secret_id: id1}}
        - {{item: basic-auth-password, secret_name: openfaas_basic-auth-password_v1, secret_id: id2}}
    openfaas_alertmanager_config: {{config_name: openfaas_alertmanager_v1, config_id: id3}}
    openfaas_api: {{stdout: "{api}"}}
    openfaas_ipvs: {{stat: {{exists: {ipvs}}}}}
  tasks:
    - ansible.builtin.set_fact:
        openfaas_ipvs: "{{{{ openfaas_ipvs }}}}"
    - ansible.builtin.copy:
        dest: {out}
        mode: "0600"
        content: "{{{{ rendered | to_json }}}}"
      vars:
        rendered:
          copies: "{{{{ openfaas__upstream_copies | from_yaml }}}}"
          services: "{{{{ openfaas__swarm_upstream }}}}"
          secrets: "{{{{ openfaas_secret_files }}}}"
          prometheus: "{{{{ lookup('ansible.builtin.template', '{role}/templates/prometheus.yml.j2') }}}}"
          alertmanager: "{{{{ lookup('ansible.builtin.template', '{role}/templates/alertmanager.yml.j2') }}}}"
          rules: "{{{{ lookup('ansible.builtin.template', '{role}/templates/alert.rules.yml.j2') }}}}"
"""


def rendered(tmp_path: Path, api: str = "1.12", ipvs: bool = False, **inputs: Any) -> dict[str, Any]:
    """What the role would copy and run."""
    play, out = tmp_path / "play.yml", tmp_path / "out.json"
    play.write_text(PLAY.format(role=ROLE, out=out, api=api, ipvs=str(ipvs).lower()), encoding="utf-8")
    inventory = {
        "manager": {"hosts": {"manager": {}}},
        "swarm_workers": {"hosts": {"w1": {"private_ip": "192.0.2.51", "machine_name": "worker-1"}}},
        "registry": {"hosts": {"r": {"openfaas_upstream": {name: f"r:5000/{name}@{DIGEST}" for name in PARTS}}}},
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": inventory}}), encoding="utf-8")
    given = {
        "orchestrator": "swarm",
        "openfaas_flavor": "upstream",
        "faas_registry_host": "",
        "faas_state_dir": str(tmp_path),
        "faas_base_dir": str(tmp_path),
        "openfaas_user": "admin",
        "openfaas_backend_port": 8080,
        "prometheus_backend_port": 9090,
        "openfaas_prometheus_image": f"r:5000/prometheus@{DIGEST}",
        "ansible_python_interpreter": sys.executable,
        "role_path": str(ROLE),
        **inputs,
    }
    played(tmp_path, given)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def test_what_runs(tmp_path: Path) -> None:
    found = rendered(tmp_path)
    services = {service["name"]: service for service in found["services"]}
    assert list(services) == [
        "basic-auth",
        "nats",
        "faas-swarm",
        "gateway",
        "queue-worker",
        "alertmanager",
        "faas-idler",
    ]
    for service in services.values():
        assert re.search(r"@sha256:[0-9a-f]{64}\Z", service["image"]), f"{service['name']} is not pinned"
        assert all(isinstance(value, str) for value in service.get("env", {}).values()), service
    gateway = services["gateway"]
    assert gateway["mode"] == "global", "one behind HAProxy on every worker"
    assert gateway["publish"] == [{"mode": "host", "published_port": 8080, "target_port": 8080}]
    assert gateway["constraints"] == ["node.role==worker"]
    assert gateway["env"]["functions_provider_url"] == "http://openfaas_faas-swarm:8080/"
    assert gateway["env"]["auth_proxy_url"] == "http://openfaas_basic-auth:8080/validate"
    assert gateway["env"]["faas_nats_address"] == "openfaas_nats"
    assert services["faas-swarm"]["mounts"] == [
        {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"}
    ]
    with_password = [name for name, service in services.items() if service.get("secrets")]
    assert with_password == ["basic-auth", "faas-swarm", "gateway", "queue-worker", "alertmanager", "faas-idler"]
    assert [(item["filename"], item["mode"]) for item in found["secrets"]] == [
        ("basic-auth-user", 0o444),
        ("basic-auth-password", 0o444),
    ]
    # Every name that a service is told is one that another service has.
    told = {host for service in found["services"] for host in re.findall(r"openfaas_([\w-]+)", str(service.get("env")))}
    assert told - {"prometheus"} <= services.keys()


def test_what_prometheus_and_alertmanager_are_told(tmp_path: Path) -> None:
    found = rendered(tmp_path)
    prometheus = yaml.safe_load(found["prometheus"])
    gateway = next(job for job in prometheus["scrape_configs"] if job["job_name"] == "gateway")
    assert gateway["dns_sd_configs"][0]["names"] == ["tasks.openfaas_gateway"]
    assert gateway["dns_sd_configs"][0]["port"] == 8082, "upstream's gateway has its metrics apart"
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["openfaas_alertmanager:9093"]
    rule = yaml.safe_load(found["rules"])["groups"][0]["rules"][0]
    assert rule["alert"] == "APIHighInvocationRate"
    assert rule["annotations"]["summary"] == "High invocation rate on {{ $labels.function_name }}"
    hook = yaml.safe_load(found["alertmanager"])["receivers"][0]["webhook_configs"][0]
    assert hook["url"] == "http://openfaas_gateway:8080/system/alert"
    assert hook["http_config"]["basic_auth"] == {
        "username": "admin",
        "password_file": "/run/secrets/basic-auth-password",
    }


@pytest.mark.parametrize(
    ("ipvs", "given", "dnsrr"),
    [(False, "auto", "true"), (True, "auto", "false"), (True, "always", "true"), (False, "never", "false")],
)
def test_addresses_by_what_the_kernel_has(tmp_path: Path, ipvs: bool, given: str, dnsrr: str) -> None:
    found = rendered(tmp_path, ipvs=ipvs, openfaas_dnsrr=given)
    provider = next(service for service in found["services"] if service["name"] == "faas-swarm")
    assert provider["env"]["dnsrr"] == dnsrr


@pytest.mark.parametrize(("engine", "spoken"), [("1.12", "1.30"), ("1.24", "1.30"), ("1.44", "1.44")])
def test_the_api_is_one_that_both_speak(tmp_path: Path, engine: str, spoken: str) -> None:
    found = rendered(tmp_path, api=engine)
    provider = next(service for service in found["services"] if service["name"] == "faas-swarm")
    assert provider["env"]["DOCKER_API_VERSION"] == spoken


def test_what_is_pulled_from_where(tmp_path: Path) -> None:
    copies = {copy["name"]: copy for copy in rendered(tmp_path)["copies"]}
    assert sorted(copies) == sorted(PARTS)
    assert copies["gateway"]["source"] == "ghcr.io/openfaas/gateway:0.20.12"
    assert copies["gateway"]["target"] == "openfaas/gateway:0.20.12"
    assert re.fullmatch(
        r"docker\.io/library/nats-streaming:[\w.-]+@sha256:[0-9a-f]{64}", copies["nats-streaming"]["source"]
    ), "what is known to be the published one is asked for by digest"
    assert copies["nats-streaming"]["target"].startswith("nats-streaming:")


def test_a_mirror_serves_every_image(tmp_path: Path) -> None:
    copies = rendered(tmp_path, faas_registry_host="mirror.example:5000")["copies"]
    assert {copy["source"] for copy in copies} == {f"mirror.example:5000/{copy['target']}" for copy in copies}


def test_an_image_of_ones_own_is_another_copy(tmp_path: Path) -> None:
    own = rendered(tmp_path, openfaas_upstream_images={"gateway": "example.org/gw:1"})["copies"]
    gateway = next(copy for copy in own if copy["name"] == "gateway")
    assert gateway["source"] == "example.org/gw:1"
    assert re.fullmatch(r"upstream/gateway:[0-9a-f]{12}", gateway["target"])


def test_what_is_not_wanted_is_neither_pulled_nor_run(tmp_path: Path) -> None:
    found = rendered(tmp_path, openfaas_async=False, openfaas_idler=False)
    assert sorted(copy["name"] for copy in found["copies"]) == ["basic-auth", "faas-swarm", "gateway"]
    wanted = [service["name"] for service in found["services"] if service["wanted"]]
    assert wanted == ["basic-auth", "faas-swarm", "gateway", "alertmanager"]
    gateway = next(service for service in found["services"] if service["name"] == "gateway")
    assert "faas_nats_address" not in gateway["env"], "it would end when nobody answers there"


@pytest.mark.parametrize("orchestrator", ["embedded", "mesos"])
def test_an_orchestrator_without_the_flavour_is_named(tmp_path: Path, orchestrator: str) -> None:
    play = tmp_path / "play.yml"
    play.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.include_role: {name: faas.exp.openfaas, tasks_from: check}\n",
        encoding="utf-8",
    )
    given = {"orchestrator": orchestrator, "openfaas_flavor": "upstream", "ansible_python_interpreter": sys.executable}
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(play), "-e", json.dumps(given)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
    )
    assert done.returncode != 0
    assert f"openfaas_flavor: found upstream, allowed with orchestrator {orchestrator}: portable" in done.stdout


def test_what_the_registry_has_is_named_by_its_digest_there(tmp_path: Path) -> None:
    """Nothing is missing, so nothing is pulled."""

    class Registry(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/v2/openfaas/gateway/manifests/0.20.12" else 404)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    registry = f"127.0.0.1:{server.server_port}"
    play = tmp_path / "play.yml"
    play.write_text(
        f"""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {{name: faas.exp.functions, tasks_from: copies}}
      vars:
        functions_copies: [{{name: gateway, source: nowhere.invalid/gateway, target: "openfaas/gateway:0.20.12"}}]
    - ansible.builtin.copy:
        content: "{{{{ functions_copied | to_json }}}}"
        dest: {tmp_path}/out.json
        mode: "0600"
""",
        encoding="utf-8",
    )
    given = {
        "registry_address": registry,
        "ansible_python_interpreter": sys.executable,
        "faas_base_dir": str(tmp_path),
        "faas_apt_mirror": "",
        "faas_registry_host": "",
    }
    try:
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(play), "-e", json.dumps(given)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            cwd=ROOT,
        )
    finally:
        server.shutdown()
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == {
        "gateway": f"{registry}/openfaas/gateway@{DIGEST}"
    }
