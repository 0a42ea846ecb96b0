"""Who may talk to whom: the ports that each part needs, group to group, the same on every cloud.

A group is an inventory group (``bastion``, ``haproxy``, ``ftp``, ``swarm_control``, …). What is not listed is closed.
Nothing but the bastion's SSH port is open to the world outside, and that only to the administrator's networks.
Outgoing traffic is free: machines fetch packages and images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from faas_exp.errors import FaasExpError
from faas_exp.machines import GENERATORS, ORCHESTRATORS

DEFAULT_PORTS: dict[str, str] = {
    "gateway": "8080",
    "prometheus": "9090",
    "registry": "5000",
    "haproxy": "80",
    "haproxy_prometheus": "9090",
    "haproxy_stats": "8404",
    "ftp_passive": "21100-21899",
    "agent": "8079",
    "load_master": "5557",
}
"""Ports that inputs may change; a port or a range ``first-last``."""


class FirewallError(FaasExpError):
    """A port or network that can't be used."""

    def __init__(self, key: str, found: object, allowed: str) -> None:
        super().__init__(f"inputs: {key}: found {found!r}, allowed: {allowed}")


@dataclass(frozen=True, order=True)
class Rule:
    """One permission to connect.

    Attributes:
        to: the group whose machines are reached.
        source: a group, or a network as ``203.0.113.7/32``.
        protocol: ``tcp`` or ``udp``.
        first, last: ports.
        why: what for, in a few words.
    """

    to: str
    source: str
    protocol: str
    first: int
    last: int
    why: str

    @property
    def from_network(self) -> bool:
        """Whether the source is a network, not a group."""
        return "/" in self.source


def rules(
    orchestrators: Iterable[str],
    *,
    admin: Iterable[str],
    ports: Mapping[str, str | int] | None = None,
    generators: bool = False,
) -> list[Rule]:
    """Every rule of an environment in which these orchestrators' clusters stand side by side.

    Args:
        orchestrators: of ``swarm``, ``nomad``, ``k8s``.
        admin: networks from which the bastion's SSH may be reached.
        ports: what differs from :data:`DEFAULT_PORTS`.
        generators: there are machines that make load beside the bastion.

    Raises:
        FirewallError: an unknown orchestrator, a port or a network that is none.
    """
    table = _Ports(ports or {})
    found: dict[tuple[str, str, str, int, int], Rule] = {}
    every = [*_all(sorted(set(orchestrators)), sorted(set(admin)), table), *(_generators(table) if generators else ())]
    for rule in every:
        # Two reasons for the same rule: the first is told.
        found.setdefault((rule.to, rule.source, rule.protocol, rule.first, rule.last), rule)
    return sorted(found.values())


class _Ports:
    def __init__(self, given: Mapping[str, str | int]) -> None:
        unknown = sorted(set(given) - set(DEFAULT_PORTS))
        if unknown:
            raise FirewallError("ports", unknown[0], ", ".join(sorted(DEFAULT_PORTS)))
        self._given = {**DEFAULT_PORTS, **given}

    def __getitem__(self, name: str) -> tuple[int, int]:
        value = str(self._given[name])
        first, _, last = value.partition("-")
        try:
            pair = int(first), int(last or first)
        except ValueError:
            pair = (0, 0)
        if not 0 < pair[0] <= pair[1] < 65536:
            raise FirewallError(f"ports.{name}", value, "a port, or first-last, from 1 to 65535")
        return pair


def _all(orchestrators: list[str], admin: list[str], ports: _Ports) -> Iterator[Rule]:
    for network in admin:
        yield Rule("bastion", _network(network), "tcp", 22, 22, "SSH from the administrator")
    groups = ["haproxy", "ftp", *(f"{one}_{part}" for one in orchestrators for part in ("control", "workers"))]
    for group in groups:
        yield Rule(group, "bastion", "tcp", 22, 22, "SSH through the bastion")
    # The load generator, and a person who looks at the load balancer through a tunnel.
    yield Rule("haproxy", "bastion", "tcp", *ports["haproxy"], "load")
    yield Rule("haproxy", "bastion", "tcp", *ports["haproxy_prometheus"], "measurements")
    yield Rule("haproxy", "bastion", "tcp", *ports["haproxy_stats"], "statistics page")
    for orchestrator in orchestrators:
        if orchestrator not in ORCHESTRATORS:
            raise FirewallError("orchestrator", orchestrator, ", ".join(ORCHESTRATORS))
        control, workers = f"{orchestrator}_control", f"{orchestrator}_workers"
        yield from _services(control, workers, ports)
        yield from {"swarm": _swarm, "nomad": _nomad, "k8s": _k8s}[orchestrator](control, workers, ports)


