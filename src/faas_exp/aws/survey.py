"""What there is: everything that carries the tag, of every kind that is ever made here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from faas_exp.aws import tags
from faas_exp.aws.errors import FAILURES, AwsError, explain, is_unknown_action
from faas_exp.aws.session import Cloud
from faas_exp.clouds import survey as survey_of_clouds
from faas_exp.clouds.survey import list_all


@dataclass(frozen=True)
class Kind:
    """How EC2 lists one kind of resource."""

    name: str
    operation: str
    items: str
    id_key: str
    created_key: str = ""
    state_key: str = ""
    gone: tuple[str, ...] = ()
    filters: str = "Filters"
    paged: bool = True
    optional: bool = False


KINDS = (
    Kind("instance", "describe_instances", "Instances", "InstanceId", "LaunchTime", "State", ("terminated",)),
    Kind("nat gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId", "CreateTime", "State", ("deleted",),
         filters="Filter"),
    Kind("elastic address", "describe_addresses", "Addresses", "AllocationId", paged=False),
    Kind("volume", "describe_volumes", "Volumes", "VolumeId", "CreateTime", "State", ("deleted",)),
    Kind("network interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    Kind("internet gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    Kind("subnet", "describe_subnets", "Subnets", "SubnetId"),
    Kind("route table", "describe_route_tables", "RouteTables", "RouteTableId"),
    Kind("security group", "describe_security_groups", "SecurityGroups", "GroupId"),
    Kind("placement group", "describe_placement_groups", "PlacementGroups", "GroupId", "", "State", ("deleted",),
         paged=False, optional=True),
    Kind("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    Kind("key pair", "describe_key_pairs", "KeyPairs", "KeyPairId", "CreateTime", paged=False),
)  # fmt: skip
"""In the order in which they are deleted."""


@dataclass(frozen=True)
class Resource(survey_of_clouds.Resource):
    """One thing at AWS.

    Attributes:
        kind: one of the names in :data:`KINDS`.
        name: its Name tag.
        raw: as EC2 describes it.
    """

    state: str
    raw: dict[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        return tags.tag_dict(self.raw)


class Found(survey_of_clouds.Found[Resource]):
    """The resources of one survey.

    What EC2 still lists of things that are no more (it does for about an hour) is kept apart in ``gone``.
    """

    error = AwsError

    def __init__(self, resources: list[Resource]) -> None:
        dead = {kind.name: kind.gone for kind in KINDS}
        self.gone = [one for one in resources if one.state in dead[one.kind]]
        super().__init__([one for one in resources if one.state not in dead[one.kind]])


def survey(cloud: Cloud, env: str | None = None, kinds: tuple[str, ...] = ()) -> Found:
    """List everything of one environment, or of all (``env`` None), all kinds at the same time."""
    wanted = [kind for kind in KINDS if not kinds or kind.name in kinds]
    return Found(list_all(wanted, lambda kind: _list(cloud, kind, env), env))


def _list(cloud: Cloud, kind: Kind, env: str | None) -> list[Resource]:
    wanted = {"Name": f"tag:{tags.ENV}", "Values": [env]} if env else {"Name": "tag-key", "Values": [tags.ENV]}
    if kind.name in cloud.lacks:
        return []
    arguments: dict[str, Any] = {kind.filters: [wanted]}
    if kind.name == "key pair":
        arguments["IncludePublicKey"] = True
    try:
        if kind.paged:
            answer = cloud.ec2.get_paginator(kind.operation).paginate(**arguments).build_full_result()
        else:
            answer = getattr(cloud.ec2, kind.operation)(**arguments)
    except FAILURES as error:
        if kind.optional and not cloud.is_aws and is_unknown_action(error):
            cloud.lacks.add(kind.name)
            return []
        raise explain(error, f"list {kind.name}s in {cloud.region}") from error
    if kind.name == "instance":
        items = [raw for reservation in answer.get("Reservations", []) for raw in reservation["Instances"]]
    else:
        items = answer.get(kind.items, [])
    return [_resource(kind, raw) for raw in items]


def _resource(kind: Kind, raw: dict[str, Any]) -> Resource:
    its = tags.tag_dict(raw)
    state = raw.get(kind.state_key, "")
    created = raw.get(kind.created_key)
    if created is None and its.get(tags.CREATED):
        try:
            created = datetime.fromisoformat(its[tags.CREATED])
        except ValueError:
            created = None
    return Resource(
        kind=kind.name,
        id=raw[kind.id_key],
        env=its.get(tags.ENV, ""),
        name=its.get("Name", ""),
        created=created.astimezone(UTC) if created else None,
        state=state["Name"] if isinstance(state, dict) else state,
        raw=raw,
    )
