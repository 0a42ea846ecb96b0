"""Machines: ports with fixed addresses first, then the servers on them, all at once, each exactly once.

A port belongs to one server at most and its address to one port at most: OpenStack itself refuses what would double a
machine.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faas_exp.clouds.birth import user_data
from faas_exp.clouds.jobs import all_of
from faas_exp.clouds.ledger import PLANNED
from faas_exp.hostkeys import HostKey, host_key
from faas_exp.openstack import marks
from faas_exp.openstack.errors import FAILURES, QUOTA_ADVICE, OpenStackError, explain
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.network import Network
from faas_exp.openstack.patience import again, create_once, until_free, wait_until
from faas_exp.openstack.preflight import Checked
from faas_exp.openstack.spec import Machine, Wish
from faas_exp.openstack.survey import PORT, SERVER, SERVER_GROUP, Found, Resource, survey

POLICIES = {"soft": "soft-anti-affinity", "strict": "anti-affinity"}


def make_server_groups(ledger: Ledger, wish: Wish, found: Found) -> dict[str, str]:
    """One server group for each role of the cluster; ids by role."""
    groups: dict[str, str] = {}
    if wish.placement == "none":
        return groups
    policy = POLICIES[wish.placement]
    for role in sorted({machine.role for machine in wish.machines if machine.in_cluster}):
        name = marks.server_group_name(wish.env, role)
        there = found.one(SERVER_GROUP, name)
        if there is None:
            create = partial(ledger.cloud.api.compute.create_server_group, name=name, policy=policy)
            look = partial(_look, ledger, wish, SERVER_GROUP, name)
            made = ledger.do(f"create server group {name} ({policy})", partial(create_once, create, look))
            groups[role] = PLANNED if made is None else str(made.id)
        else:
            groups[role] = there.id
    return groups


def make_ports(ledger: Ledger, wish: Wish, found: Found, network: Network, groups: dict[str, str]) -> dict[str, str]:
    """A port for each machine; ids by machine. What is missing is made in one request: all or none."""
    api = ledger.cloud.api.network
    missing = [machine for machine in wish.machines if found.one(PORT, wish.name(machine.name)) is None]
    ports = {machine.name: PLANNED for machine in missing}
    names = {wish.name(machine.name): machine.name for machine in missing}

    def look() -> list[Any] | None:
        there = [one.raw for one in survey(ledger.cloud, wish.env, (PORT,)).all if one.name in names]
        return there if len(there) == len(names) else None

    if missing:
        bodies = [
            {
                "name": wish.name(machine.name),
                "description": marks.mark(wish.env),
                "network_id": network.network,
                "fixed_ips": [{"subnet_id": network.subnet, "ip_address": machine.address}],
                "security_group_ids": [groups[machine.role]],
            }
            for machine in missing
        ]
        what = "create ports " + ", ".join(f"{wish.name(one.name)} ({one.address})" for one in missing)
        made = ledger.do(what, lambda: create_once(lambda: list(api.create_ports(bodies)), look))
        ports.update({names[one.name]: str(one.id) for one in made or []})
    for machine in wish.machines:
        there = found.one(PORT, wish.name(machine.name))
        if there is None:
            continue
        ports[machine.name] = there.id
        if list(there.raw.security_group_ids or []) != [groups[machine.role]]:
            update = partial(api.update_port, there.id, security_group_ids=[groups[machine.role]])
            ledger.do(f"set the security group of {there}", partial(again, update))
    return ports


def make_machines(
    ledger: Ledger,
    wish: Wish,
    found: Found,
    checked: Checked,
    ports: dict[str, str],
    server_groups: dict[str, str],
    host_keys: Path,
) -> list[str]:
    """Start what is missing or stopped; does not wait.

    Args:
        host_keys: folder of the machines' host keys.

    Returns:
        the names of machines that are new.

    Raises:
        OpenStackError: one or more could not be started; each is named. Those that could are there.
    """
    jobs: list[Callable[[], Any]] = []
    new = []
    for machine in wish.machines:
        _forget_doubles(ledger, wish, found, machine)
        server = found.one(SERVER, wish.name(machine.name))
        if server is None or _must_go(server):
            new.append(machine.name)
            # Keys before threads: the files are made one after the other, and a check makes none.
            key = HostKey("", "") if ledger.check else host_key(host_keys, machine.name)
            request = _request(wish, checked, machine, ports[machine.name], server_groups.get(machine.role), key)
            jobs.append(partial(_start, ledger, wish, machine, request, server))
        elif server.raw.status == "SHUTOFF":
            start = partial(ledger.cloud.api.compute.start_server, server.id)
            jobs.append(partial(ledger.do, f"start {server} again", partial(until_free, start)))
    all_of(jobs, OpenStackError)
    return new


def _forget_doubles(ledger: Ledger, wish: Wish, found: Found, machine: Machine) -> None:
    """Delete what never ran, where another server of the same name does or may.

    Of two requests that were on their way at the same time (a run that was killed, and the next), one gets the port and
    the other's server ends in state ERROR.
    """
    servers = [one for one in found.of(SERVER) if one.name == wish.name(machine.name)]
    if len(servers) > 1:
        for server in [one for one in servers if one.raw.status == "ERROR" and not one.raw.launched_at]:
            _remove(ledger, server, wish.timeout)
            found.all.remove(server)


def _must_go(server: Resource) -> bool:
    """Whether it is on its way out, or never came to life (no hypervisor had room for it, say)."""
    if server.raw.task_state == "deleting" or server.raw.status in ("DELETED", "SOFT_DELETED"):
        return True
    if server.raw.status != "ERROR":
        return False
    if server.raw.launched_at:
        raise OpenStackError(
            f"{server} has run and is in state ERROR{_fault(server)}. What to do: `openstack server show`, "
            "then `openstack server reboot --hard`, or delete it to have it made anew"
        )
    return True


def _fault(server: Resource) -> str:
    message = (server.raw.fault or {}).get("message", "")
    return f": {' '.join(message.split()).rstrip('.')}" if message else ""


def _remove(ledger: Ledger, server: Resource, timeout: int) -> None:
    delete = partial(ledger.cloud.api.compute.delete_server, server.id, ignore_missing=True)
    ledger.do(f"delete {server}, which never ran or is on its way out", partial(until_free, delete))
    if not ledger.check:
        wait_for_end(ledger, [server], timeout)


def wait_for_end(ledger: Ledger, servers: list[Resource], timeout: int) -> None:
    """Wait until servers are gone."""
    ids = {one.id for one in servers}
    names = ", ".join(sorted(one.name for one in servers))
    wait_until(
        lambda: not ids & {one.id for one in survey(ledger.cloud, ledger.env, (SERVER,)).all},
        f"end of machines {names}",
        timeout,
    )


def _request(
    wish: Wish, checked: Checked, machine: Machine, port: str, server_group: str | None, key: HostKey
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "name": wish.name(machine.name),
        "flavor_id": checked.flavors[machine.flavor].id,
        "image_id": checked.image,
        "key_name": marks.key_pair_name(wish.env),
        "networks": [{"port": port}],
        "user_data": base64.b64encode(user_data(machine.name, wish.ssh_user, key).encode()).decode(),
        "metadata": {
            marks.ENV: wish.env,
            marks.MACHINE: machine.name,
            marks.GROUPS: "/".join(machine.groups),
            marks.HOST_KEY: key.public,
        },
    }
    if server_group:
        request["scheduler_hints"] = {"group": server_group}
    if wish.zone:
        request["availability_zone"] = wish.zone
    if wish.config_drive:
        request["config_drive"] = True
    return request


def _look(ledger: Ledger, wish: Wish, kind: str, name: str) -> Any:
    made = survey(ledger.cloud, wish.env, (kind,)).one(kind, name)
    return None if made is None else made.raw


def _start(ledger: Ledger, wish: Wish, machine: Machine, request: dict[str, Any], instead_of: Resource | None) -> None:
    if instead_of:
        _remove(ledger, instead_of, wish.timeout)
    name = wish.name(machine.name)
    create = partial(ledger.cloud.api.compute.create_server, **request)
    look = partial(_look, ledger, wish, SERVER, name)
    what = f"start machine {name} ({machine.flavor}, {machine.address})"
    ledger.do(what, lambda: create_once(create, look))


def wait_for_machines(ledger: Ledger, wish: Wish) -> dict[str, Resource]:
    """Wait until all run.

    Returns:
        them, by name.

    Raises:
        OpenStackError: one failed, with OpenStack's reason; or not all run in time.
    """
    names = {wish.name(machine.name) for machine in wish.machines}
    running: dict[str, Resource] = {}

    def look() -> bool:
        now = [one for one in survey(ledger.cloud, wish.env, (SERVER,)).all if one.name in names]
        failed = [one for one in now if one.raw.status == "ERROR"]
        if failed:
            told = "; ".join(f"{one} failed{_reason(ledger, one)}" for one in failed)
            # Compute counts once more when it has room already: who came at the same time may have been first.
            advice = QUOTA_ADVICE if "quota" in told.lower() else _ADVICE
            raise OpenStackError(f"{told}. What to do: {advice}")
        running.clear()
        running.update({one.name: one for one in now if one.raw.status == "ACTIVE"})
        return len(running) == len(names)

    wait_until(look, f"{wish.env}: {len(names)} machines run", wish.timeout)
    return dict(running)


_ADVICE = (
    "run it again (it is made anew), give another flavor or availability_zone, or "
    "cloud_openstack_placement=soft where hypervisors are few"
)


def _reason(ledger: Ledger, server: Resource) -> str:
    try:
        raw = again(partial(ledger.cloud.api.compute.get_server, server.id))
    except FAILURES as error:
        return f" ({explain(error, 'ask why')})"
    return _fault(Resource(server.kind, server.id, server.env, server.name, server.created, raw))
