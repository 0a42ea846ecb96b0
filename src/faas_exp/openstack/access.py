"""Key pair and security groups."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from faas_exp.clouds.ledger import PLANNED
from faas_exp.firewall import Rule, rules
from faas_exp.machines import GENERATORS, ORCHESTRATORS
from faas_exp.openstack import marks
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.patience import again, create_once
from faas_exp.openstack.spec import Wish
from faas_exp.openstack.survey import KEY_PAIR, SECURITY_GROUP, Found, survey

# protocol, first port, last port, source (a network or a group's id)
_Key = tuple[str, int, int, str]


def key_pair(ledger: Ledger, wish: Wish, found: Found) -> None:
    """Import the login's public key (preflight has seen that the name is free, or the key the same)."""
    name = marks.key_pair_name(wish.env)
    if found.one(KEY_PAIR, name) is not None:
        return
    create = partial(
        ledger.cloud.api.compute.create_keypair, name=name, public_key=marks.marked_key(wish.env, wish.public_key)
    )
    look = partial(_look, ledger, wish, KEY_PAIR, name)
    ledger.do(f"import key pair {name}", lambda: create_once(create, look))


def wanted_rules(wish: Wish, found: Found) -> list[Rule]:
    """Who may talk to whom, clusters that stand beside this one included."""
    parts = {one.name.removeprefix(f"{wish.env}-") for one in found.of(SECURITY_GROUP)}
    beside = [one for one in ORCHESTRATORS if f"{one}_workers" in parts]
    generators = GENERATORS in parts or any(machine.role == GENERATORS for machine in wish.machines)
    return rules([wish.orchestrator, *beside], admin=wish.admin, ports=wish.ports, generators=generators)


def group_names(wish: Wish, wanted: Iterable[Rule]) -> list[str]:
    """The parts that need a security group."""
    named = {one for rule in wanted for one in (rule.to, rule.source) if "/" not in one}
    return sorted(named | {machine.role for machine in wish.machines})


def security_groups(ledger: Ledger, wish: Wish, found: Found, wanted: list[Rule]) -> dict[str, str]:
    """One group for each part, with exactly the rules wanted: what is missing is opened, what is too much is closed.

    Returns:
        the groups' ids by inventory group.
    """
    names = group_names(wish, wanted)
    groups = {name: _group(ledger, wish, found, name) for name in names}
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(
                _rules, ledger, wish, found, name, groups, {_key(one, groups): one for one in wanted if one.to == name}
            )
            for name in names
        ]
    for job in jobs:
        job.result()
    return groups


def missing_rules(wish: Wish, found: Found, wanted: list[Rule]) -> tuple[int, int]:
    """How many groups and rules are still to be made, for the quota. A new group has two rules of its own."""
    there = {one.name: one for one in found.of(SECURITY_GROUP)}
    ids = {name: there[wish.name(name)].id for name in group_names(wish, wanted) if wish.name(name) in there}
    new = [name for name in group_names(wish, wanted) if name not in ids]
    lacking = 0
    for rule in wanted:
        present = {} if rule.to in new else _present(there[wish.name(rule.to)].raw.security_group_rules)
        known = rule.from_network or rule.source in ids
        lacking += not known or _key(rule, ids) not in present
    return len(new), lacking + 2 * len(new)


def _look(ledger: Ledger, wish: Wish, kind: str, name: str) -> Any:
    made = survey(ledger.cloud, wish.env, (kind,)).one(kind, name)
    return None if made is None else made.raw


def _group(ledger: Ledger, wish: Wish, found: Found, part: str) -> str:
    name = wish.name(part)
    there = found.one(SECURITY_GROUP, name)
    if there is not None:
        return there.id
    create = partial(ledger.cloud.api.network.create_security_group, name=name, description=marks.mark(wish.env))
    look = partial(_look, ledger, wish, SECURITY_GROUP, name)
    made = ledger.do(f"create security group {name}", lambda: create_once(create, look))
    return f"{PLANNED} {part}" if made is None else str(made.id)


def _key(rule: Rule, groups: dict[str, str]) -> _Key:
    return rule.protocol, rule.first, rule.last, rule.source if rule.from_network else groups[rule.source]


def _present(listed: Iterable[dict[str, Any]]) -> dict[_Key, str]:
    """Ids of the rules that let something in."""
    return {
        (
            str(one.get("protocol")),
            int(one.get("port_range_min") or 0),
            int(one.get("port_range_max") or 0),
            str(one.get("remote_group_id") or one.get("remote_ip_prefix") or f"anywhere {one.get('ethertype')}"),
        ): str(one["id"])
        for one in listed
        if one["direction"] == "ingress"
    }


def _rules(
    ledger: Ledger, wish: Wish, found: Found, part: str, groups: dict[str, str], wanted: dict[_Key, Rule]
) -> None:
    api, group = ledger.cloud.api.network, groups[part]
    there = found.one(SECURITY_GROUP, wish.name(part))
    now = _present(there.raw.security_group_rules) if there else {}
    missing = {key: rule for key, rule in wanted.items() if key not in now}

    def open_missing() -> None:
        # Looks before it sends, so that it may be done twice. One request makes all or none.
        present = _present(api.get_security_group(group).security_group_rules)
        bodies = [_body(group, key, rule) for key, rule in sorted(missing.items()) if key not in present]
        if bodies:
            api.create_security_group_rules(bodies)

    if missing:
        # By what they are for, not by ids, which a check does not know yet.
        names = ", ".join(_words(rule) for rule in sorted(missing.values()))
        ledger.do(f"open in security group {wish.name(part)}: {names}", lambda: again(open_missing))
    for key in sorted(set(now) - set(wanted)):
        delete = partial(api.delete_security_group_rule, now[key], ignore_missing=True)
        what = f"{key[0]} {_range(key[1], key[2])} from {_name(groups, key[3])}"
        ledger.do(f"close in security group {wish.name(part)}: {what}", partial(again, delete))


def _body(group: str, key: _Key, rule: Rule) -> dict[str, Any]:
    return {
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": rule.protocol,
        "port_range_min": rule.first,
        "port_range_max": rule.last,
        "remote_ip_prefix" if rule.from_network else "remote_group_id": key[3],
        "description": rule.why,
    }


def _words(rule: Rule) -> str:
    return f"{rule.protocol} {_range(rule.first, rule.last)} from {rule.source}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _name(groups: dict[str, str], source: str) -> str:
    return next((name for name, group in groups.items() if group == source), source)
