"""Key pair and security groups."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from faas_exp.aws.errors import code_of
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.patience import create_once, until_known
from faas_exp.aws.spec import Wish
from faas_exp.aws.survey import Found, survey
from faas_exp.aws.tags import specification
from faas_exp.clouds.ledger import PLANNED
from faas_exp.firewall import Rule
from faas_exp.machines import GENERATORS, ORCHESTRATORS

# protocol, first port, last port, source (a network or a group's id)
_Key = tuple[str, int, int, str]


def key_pair(ledger: Ledger, wish: Wish, found: Found) -> None:
    """Import the login's public key under the environment's name (preflight has seen that the name is free)."""
    if found.one("key pair", wish.env) is not None:
        return
    tag = specification("key-pair", ledger.tags(wish.env))

    def create() -> Any:
        return ledger.cloud.ec2_once.import_key_pair(
            KeyName=wish.env, PublicKeyMaterial=wish.public_key.encode(), TagSpecifications=[tag]
        )

    def look() -> Any:
        return survey(ledger.cloud, wish.env, ("key pair",)).one("key pair", wish.env)

    ledger.do(f"import key pair {wish.env}", lambda: create_once(create, look))


def security_groups(ledger: Ledger, wish: Wish, rules: list[Rule], found: Found, vpc: str) -> dict[str, str]:
    """One group for each part, with exactly the rules wished: what is missing is opened, what is too much is closed.

    Returns:
        the groups' ids by inventory group.
    """
    names = sorted({rule.to for rule in rules} | {machine.role for machine in wish.machines})
    groups = {name: _group(ledger, wish, found, vpc, name) for name in names}
    known = {one.id for one in found.of("security group")}
    for name in names:
        wanted = {_key(rule, groups): rule for rule in rules if rule.to == name}
        _rules(ledger, wish, name, groups[name], wanted, is_new=groups[name] not in known)
    return groups


def standing_rules(wish: Wish, found: Found) -> list[Rule]:
    """The rules that are wished, and those of parts for which there are security groups already."""
    parts = {one.name.removeprefix(f"{wish.env}-") for one in found.of("security group")}
    orchestrators = [one for one in ORCHESTRATORS if f"{one}_control" in parts]
    return wish.rules(orchestrators, generators=GENERATORS in parts)


def _group(ledger: Ledger, wish: Wish, found: Found, vpc: str, part: str) -> str:
    name = f"{wish.env}-{part}"
    there = found.one("security group", name)
    if there is not None:
        return there.id
    tag = specification("security-group", ledger.tags(name, timed=True))

    def create() -> Any:
        return until_known(
            lambda: ledger.cloud.ec2_once.create_security_group(
                GroupName=name, Description=f"{part} machines of {wish.env}", VpcId=vpc, TagSpecifications=[tag]
            )
        )

    def look() -> Any:
        made = survey(ledger.cloud, wish.env, ("security group",)).one("security group", name)
        return None if made is None else made.raw

    made = ledger.do(
        f"create security group {name}", lambda: create_once(create, look), {"GroupId": f"{PLANNED} {part}"}
    )
    return str(made["GroupId"])


def _key(rule: Rule, groups: dict[str, str]) -> _Key:
    return rule.protocol, rule.first, rule.last, rule.source if rule.from_network else groups[rule.source]


def _rules(ledger: Ledger, wish: Wish, part: str, group: str, wanted: dict[_Key, Rule], *, is_new: bool) -> None:
    now = {} if is_new and ledger.check else _present(ledger, group)
    missing = {key: rule for key, rule in wanted.items() if key not in now}
    surplus = {key: rule_id for key, rule_id in now.items() if key not in wanted}
    name = f"{wish.env}-{part}"
    # Opened before closed: whoever may connect under both is not cut off in between.
    if missing:
        said = ", ".join(f"{one.protocol} {_ports(one)} from {one.source}" for one in missing.values())
        ledger.do(f"open security group {name}: {said}", lambda: _authorize(ledger, group, name, missing))
    if surplus:
        said = ", ".join(f"{protocol} {first}-{last} from {source}" for protocol, first, last, source in surplus)
        ledger.do(
            f"close security group {name}: {said}",
            lambda: ledger.cloud.ec2.revoke_security_group_ingress(
                GroupId=group, SecurityGroupRuleIds=sorted(surplus.values())
            ),
        )


def _ports(rule: Rule) -> str:
    return str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"


def _present(ledger: Ledger, group: str) -> dict[_Key, str]:
    """The incoming rules that there are, with their ids."""
    pages = ledger.cloud.ec2.get_paginator("describe_security_group_rules").paginate(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )
    present: dict[_Key, str] = {}
    for rule in until_known(pages.build_full_result)["SecurityGroupRules"]:
        if rule["IsEgress"]:
            continue
        source = (
            rule.get("CidrIpv4")
            or rule.get("ReferencedGroupInfo", {}).get("GroupId")
            or rule.get("CidrIpv6")
            or rule.get("PrefixListId", "")
        )
        key = (rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1), source)
        present[key] = rule["SecurityGroupRuleId"]
    return present


def _authorize(ledger: Ledger, group: str, name: str, missing: dict[_Key, Rule]) -> None:
    try:
        until_known(lambda: _open(ledger, group, name, missing))
    except ClientError as error:
        # The answer to an earlier try was lost: it is all or nothing, so look, and open what is missing still.
        if code_of(error) != "InvalidPermission.Duplicate":
            raise
        now = _present(ledger, group)
        if still := {key: rule for key, rule in missing.items() if key not in now}:
            _open(ledger, group, name, still)


def _open(ledger: Ledger, group: str, name: str, rules: dict[_Key, Rule]) -> None:
    permissions = []
    for (protocol, first, last, source), rule in sorted(rules.items()):
        permission: dict[str, Any] = {"IpProtocol": protocol, "FromPort": first, "ToPort": last}
        if rule.from_network:
            permission["IpRanges"] = [{"CidrIp": source, "Description": rule.why}]
        else:
            permission["UserIdGroupPairs"] = [{"GroupId": source, "Description": rule.why}]
        permissions.append(permission)
    ledger.cloud.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=permissions,
        TagSpecifications=[specification("security-group-rule", ledger.tags(name))],
    )
