"""Configurations of Consul and Nomad for every version that the roles know, read by a parser of their language."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from played import played

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NOMAD = ["0.8.4", "1.0.0", "1.6.4"]
CONSUL = ["1.2.0", "1.8.7", "1.16.3"]
HOSTS = {
    "server-1": "198.18.0.21",
    "server-2": "198.18.0.22",
    "server-3": "198.18.0.23",
    "client-1": "198.18.0.115",
}
UPSTREAM = {
    "openfaas__upstream": {
        name: f"registry:5000/{name}@sha256:0"
        for name in ("gateway", "basic-auth", "faas-nomad", "statsd-exporter", "nats-streaming", "queue-worker")
    },
    "openfaas__nomad_clients": ["client-1"],
    "openfaas__nomad_region": "global",
    "openfaas__nomad_store": "faas-exp/openfaas",
    "openfaas_backend_port": 8080,
    "openfaas__alert_url": "http://127.0.0.1:8080/system/alert",
    "openfaas_prometheus_port": 9090,
    "openfaas_prometheus_image": "registry:5000/prometheus@sha256:0",
    "openfaas_prometheus_interval": "5s",
    "openfaas_prometheus_retention": "15d",
    "openfaas_node_metrics": True,
    "openfaas_user": "admin",
    "openfaas_gateway_environment": {"read_timeout": "5m5s", "write_timeout": "5m5s"},
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every configuration, by Ansible itself: ``<host>-nomad-<version>.hcl``, ``<host>-consul-<version>.hcl``."""
    folder = tmp_path_factory.mktemp("configs")
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in ("consul-gossip-key", "nomad-gossip-key", "consul-nomad-token"):
        (secrets / name).write_text(f"the-{name}", encoding="utf-8")
    for name in ("consul-management-token", "consul-agent-token"):
        (secrets / name).write_text(f"the-{name}", encoding="utf-8")
    inventory = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "faas_state_dir": str(folder),
                "out": str(folder),
            },
            "hosts": {host: {"private_ip": address, "machine_name": host} for host, address in HOSTS.items()},
            "children": {
                "nomad_control": {"hosts": {host: {} for host in HOSTS if host.startswith("server")}},
                "nomad_workers": {"hosts": {host: {} for host in HOSTS if host.startswith("client")}},
            },
        }
    }
    tasks = []
    for role, versions in (("nomad", NOMAD), ("consul", CONSUL)):
        for version in versions:
            version_name = "nomad_version" if role == "nomad" else "consul__version"
            tasks.append(
                {
                    "name": f"{role} {version}",
                    "ansible.builtin.template": {
                        "src": str(ROOT / "roles" / role / "templates" / f"{role}.hcl.j2"),
                        "dest": "{{ out }}/{{ inventory_hostname }}-" + f"{role}-{version}.hcl",
                    },
                    "vars": {
                        version_name: version,
                        "nomad__join": ["198.18.0.22"],
                        "nomad__interface": "eth0",
                        "nomad_docker_auth_file": "/etc/docker/login.json",
                        "nomad_cpu_total_compute": 4000,
                    },
                }
            )
    for version in NOMAD:
        for asynchronous in (True, False):
            suffix = "" if asynchronous else "-sync"
            tasks.append(
                {
                    "name": f"upstream {version}",
                    "ansible.builtin.template": {
                        "src": str(ROOT / "roles/openfaas/templates/nomad_upstream.hcl.j2"),
                        "dest": "{{ out }}/{{ inventory_hostname }}-" + f"upstream-{version}{suffix}.hcl",
                    },
                    "vars": {
                        **UPSTREAM,
                        "openfaas__nomad_version": version,
                        "openfaas_async": asynchronous,
                    },
                }
            )
    files = [
        str(ROOT / "roles" / role / part / "main.yml") for role in ("consul", "nomad") for part in ("defaults", "vars")
    ]
    play = [{"hosts": "all", "gather_facts": False, "vars_files": files, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    played(folder)
    return folder


def read(folder: Path, host: str, product: str, version: str) -> dict[str, Any]:
    with (folder / f"{host}-{product}-{version}.hcl").open(encoding="utf-8") as file:
        return plain(hcl2.load(file))


def plain(value: Any) -> Any:
    """Blocks without their marks, strings without quotes, a block that stands once without its list."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return items[0] if len(items) == 1 and isinstance(items[0], dict) else items
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


@pytest.mark.parametrize("version", NOMAD)
@pytest.mark.parametrize("host", ["server-1", "client-1"])
def test_nomad(rendered: Path, host: str, version: str) -> None:
    config = read(rendered, host, "nomad", version)
    assert config["acl"]["enabled"] is True
    tls = config["tls"]
    assert tls["http"] is tls["rpc"] is tls["verify_https_client"] is tls["verify_server_hostname"] is True
    assert config["consul"]["token"] == "the-consul-nomad-token"
    assert config["telemetry"]["prometheus_metrics"] is True
    assert config["leave_on_terminate"] is False
    if host == "server-1":
        assert config["server"]["bootstrap_expect"] == 3
        assert config["server"]["encrypt"] == "the-nomad-gossip-key"
        assert "client" not in config
        return
    assert "server" not in config
    assert config["client"]["servers"] == ["198.18.0.21", "198.18.0.22", "198.18.0.23"]
    assert config["client"]["network_interface"] == "eth0"
    options = config["client"]["options"]
    if version == "0.8.4":
        assert options["docker.volumes.enabled"] == options["docker.privileged.enabled"] == "false"
        assert options["driver.whitelist"] == "docker"
        assert "plugin" not in config
    else:
        driver = config["plugin"]["docker"]["config"]
        assert driver["allow_privileged"] is driver["volumes"]["enabled"] is False
        assert driver["auth"]["config"] == "/etc/docker/login.json"
        assert options["driver.allowlist"] == "docker"


@pytest.mark.parametrize("version", CONSUL)
@pytest.mark.parametrize("host", ["server-1", "client-1"])
def test_consul(rendered: Path, host: str, version: str) -> None:
    config = read(rendered, host, "consul", version)
    assert config["encrypt"] == "the-consul-gossip-key"
    assert config["server"] is (host == "server-1")
    assert ("bootstrap_expect" in config) is (host == "server-1")
    assert config["client_addr"] == "127.0.0.1"
    tls = config["tls"]["defaults"] if version == "1.16.3" else config
    assert tls["verify_incoming"] is tls["verify_outgoing"] is True
    if version == "1.2.0":
        assert config["acl_default_policy"] == "deny"
        assert ("acl_master_token" in config) is (host == "server-1")
    else:
        assert config["acl"]["enabled"] is True
        assert config["acl"]["default_policy"] == "deny"
        assert config["acl"]["tokens"]["agent"] == "the-consul-agent-token"
        management = "initial_management" if version == "1.16.3" else "master"
        assert (management in config["acl"]["tokens"]) is (host == "server-1")


def test_a_client_is_told_no_key_of_the_servers(rendered: Path) -> None:
    for version in NOMAD:
        assert "nomad-gossip-key" not in (rendered / f"client-1-nomad-{version}.hcl").read_text(encoding="utf-8")
    for version in CONSUL:
        assert "management-token" not in (rendered / f"client-1-consul-{version}.hcl").read_text(encoding="utf-8")


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("version", NOMAD)
def test_upstreams_job(rendered: Path, version: str, asynchronous: bool) -> None:
    config = read(rendered, "server-1", "upstream", version + ("" if asynchronous else "-sync"))
    group = config["job"]["openfaas"]["group"]["openfaas"]
    assert group["restart"]["mode"] == "delay"
    tasks = {name: task for entry in group["task"] for name, task in entry.items()}
    wanted = {"basic-auth", "faas-nomad", "gateway", "statsd-exporter", "prometheus", "alertmanager"}
    assert set(tasks) == wanted | ({"nats", "queue-worker"} if asynchronous else set())
    assert all(
        task["driver"] == "docker" and task["config"]["image"].startswith("registry:5000/") for task in tasks.values()
    )
    arguments = tasks["faas-nomad"]["config"]["args"]
    assert arguments[arguments.index("-nomad_acl") + 1] == "${FAAS_NOMAD_TOKEN}"
    assert ("faas_nats_address" in tasks["gateway"]["env"]) is asynchronous
    static = group if version == "0.8.4" else group["network"]
    ports = [port for entry in plain_list(static.get("port", [])) for port in entry.values()]
    if version == "0.8.4":
        assert "network" not in group
        gateway = tasks["gateway"]["resources"]["network"]["port"]
        assert [port["static"] for entry in gateway for port in entry.values()] == [8080, 8082]
    else:
        assert {8080, 8081, 8082, 8083, 9090, 9093} <= {port["static"] for port in ports}


def plain_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_secret_stands_in_a_job(rendered: Path) -> None:
    for file in rendered.glob("*-upstream-*.hcl"):
        assert "the-" not in file.read_text(encoding="utf-8").replace("the-first", "")


def test_every_default_version_has_its_checksum() -> None:
    sums = yaml.safe_load((ROOT / "roles/hashicorp/vars/checksums.yml").read_text())["hashicorp_checksums"]
    assert {"1.2.0", "1.16.3"} <= set(sums["consul"])
    assert {"0.8.4", "1.0.0", "1.6.4"} <= set(sums["nomad"])
    every = [one for versions in sums.values() for machines in versions.values() for one in machines.values()]
    assert len(every) == len(set(every)), "a sum stands twice"
    assert all(len(one) == 64 and set(one) <= set("0123456789abcdef") for one in every)


def test_the_list_for_a_mirror_is_right() -> None:
    sums = yaml.safe_load((ROOT / "roles/hashicorp/vars/checksums.yml").read_text())["hashicorp_checksums"]
    files = yaml.safe_load((ROOT / "roles/hashicorp/vars/artefacts.yml").read_text())["hashicorp_artefact_files"]
    for file in files:
        product, version, _, machine = file["name"].removesuffix(".zip").split("_")
        assert file["sha256"] == sums[product][version][machine]
        assert file["url"].endswith(f"/{product}/{version}/{file['name']}")
