"""Which machines a cluster needs: names, groups and addresses, the same on every cloud.

The plan is a function of the inputs alone, so a machine that was deleted by hand gets its old name and address back,
and growing a cluster leaves the machines it has untouched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from faas_exp.errors import FaasExpError

ORCHESTRATORS = ("swarm", "nomad", "k8s")
CONTROL_COUNTS = (1, 3, 5)
MAX_WORKERS = 60
"""Per orchestrator: three clusters of this size fit side by side into the 254 addresses of a /24."""

_CLUSTER_NAMES = {"swarm": "docker-swarm", "nomad": "nomad", "k8s": "k8s"}
# What a machine of each kind is called, and which input says how many there are.
_CONTROL = {
    "swarm": ("manager", "manager_count"),
    "nomad": ("server", "servers_count"),
    "k8s": ("master", "master_count"),
}
_WORKER = {"swarm": ("worker", "worker_count"), "nomad": ("client", "clients_count"), "k8s": ("worker", "worker_count")}

# The registry shares the bastion: it is idle while load runs, and one machine less is one less to pay for.
_SERVICES = {"bastion": ("bastion", "registry"), "haproxy": ("haproxy",), "ftp": ("ftp",)}
# Position in the network, counted from its base. Room is left for a cloud's own first addresses and for other services.
_SERVICE_OFFSET = 4
_CONTROL_OFFSET, _CONTROL_STEP = 11, 10
_WORKER_OFFSET, _WORKER_STEP = 51, 64
# Between the last control machine and the first worker.
_GENERATOR_OFFSET = 36

GENERATORS = "load_generators"
"""Group of the machines that make the load beside the bastion, which is the first of ``load_generator_count``."""
MAX_GENERATORS = 16


class MachinePlanError(FaasExpError):
    """An input that no cluster can be planned from."""

    def __init__(self, key: str, found: object, allowed: str) -> None:
        super().__init__(f"inputs: {key}: found {found!r}, allowed: {allowed}")


@dataclass(frozen=True)
class Machine:
    """One machine to be.

    Attributes:
        name: unique within the environment, fit for a host name.
        groups: inventory groups it belongs to.
        address: IPv4 address, where the plan gives one out.
    """

    name: str
    groups: tuple[str, ...]
    address: str | None = None

    @property
    def role(self) -> str:
        """The group that decides the machine's size (flavour)."""
        return self.groups[0]


def plan(
    orchestrator: str,
    *,
    counts: dict[str, int],
    cluster_name: str = "",
    services: tuple[str, ...] = tuple(_SERVICES),
    subnet_cidr: str | None = None,
) -> list[Machine]:
    """All machines of one orchestrator's cluster and of the services in front of it, in a stable order.

    Args:
        orchestrator: ``swarm``, ``nomad`` or ``k8s``.
        counts: how many control and worker machines, under the names of the inputs (``manager_count``,
            ``worker_count``, ``servers_count``, ``clients_count``, ``master_count``). Zero of either is fine: a
            test of one service needs no cluster. ``load_generator_count`` (1 when left out) counts the bastion too.
        cluster_name: first part of the cluster machines' names; empty takes the orchestrator's usual one.
        services: which of ``bastion``, ``haproxy``, ``ftp``.
        subnet_cidr: give out addresses in this network; a /24 or larger.

    Raises:
        MachinePlanError: an input is not what it may be.
    """
    if orchestrator not in ORCHESTRATORS:
        raise MachinePlanError("orchestrator", orchestrator, ", ".join(ORCHESTRATORS))
    for service in services:
        if service not in _SERVICES:
            raise MachinePlanError("services", service, ", ".join(_SERVICES))
    network = _network(subnet_cidr)

    def machine(name: str, groups: tuple[str, ...], offset: int) -> Machine:
        return Machine(name, groups, None if network is None else str(network[offset]))

    machines = [
        machine(name, groups, _SERVICE_OFFSET + position)
        for position, (name, groups) in enumerate(_SERVICES.items())
        if name in services
    ]
    machines += [
        machine(f"load-generator-{number}", (GENERATORS,), _GENERATOR_OFFSET + number - 2)
        for number in range(2, _generators(counts) + 1)
    ]
    prefix = cluster_name or _CLUSTER_NAMES[orchestrator]
    for name, group, offset in _cluster(orchestrator, counts):
        machines.append(machine(f"{prefix}-{name}", (group,), offset))
    return machines


def _cluster(orchestrator: str, counts: dict[str, int]) -> Iterator[tuple[str, str, int]]:
    """Name, group and position of each machine of the cluster."""
    position = ORCHESTRATORS.index(orchestrator)
    control, control_key = _CONTROL[orchestrator]
    worker, worker_key = _WORKER[orchestrator]
    control_count, worker_count = _count(counts, control_key), _count(counts, worker_key)
    if worker_count > MAX_WORKERS:
        raise MachinePlanError(worker_key, worker_count, f"0 to {MAX_WORKERS}")
    if control_count not in CONTROL_COUNTS and (control_count or worker_count):
        raise MachinePlanError(control_key, control_count, "1, 3 or 5 (a majority must be able to survive)")
    for index in range(control_count):
        yield f"{control}-{index + 1}", f"{orchestrator}_control", _CONTROL_OFFSET + _CONTROL_STEP * position + index
    for index in range(worker_count):
        yield f"{worker}-{index + 1}", f"{orchestrator}_workers", _WORKER_OFFSET + _WORKER_STEP * position + index


def _generators(counts: dict[str, int]) -> int:
    if "load_generator_count" not in counts:
        return 1
    count = _count(counts, "load_generator_count")
    if not 1 <= count <= MAX_GENERATORS:
        raise MachinePlanError("load_generator_count", count, f"1 to {MAX_GENERATORS}")
    return count


def _count(counts: dict[str, int], key: str) -> int:
    found: object = counts.get(key)
    try:
        value = int(str(found))
    except ValueError:
        raise MachinePlanError(key, found, "a whole number") from None
    if value < 0:
        raise MachinePlanError(key, value, "zero or more")
    return value


def _network(subnet_cidr: str | None) -> IPv4Network | None:
    if subnet_cidr is None:
        return None
    try:
        network = IPv4Network(subnet_cidr)
    except ValueError:
        network = None
    if network is None or network.prefixlen > 24:
        raise MachinePlanError(
            "subnet_cidr", subnet_cidr, "an IPv4 network of at least 256 addresses, as 198.18.0.0/24"
        )
    return network
