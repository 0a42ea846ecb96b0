"""One environment from wish to machines that run: the story, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faas_exp.clouds import environment
from faas_exp.openstack import access, machines, marks, preflight
from faas_exp.openstack.home import same_home, settle
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.lock import only_run
from faas_exp.openstack.network import NetworkMaker
from faas_exp.openstack.quota import check_quota
from faas_exp.openstack.session import Cloud
from faas_exp.openstack.spec import Wish
from faas_exp.openstack.survey import PORT, SERVER, SERVER_GROUP, Found, Resource, survey
from faas_exp.openstack.tagging import tag


@dataclass(kw_only=True)
class Made(environment.Made):
    """What there is now (or would be, in a check); ``created`` without the environment's name.

    Attributes:
        size: machines, cores and memory in words.
    """

    size: str


def ensure(cloud: Cloud, wish: Wish, folder: Path, *, check: bool = False) -> Made:
    """Make what is missing, change what differs and can be changed, leave the rest.

    Args:
        folder: the environment's state on the controller.
        check: only find out what would be done.

    Raises:
        OpenStackError: one line; what was made until then is marked, and the next run goes on from it.
    """
    wish.check(check_mode=check)
    same_home(cloud, wish.env, folder)
    if check:
        return _ensure(cloud, wish, folder, check=True)
    with only_run(folder, wish.timeout):
        return _ensure(cloud, wish, folder, check=False)


def _ensure(cloud: Cloud, wish: Wish, folder: Path, *, check: bool) -> Made:
    found = survey(cloud, wish.env)
    checked = preflight.check(cloud, wish, found)
    rules = access.wanted_rules(wish, found)
    check_quota(cloud, wish, found, checked, rules)
    if not check:
        settle(cloud, folder)

    ledger = Ledger(cloud, wish.env, check)
    access.key_pair(ledger, wish, found)
    maker = NetworkMaker(ledger, wish, found, checked.external_network)
    network = maker.make()
    groups = access.security_groups(ledger, wish, found, rules)
    server_groups = machines.make_server_groups(ledger, wish, found)
    ports = machines.make_ports(ledger, wish, found, network, groups)
    public_ip = ""
    for machine in wish.machines:
        if machine.public:
            public_ip = maker.floating_address(ports[machine.name], machine.address)
    created = machines.make_machines(ledger, wish, found, checked, ports, server_groups, folder / "host_keys")
    tag(ledger)
    running = {one.name: one for one in found.of(SERVER)} if check else machines.wait_for_machines(ledger, wish)
    return Made(
        changes=ledger.changes,
        network={
            "network_id": network.network,
            "subnet_ids": [network.subnet],
            "router_id": network.router,
            "security_group_ids": [groups[name] for name in sorted(groups)],
            "security_groups": groups,
            "server_groups": server_groups,
        },
        public_ip=public_ip,
        machines=_machines(wish, running, found),
        created=created,
        surplus=_surplus(wish, found),
        size=_size(wish, checked),
        notes=_notes(wish, found, checked),
    )


def _machines(wish: Wish, running: dict[str, Resource], found: Found) -> list[dict[str, Any]]:
    """The machines as role cloud_common takes them."""
    described = []
    for machine in wish.machines:
        server = running.get(wish.name(machine.name))
        described.append(
            {
                "name": machine.name,
                "role": machine.role,
                "groups": list(machine.groups),
                "address": machine.address,
                "id": server.id if server else "",
                "host_key": server.raw.metadata.get(marks.HOST_KEY, "") if server else "",
            }
        )
    wished = {wish.name(machine.name) for machine in wish.machines}
    return described + [one for server in found.of(SERVER) if server.name not in wished for one in describe(server)]


def describe(server: Resource) -> list[dict[str, Any]]:
    """A server as its own marks tell it; nothing where it has no address (yet)."""
    address = fixed_address(server.raw)
    groups = server.raw.metadata.get(marks.GROUPS, "").split("/")
    if not address or not groups[0]:
        return []
    return [
        {
            "name": server.raw.metadata.get(marks.MACHINE, server.name),
            "role": groups[0],
            "groups": groups,
            "address": address,
            "id": server.id,
            "host_key": server.raw.metadata.get(marks.HOST_KEY, ""),
        }
    ]


def fixed_address(server: Any) -> str:
    """The private IPv4 address of a server as compute lists it; empty when it has none yet."""
    for addresses in (server.addresses or {}).values():
        for one in addresses:
            if one.get("OS-EXT-IPS:type", "fixed") == "fixed" and one.get("version", 4) == 4:
                return str(one["addr"])
    return ""


def _size(wish: Wish, checked: preflight.Checked) -> str:
    flavors = [checked.flavors[machine.flavor] for machine in wish.machines]
    cores, memory = sum(one.vcpus for one in flavors), sum(one.ram for one in flavors) / 1024
    return f"{len(flavors)} machines, {cores} cores, {memory:.0f} GB of memory"


def _surplus(wish: Wish, found: Found) -> list[str]:
    wished = {wish.name(machine.name) for machine in wish.machines}
    roles = {f"{wish.orchestrator}_control", f"{wish.orchestrator}_workers", "load_generators"}
    return sorted(
        one.name
        for one in found.of(SERVER)
        if one.name not in wished
        and one.raw.task_state != "deleting"
        and one.raw.metadata.get(marks.GROUPS, "").split("/")[0] in roles
    )


def _notes(wish: Wish, found: Found, checked: preflight.Checked) -> list[str]:
    notes = []
    for machine in wish.machines:
        server, port = found.one(SERVER, wish.name(machine.name)), found.one(PORT, wish.name(machine.name))
        if server is None:
            continue
        wanted, has = checked.flavors[machine.flavor], server.raw.flavor or {}
        is_a = has.get("original_name") or has.get("name") or has.get("id")
        if is_a not in (wanted.name, wanted.id):
            notes.append(f"{server} is a {is_a}, not a {machine.flavor}: delete it to have it made anew")
        if port is None or (port.raw.device_id and port.raw.device_id != server.id):
            notes.append(f"{server} has lost its port: delete it to have it made anew")
    for group in found.of(SERVER_GROUP):
        policy = group.raw.policy or (group.raw.policies or [""])[0]
        if wish.placement != "none" and policy != machines.POLICIES[wish.placement]:
            notes.append(f"{group} is of policy {policy}: tear down to change it")
    return notes
