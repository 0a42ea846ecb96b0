"""One environment from wish to machines that run: the story, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faas_exp.aws import access, preflight, tags
from faas_exp.aws.home import same_home, settle
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.machines import give_public_address, make_machines, wait_for_machines
from faas_exp.aws.network import NetworkMaker
from faas_exp.aws.placement import make_placement_groups, possible, seats
from faas_exp.aws.session import Cloud
from faas_exp.aws.spec import Wish
from faas_exp.aws.survey import Found, Resource, survey
from faas_exp.clouds.environment import Made
from faas_exp.machines import GENERATORS

__all__ = ["Made", "ensure"]


def ensure(cloud: Cloud, wish: Wish, state: Path, *, check: bool = False) -> Made:
    """Make what is missing, change what differs and can be changed, leave the rest.

    Args:
        state: the environment's folder on the controller, for the machines' host keys among others.
        check: only find out what would be done.

    Raises:
        AwsError: one line; what was made until then is tagged, and the next run goes on from it.
    """
    wish.check(key_optional=check)
    same_home(cloud, wish.env, state)
    found = survey(cloud, wish.env)
    wish = possible(cloud, wish)
    checked = preflight.check(cloud, wish, found)
    rules = access.standing_rules(wish, found)
    ledger = Ledger(cloud, wish.env, check)
    if not check:
        settle(cloud, state)
    maker = NetworkMaker(ledger, wish, found)
    access.key_pair(ledger, wish, found)
    network = maker.make()
    groups = access.security_groups(ledger, wish, rules, found, network.vpc)
    make_placement_groups(ledger, wish, found)
    created = make_machines(ledger, wish, found, checked, network, groups, state / "host_keys")
    maker.finish(network)
    running = {one.name: one for one in found.of("instance") if one.state != "shutting-down"}
    if not check:
        running.update(wait_for_machines(ledger, wish))
    public_ip = give_public_address(ledger, wish, maker, running)
    return Made(
        changes=ledger.changes,
        network={
            "vpc_id": network.vpc,
            "subnet_ids": [network.public_subnet, network.private_subnet],
            "security_group_ids": [groups[name] for name in sorted(groups)],
            "security_groups": groups,
            "internet_gateway_id": network.internet_gateway,
            "nat_gateway_id": network.nat_gateway,
        },
        public_ip=public_ip,
        machines=_machines(wish, running),
        created=[f"{wish.env}-{name}" for name in created],
        surplus=_surplus(wish, found),
        notes=_notes(wish, found),
    )


def _machines(wish: Wish, running: dict[str, Resource]) -> list[dict[str, Any]]:
    """The machines, as role cloud_common takes them."""
    prefix = f"{wish.env}-"
    planned = {
        prefix + one.name: {"name": one.name, "groups": list(one.groups), "address": one.address, "id": ""}
        for one in wish.machines
    }
    there = {
        name: {
            "name": name.removeprefix(prefix),
            "groups": one.tags.get(tags.GROUPS, "").split("/"),
            "address": one.raw.get("PrivateIpAddress", ""),
            "id": one.id,
            "host_key": one.tags.get(tags.HOST_KEY, ""),
        }
        for name, one in running.items()
    }
    machines = [machine for _, machine in sorted({**planned, **there}.items())]
    return [{"host_key": "", **machine, "role": machine["groups"][0]} for machine in machines]


def _of_this_cluster(wish: Wish) -> set[str]:
    roles = {machine.role for machine in wish.machines if machine.role.endswith(("_control", "_workers"))}
    orchestrators = {role.rsplit("_", 1)[0] for role in roles}
    return {f"{one}_{part}" for one in orchestrators for part in ("control", "workers")} | {GENERATORS}


def _surplus(wish: Wish, found: Found) -> list[str]:
    wanted, roles = {f"{wish.env}-{machine.name}" for machine in wish.machines}, _of_this_cluster(wish)
    return sorted(
        one.name
        for one in found.of("instance")
        if one.state != "shutting-down"
        and one.name not in wanted
        and one.tags.get(tags.GROUPS, "").split("/")[0] in roles
    )


def _notes(wish: Wish, found: Found) -> list[str]:
    notes = []
    seated = seats(wish) if wish.placement == "strict" else {}
    for machine in wish.machines:
        instance = found.one("instance", f"{wish.env}-{machine.name}")
        if instance is None or instance.state == "shutting-down":
            continue
        if instance.raw["InstanceType"] != machine.instance_type:
            is_a = instance.raw["InstanceType"]
            notes.append(f"{instance} is a {is_a}, not a {machine.instance_type}: delete it to have it made anew")
        if instance.raw.get("PrivateIpAddress", machine.address) != machine.address:
            notes.append(f"{instance} has the address {instance.raw['PrivateIpAddress']}, not {machine.address}")
        group = seated.get(machine.name)
        if group and instance.raw.get("Placement", {}).get("GroupName") != group:
            notes.append(f"{instance} is not in placement group {group}: delete it to have it made anew")
    return notes
