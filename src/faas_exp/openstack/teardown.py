"""The end of an environment, and the proof that nothing is left.

The way out first, then the machines, since everything else hangs on them; then ports, router, subnet, network, groups,
key pair. Only what carries the mark is touched. What is gone already, or half-made, is no obstacle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from faas_exp.clouds.teardown import delete, prove
from faas_exp.openstack.errors import FAILURES, OpenStackError, explain, is_conflict
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.machines import wait_for_end
from faas_exp.openstack.patience import again, until_free, wait_until
from faas_exp.openstack.survey import (
    FLOATING_IP,
    KEY_PAIR,
    NETWORK,
    PORT,
    ROUTER,
    SECURITY_GROUP,
    SERVER,
    SERVER_GROUP,
    SUBNET,
    Found,
    Resource,
    survey,
)

_Delete = Callable[[Any, Resource], Any]

_REST: tuple[tuple[str, _Delete], ...] = (
    (PORT, lambda api, one: api.network.delete_port(one.id, ignore_missing=False)),
    (ROUTER, lambda api, one: api.network.delete_router(one.id, ignore_missing=False)),
    (SUBNET, lambda api, one: api.network.delete_subnet(one.id, ignore_missing=False)),
    (NETWORK, lambda api, one: api.network.delete_network(one.id, ignore_missing=False)),
    (SERVER_GROUP, lambda api, one: api.compute.delete_server_group(one.id, ignore_missing=False)),
    (SECURITY_GROUP, lambda api, one: api.network.delete_security_group(one.id, ignore_missing=False)),
    (KEY_PAIR, lambda api, one: api.compute.delete_keypair(one.raw, ignore_missing=False)),
)
# Of a plain router, a distributed one, and one that is on several hosts.
_INTERFACES = {
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
}


def teardown(ledger: Ledger, timeout: int = 600) -> int:
    """Delete everything of the environment, and look again.

    Returns:
        how many things there were.

    Raises:
        OpenStackError: something is left, or can't be deleted; named, with what holds it.
    """
    found = survey(ledger.cloud, ledger.env)
    api = ledger.cloud.api
    for address in found.of(FLOATING_IP):
        _delete(ledger, address, partial(api.network.delete_ip, address.id, ignore_missing=False))
    _servers(ledger, found.of(SERVER), timeout)
    for kind, remove in _REST:
        if kind == ROUTER:
            for router in found.of(ROUTER):
                _disconnect(ledger, router)
        jobs = [partial(_delete, ledger, one, partial(remove, api, one), found) for one in found.of(kind)]
        if kind == SECURITY_GROUP:
            # They name one another in their rules: at once they would be in each other's way.
            for job in jobs:
                job()
        else:
            _at_once(jobs)
    if not ledger.check:
        prove(ledger.env, lambda: survey(ledger.cloud, ledger.env).all, wait_until, 30, OpenStackError)
    return len(found.all)


def remove_machines(ledger: Ledger, names: Iterable[str], timeout: int = 600) -> None:
    """Delete these machines and their ports alone, and wait until they are gone.

    Args:
        names: with the environment's name before them.
    """
    wanted, api = set(names), ledger.cloud.api
    found = survey(ledger.cloud, ledger.env, (SERVER, PORT))
    _servers(ledger, [one for one in found.of(SERVER) if one.name in wanted], timeout)
    for port in [one for one in found.of(PORT) if one.name in wanted]:
        _delete(ledger, port, partial(api.network.delete_port, port.id, ignore_missing=False))


def _servers(ledger: Ledger, servers: list[Resource], timeout: int) -> None:
    remove = ledger.cloud.api.compute.delete_server
    _at_once(
        partial(_delete, ledger, one, partial(remove, one.id, ignore_missing=False))
        for one in servers
        if one.raw.task_state != "deleting"
    )
    if servers and not ledger.check:
        wait_for_end(ledger, servers, timeout)


def _at_once(jobs: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()


def _disconnect(ledger: Ledger, router: Resource) -> None:
    """Take a router out of every subnet that it stands in: nobody else can stand in ours, and the router is ours."""
    api = ledger.cloud.api.network
    try:
        ports = again(lambda: list(api.ports(device_id=router.id)))
    except FAILURES as error:
        raise explain(error, f"list the ports of {router}") from error
    # Its port in the external network is none of these: it goes with the router.
    for port in [one for one in ports if one.device_owner in _INTERFACES]:
        remove = partial(api.remove_interface_from_router, router.id, port_id=port.id)
        subnets = ", ".join(one["subnet_id"] for one in port.fixed_ips)
        ledger.do(f"disconnect {router} from subnet {subnets}", partial(until_free, remove))


def _delete(ledger: Ledger, resource: Resource, call: Callable[[], Any], found: Found | None = None) -> None:
    delete(
        ledger,
        resource,
        partial(until_free, call),
        in_use=is_conflict,
        users=partial(_users, ledger, resource, found),
        error=OpenStackError,
    )


def _users(ledger: Ledger, resource: Resource, found: Found | None) -> str:
    """What stands in a network or uses a group that isn't ours, in words."""
    ours = {one.id for one in found.of(PORT)} if found else set()
    api = ledger.cloud.api.network
    try:
        ports = [one for one in api.ports(project_id=ledger.cloud.project) if one.id not in ours]
    except FAILURES as error:
        return f" ({explain(error, 'list what uses it')})"
    is_user: dict[str, Callable[[Any], bool]] = {
        NETWORK: lambda one: one.network_id == resource.id,
        SUBNET: lambda one: any(fixed["subnet_id"] == resource.id for fixed in one.fixed_ips),
        ROUTER: lambda one: one.device_id == resource.id,
        SECURITY_GROUP: lambda one: resource.id in (one.security_group_ids or []),
    }
    uses = is_user.get(resource.kind, lambda one: False)
    named = [f"port {one.id} ({one.device_owner or one.name or 'no name'})" for one in ports if uses(one)]
    return f" by {', '.join(named[:5])}" if named else ""
