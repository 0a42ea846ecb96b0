"""Machines of one role on different racks: EC2's spread placement groups.

A spread group holds up to seven machines in one zone, each on a rack with network and power of its own (EC2 User Guide,
"Placement groups"). One rack that fails, or one noisy neighbour, then meets one machine of a role and not several.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial

from faas_exp.aws.errors import AwsInputError
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.patience import create_once
from faas_exp.aws.session import Cloud
from faas_exp.aws.spec import Wish
from faas_exp.aws.survey import Found, survey
from faas_exp.aws.tags import specification

KIND = "placement group"
SEATS = 7
"""Machines of one spread group in one zone, at most."""


def seats(wish: Wish) -> dict[str, str]:
    """The placement group of each machine that has one, by the machine's name.

    The first seven of a role are in its first group, the next seven in the second: a machine that comes or goes at the
    end leaves the others where they are. Two of different groups may share a rack.
    """
    if wish.placement == "none":
        return {}
    alike: dict[str, list[str]] = defaultdict(list)
    for machine in wish.machines:
        if machine.in_cluster:
            alike[machine.role].append(machine.name)
    return {
        name: f"{wish.env}-{role}-{place // SEATS + 1}"
        for role, names in alike.items()
        for place, name in enumerate(names)
    }


def possible(cloud: Cloud, wish: Wish) -> Wish:
    """The wish without spreading where the server knows none (AWS itself always does).

    Args:
        cloud: after a survey, which finds it out.

    Raises:
        AwsInputError: spreading was a must.
    """
    if KIND not in cloud.lacks or wish.placement == "none":
        return wish
    if wish.placement == "strict":
        raise AwsInputError("cloud_aws_placement", "strict", "soft, none (this server knows no placement groups)")
    return replace(wish, placement="none")


def make_placement_groups(ledger: Ledger, wish: Wish, found: Found) -> None:
    """Make the groups that are missing (preflight has seen that their names are free)."""
    for name in sorted(set(seats(wish).values())):
        if found.one(KIND, name) is not None:
            continue
        create = partial(
            ledger.cloud.ec2_once.create_placement_group,
            GroupName=name,
            Strategy="spread",
            TagSpecifications=[specification("placement-group", ledger.tags(name, timed=True))],
        )

        def look(name: str = name) -> object:
            return survey(ledger.cloud, wish.env, (KIND,)).one(KIND, name)

        ledger.do(f"create placement group {name} (spread)", partial(create_once, create, look))