def _services(control: str, workers: str, ports: _Ports) -> Iterator[Rule]:
    """What every cluster has with the machines beside it."""
    for group in (control, workers):
        yield Rule("bastion", group, "tcp", *ports["registry"], "images")
    for source, why in (
        ("haproxy", "requests"),
        ("bastion", "deployment"),
        (control, "readiness"),
    ):
        yield Rule(workers, source, "tcp", *ports["gateway"], f"gateway: {why}")
    for source in ("haproxy", "bastion", control):
        yield Rule(workers, source, "tcp", *ports["prometheus"], "measurements")
    yield Rule("haproxy", workers, "tcp", *ports["haproxy"], "functions that call functions")
    yield Rule("ftp", workers, "tcp", 21, 21, "functions that fetch a file")
    yield Rule("ftp", workers, "tcp", *ports["ftp_passive"], "functions that fetch a file: data")


def _generators(ports: _Ports) -> Iterator[Rule]:
    yield Rule(GENERATORS, "bastion", "tcp", 22, 22, "SSH through the bastion")
    yield Rule("bastion", GENERATORS, "tcp", *ports["load_master"], "the load's master")
    yield Rule("haproxy", GENERATORS, "tcp", *ports["haproxy"], "load")


def _each(to: tuple[str, ...], sources: tuple[str, ...], *ports: tuple[str, int, int, str]) -> Iterator[Rule]:
    for target in to:
        for source in sources:
            for protocol, first, last, why in ports:
                yield Rule(target, source, protocol, first, last, why)


def _swarm(control: str, workers: str, ports: _Ports) -> Iterator[Rule]:
    both = (control, workers)
    yield from _each((control,), both, ("tcp", 2377, 2377, "Swarm management"))
    yield from _each(
        both,
        both,
        ("tcp", 7946, 7946, "Swarm gossip"),
        ("udp", 7946, 7946, "Swarm gossip"),
        ("udp", 4789, 4789, "overlay network"),
    )
    yield from _each((control,), (workers,), ("tcp", *ports["agent"], "the gateway's agent"))
    yield from _each((workers,), both, ("tcp", 9100, 9100, "machine's measurements"))


def _nomad(control: str, workers: str, ports: _Ports) -> Iterator[Rule]:
    both = (control, workers)
    yield from _each(
        (control,),
        both,
        ("tcp", 4646, 4647, "Nomad API and RPC"),
        ("tcp", 8300, 8300, "Consul RPC"),
    )
    yield from _each((control,), ("bastion",), ("tcp", 4646, 4646, "Nomad API"))
    yield from _each((control,), (control,), ("tcp", 4648, 4648, "Nomad gossip"), ("udp", 4648, 4648, "Nomad gossip"))
    yield from _each(both, both, ("tcp", 8301, 8301, "Consul gossip"), ("udp", 8301, 8301, "Consul gossip"))
    yield from _each((workers,), (workers,), ("tcp", *ports["gateway"], "gateway: between gateways"))
    # Reading a job's log, or its files, goes from the server to the client that runs it; Prometheus runs on a client.
    yield from _each((workers,), both, ("tcp", 4646, 4646, "Nomad API of the clients"))
    yield from _each((workers,), both, ("tcp", 9100, 9100, "machine's measurements"))
    yield from _each((workers,), (workers,), ("tcp", 20000, 32000, "ports that Nomad gives to replicas"))


def _k8s(control: str, workers: str, ports: _Ports) -> Iterator[Rule]:
    both = (control, workers)
    yield from _each((control,), (*both, "bastion"), ("tcp", 6443, 6443, "Kubernetes API"))
    yield from _each((control,), (control,), ("tcp", 2379, 2380, "etcd"))
    yield from _each(
        both,
        both,
        ("tcp", 10250, 10250, "kubelet"),
        ("tcp", 9100, 9100, "machine's measurements"),
        ("tcp", 179, 179, "Calico: routes"),
        ("tcp", 5473, 5473, "Calico: Typha"),
        ("udp", 4789, 4789, "Calico: VXLAN"),
    )
    yield from _each((workers,), ("haproxy", "bastion"), ("tcp", 30000, 32767, "node ports"))


def _network(text: str) -> str:
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        raise FirewallError("admin_cidr", text, "an IPv4 network, as 203.0.113.7/32") from None
