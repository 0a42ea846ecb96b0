"""Quotas, all of them at once and before anything is made: what is missing must fit into what is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from faas_exp.firewall import Rule
from faas_exp.openstack.access import missing_rules
from faas_exp.openstack.errors import FAILURES, OpenStackError, explain, status_of
from faas_exp.openstack.marks import server_group_name
from faas_exp.openstack.patience import again
from faas_exp.openstack.preflight import Checked
from faas_exp.openstack.session import Cloud
from faas_exp.openstack.spec import Wish
from faas_exp.openstack.survey import FLOATING_IP, NETWORK, PORT, ROUTER, SERVER, SERVER_GROUP, SUBNET, Found

# what is short of, needed, used, limit
_Row = tuple[str, int, int, int]


def check_quota(cloud: Cloud, wish: Wish, found: Found, checked: Checked, rules: list[Rule]) -> None:
    """Compare what is missing with what is free.

    Raises:
        OpenStackError: it does not fit; everything that is short is named.
    """
    try:
        rows = [*_compute(cloud, wish, found, checked), *_network(cloud, wish, found, rules)]
    except FAILURES as error:
        # Not everybody may read quotas. The request that is too much then says it.
        if status_of(error) in (403, 404):
            return
        raise explain(error, "read the quotas") from error
    short = [
        f"{needed} more {what} ({used} of {limit} used)"
        for what, needed, used, limit in rows
        if needed and limit >= 0 and used + needed > limit
    ]
    if short:
        raise OpenStackError(
            f"quota: {wish.env} needs {', '.join(short)}. "
            "What to do: ask for a higher quota, delete what is not needed, or give fewer or smaller machines"
        )


def _compute(cloud: Cloud, wish: Wish, found: Found, checked: Checked) -> Iterator[_Row]:
    limits = again(cloud.api.compute.get_limits).absolute
    missing = [one for one in wish.machines if found.one(SERVER, wish.name(one.name)) is None]
    flavors = [checked.flavors[one.flavor] for one in missing]
    yield "instances", len(missing), _int(limits.instances_used), _int(limits.instances)
    yield "cores", sum(one.vcpus for one in flavors), _int(limits.total_cores_used), _int(limits.total_cores)
    yield "MB of memory", sum(one.ram for one in flavors), _int(limits.total_ram_used), _int(limits.total_ram)
    if wish.placement != "none":
        sizes = Counter(machine.role for machine in wish.machines if machine.in_cluster)
        there = {one.name for one in found.of(SERVER_GROUP)}
        new = [role for role in sizes if server_group_name(wish.env, role) not in there]
        yield "server groups", len(new), _int(limits.server_groups_used), _int(limits.server_groups)
        largest = max(sizes.values(), default=0)
        yield "members in one server group", largest, 0, _int(limits.server_group_members)


def _network(cloud: Cloud, wish: Wish, found: Found, rules: list[Rule]) -> Iterator[_Row]:
    quota = again(lambda: cloud.api.network.get_quota(cloud.project, details=True))
    groups, lacking = missing_rules(wish, found, rules)
    ports = sum(found.one(PORT, wish.name(one.name)) is None for one in wish.machines)
    needed = {
        "networks": int(not found.of(NETWORK)),
        "subnets": int(not found.of(SUBNET)),
        "routers": int(not found.of(ROUTER)),
        # The router's own, and one for the network's services.
        "ports": ports + (0 if found.of(ROUTER) else 1) + (0 if found.of(NETWORK) else 1),
        "floating_ips": int(not found.of(FLOATING_IP) and any(one.public for one in wish.machines)),
        "security_groups": groups,
        "security_group_rules": lacking,
    }
    for name, number in needed.items():
        row = getattr(quota, name, None) or {}
        # Reserved: asked for by somebody a moment ago.
        used = _int(row.get("used"), 0) + _int(row.get("reserved"), 0)
        yield name.replace("_", " "), number, used, _int(row.get("limit"))


def _int(value: Any, default: int = -1) -> int:
    return default if value is None else int(value)
