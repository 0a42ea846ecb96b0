"""What Kubespray is given: its inventory and variables, derived from ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faas_exp.errors import ConfigError

CONTROL_COUNTS = (1, 3, 5)

# Kubespray's names for where images of a registry come from, all of which lead to one mirror.
_IMAGE_REPOSITORIES = ("kube", "gcr", "github", "docker", "quay")
# Kubespray's variable for a site of files → its folder below a mirror, as in Kubespray's own list of files.
_FILE_SITES = {
    "dl_k8s_io_url": "dl.k8s.io",
    "github_url": "github.com",
    "storage_googleapis_url": "storage.googleapis.com",
    "get_helm_url": "get.helm.sh",
}


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster.

    Attributes:
        name: the node's.
        address: by which nodes reach each other.
        host: by which the controller reaches it.
    """

    name: str
    address: str
    host: str


@dataclass(frozen=True)
class Wish:
    """The cluster that is asked for.

    Attributes:
        masters: control machines; etcd is on them too.
        workers: machines that run pods.
        version: of Kubernetes, "" for Kubespray's own default.
        network_plugin, proxy_mode: Kubespray's values.
        plain_registries: spoken to in plain HTTP, as host:port.
        files_repo: URL of a mirror of files, "" for the original places.
        registry_host: mirror of image registries, likewise.
        more: other variables of Kubespray; they win.
    """

    masters: Sequence[Machine]
    workers: Sequence[Machine]
    version: str = ""
    network_plugin: str = "calico"
    proxy_mode: str = "iptables"
    plain_registries: Sequence[str] = ()
    files_repo: str = ""
    registry_host: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


def variables(wish: Wish) -> dict[str, Any]:
    """Kubespray's variables."""
    found: dict[str, Any] = {
        "kube_network_plugin": wish.network_plugin,
        "kube_proxy_mode": wish.proxy_mode,
        "container_manager": "containerd",
        "etcd_deployment_type": "host",
    }
    if wish.version:
        found["kube_version"] = wish.version
    if wish.plain_registries:
        found["containerd_registries_mirrors"] = [
            {
                "prefix": registry,
                "mirrors": [{"host": f"http://{registry}", "capabilities": ["pull", "resolve"], "skip_verify": True}],
            }
            for registry in wish.plain_registries
        ]
    if wish.files_repo:
        base = wish.files_repo.rstrip("/")
        found["files_repo"] = base
        found |= {name: f"{base}/{folder}" for name, folder in _FILE_SITES.items()}
    if wish.registry_host:
        found["registry_host"] = wish.registry_host
        found |= {f"{name}_image_repo": wish.registry_host for name in _IMAGE_REPOSITORIES}
    return {**found, **wish.more}


def inventory(wish: Wish, login: Mapping[str, Any]) -> dict[str, Any]:
    """Kubespray's inventory, its variables in it.

    Args:
        login: Ansible's variables for the way to the machines.

    Raises:
        ConfigError: a number of machines that makes no cluster, or two machines of one name.
    """
    if len(wish.masters) not in CONTROL_COUNTS:
        raise ConfigError("inputs", "master_count", str(len(wish.masters)), "1, 3 or 5: a majority must survive")
    if not wish.workers:
        raise ConfigError("inputs", "worker_count", "0", "at least 1")
    machines = [*wish.masters, *wish.workers]
    names = [machine.name for machine in machines]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError("inventory", "machine_name", repr(name) + " twice", "one name for one machine")
    masters = {machine.name: None for machine in wish.masters}
    return {
        "all": {
            "hosts": {
                machine.name: {"ansible_host": machine.host, "ip": machine.address, "access_ip": machine.address}
                for machine in machines
            },
            "vars": {"ansible_become": True, **login, **variables(wish)},
            "children": {
                "kube_control_plane": {"hosts": dict(masters)},
                "etcd": {"hosts": dict(masters)},
                "kube_node": {"hosts": {machine.name: None for machine in wish.workers}},
                "k8s_cluster": {"children": {"kube_control_plane": None, "kube_node": None}},
            },
        }
    }


def fingerprint(wish: Wish, revision: str) -> str:
    """A hash of all that a cluster is made from; how the machines are reached is no part of it."""
    machines = [[(one.name, one.address) for one in group] for group in (wish.masters, wish.workers)]
    text = json.dumps([revision, machines, variables(wish)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
