"""The end of an environment, in the order that EC2 wants, and the proof that nothing is left.

Instances and NAT gateway first, since everything else hangs on them; then addresses, gateways, subnets, routes, groups,
VPC. Only what carries the tag is touched. What is gone already, or half-made, is no obstacle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from faas_exp.aws.errors import FAILURES, AwsError, code_of, explain
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.patience import BUSY, until_free, wait_until
from faas_exp.aws.survey import Found, Resource, survey
from faas_exp.clouds.teardown import delete, prove

_Delete = Callable[[Any, Resource], Any]

_REST: tuple[tuple[str, _Delete], ...] = (
    # Volumes and interfaces die with their machine; these are what a machine lost hold of.
    ("volume", lambda ec2, one: ec2.delete_volume(VolumeId=one.id)),
    ("network interface", lambda ec2, one: ec2.delete_network_interface(NetworkInterfaceId=one.id)),
    ("internet gateway", lambda ec2, one: ec2.delete_internet_gateway(InternetGatewayId=one.id)),
    ("subnet", lambda ec2, one: ec2.delete_subnet(SubnetId=one.id)),
    ("route table", lambda ec2, one: ec2.delete_route_table(RouteTableId=one.id)),
    ("security group", lambda ec2, one: ec2.delete_security_group(GroupId=one.id)),
    ("placement group", lambda ec2, one: ec2.delete_placement_group(GroupName=one.raw["GroupName"])),
    ("vpc", lambda ec2, one: ec2.delete_vpc(VpcId=one.id)),
    ("key pair", lambda ec2, one: ec2.delete_key_pair(KeyName=one.raw["KeyName"])),
)


def teardown(ledger: Ledger, timeout: int = 600) -> int:
    """Delete everything of the environment, and look again.

    Returns:
        how many things there were.

    Raises:
        AwsError: something is left, or can't be deleted; named, with what holds it.
    """
    found = survey(ledger.cloud, ledger.env)
    ec2 = ledger.cloud.ec2
    _machines_and_nat(ledger, found, timeout)
    for address in found.of("elastic address"):
        _delete(ledger, address, partial(_release, ec2, address))
    for kind, remove in _REST:
        resources = found.of(kind)
        if not ledger.check and kind in ("volume", "network interface"):
            resources = survey(ledger.cloud, ledger.env, (kind,)).of(kind)
        if kind == "internet gateway":
            for gateway in resources:
                _detach(ledger, gateway)
        if kind == "subnet":
            for table in found.of("route table"):
                _disassociate(ledger, table)
        if kind == "security group":
            _let_go(ledger, resources)
        for resource in resources:
            _delete(ledger, resource, partial(remove, ec2, resource))
    if not ledger.check:
        prove(ledger.env, lambda: survey(ledger.cloud, ledger.env).all, wait_until, 60, AwsError)
    return len(found.all)


def remove_machines(ledger: Ledger, names: Iterable[str], timeout: int = 600) -> None:
    """Delete these machines alone, and wait until they are gone.

    Args:
        names: with the environment's name before them.
    """
    wanted = set(names)
    instances = [one for one in survey(ledger.cloud, ledger.env, ("instance",)).of("instance") if one.name in wanted]
    _terminate(ledger, instances)
    _wait_for_end(ledger, instances, timeout)


def _machines_and_nat(ledger: Ledger, found: Found, timeout: int) -> None:
    instances, gateways = found.of("instance"), found.of("nat gateway")
    _terminate(ledger, instances)
    for gateway in gateways:
        if gateway.state != "deleting":
            _delete(ledger, gateway, partial(ledger.cloud.ec2.delete_nat_gateway, NatGatewayId=gateway.id))
    # Both take a minute: they go at the same time.
    _wait_for_end(ledger, instances, timeout)
    if gateways and not ledger.check:
        wait_until(
            lambda: not survey(ledger.cloud, ledger.env, ("nat gateway",)).of("nat gateway"),
            f"nat gateway of {ledger.env} is deleted",
            timeout,
        )


def _terminate(ledger: Ledger, instances: list[Resource]) -> None:
    living = [one for one in instances if one.state != "shutting-down"]
    if not living:
        return
    ids = [one.id for one in living]
    names = ", ".join(sorted(one.name or one.id for one in living))
    call = partial(ledger.cloud.ec2.terminate_instances, InstanceIds=ids)
    ledger.do(f"delete machines {names}", lambda: until_free(call))


def _wait_for_end(ledger: Ledger, instances: list[Resource], timeout: int) -> None:
    if ledger.check or not instances:
        return
    ids = {one.id for one in instances}
    wait_until(
        lambda: not ids & {one.id for one in survey(ledger.cloud, ledger.env, ("instance",)).of("instance")},
        f"{len(ids)} machines of {ledger.env} are deleted",
        timeout,
    )


def _release(ec2: Any, address: Resource) -> None:
    # EC2 takes it off a machine that ends; off one that did not, it must be taken.
    now = ec2.describe_addresses(AllocationIds=[address.id])["Addresses"]
    if now and now[0].get("AssociationId"):
        until_free(lambda: ec2.disassociate_address(AssociationId=now[0]["AssociationId"]), 30)
    ec2.release_address(AllocationId=address.id)


def _detach(ledger: Ledger, gateway: Resource) -> None:
    for attachment in gateway.raw.get("Attachments", []):
        call = partial(
            ledger.cloud.ec2.detach_internet_gateway, InternetGatewayId=gateway.id, VpcId=attachment["VpcId"]
        )
        ledger.do(f"detach {gateway}", partial(until_free, call))


def _disassociate(ledger: Ledger, table: Resource) -> None:
    for association in table.raw.get("Associations", []):
        if not association.get("Main") and association.get("SubnetId"):
            call = partial(
                ledger.cloud.ec2.disassociate_route_table, AssociationId=association["RouteTableAssociationId"]
            )
            ledger.do(f"take {table} out of use", partial(until_free, call))


def _let_go(ledger: Ledger, groups: list[Resource]) -> None:
    """Groups name one another in their rules; none can be deleted while another names it."""
    for group in groups:
        if permissions := group.raw.get("IpPermissions"):
            call = partial(ledger.cloud.ec2.revoke_security_group_ingress, GroupId=group.id, IpPermissions=permissions)
            ledger.do(f"close {group}", partial(until_free, call, 30))


def _delete(ledger: Ledger, resource: Resource, call: Callable[[], Any]) -> None:
    delete(
        ledger,
        resource,
        partial(until_free, call),
        in_use=lambda error: code_of(error) in BUSY,
        users=partial(_users, ledger, resource),
        error=AwsError,
    )


def _users(ledger: Ledger, resource: Resource) -> str:
    """What stands in a VPC, a subnet or a group that isn't ours, in words."""
    vpc = resource.raw.get("VpcId")
    if not vpc:
        return ""
    try:
        interfaces = ledger.cloud.ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    except FAILURES as error:
        return f" ({explain(error, 'list what uses it')})"
    named = [
        f"{one['NetworkInterfaceId']} {one.get('Description', '')}".strip() for one in interfaces["NetworkInterfaces"]
    ]
    return f" by {', '.join(named[:5])}" if named else f" by something in {vpc}"
