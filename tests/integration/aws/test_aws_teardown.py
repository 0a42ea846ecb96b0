"""The end: in EC2's order, nothing of anybody else's, and the proof that nothing is left."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from awslab import ENV, INPUTS, Lab
from strictec2 import Fault

from faas_exp.aws.orphans import leftovers
from faas_exp.aws.session import connect
from faas_exp.errors import FaasExpError

SMALL: dict[str, Any] = {"counts": {}, "services": ("bastion", "haproxy")}


def foreign(ec2: Any) -> dict[str, str]:
    """Things of somebody else's, under names as ours, without our tag."""
    named = [{"Key": "Name", "Value": "trial-vpc"}]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": named}])
    vpc_id = vpc["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="trial-bastion", Description="ours", VpcId=vpc_id)["GroupId"]
    images = ec2.describe_images(Owners=["136693071363"])["Images"]
    tags = [{"Key": "Name", "Value": "trial-bastion"}, {"Key": "faas-exp:env", "Value": "other"}]
    instance = ec2.run_instances(
        ImageId=images[0]["ImageId"], MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    return {"vpc": vpc_id, "subnet": subnet, "group": group, "instance": instance, "address": address}


def books(ec2: Any) -> dict[str, set[str]]:
    """Everything that lives, of whomever."""
    found = ec2.describe_instances()["Reservations"]
    instances = [one for reservation in found for one in reservation["Instances"]]
    return {
        "instances": {one["InstanceId"] for one in instances if one["State"]["Name"] != "terminated"},
        "vpcs": {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]},
        "subnets": {one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]},
        "groups": {one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]},
        "addresses": {one["AllocationId"] for one in ec2.describe_addresses()["Addresses"]},
        "tables": {one["RouteTableId"] for one in ec2.describe_route_tables()["RouteTables"]},
        "gateways": {one["InternetGatewayId"] for one in ec2.describe_internet_gateways()["InternetGateways"]},
        "nat": {one["NatGatewayId"] for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"},
        "keys": {one["KeyPairId"] for one in ec2.describe_key_pairs()["KeyPairs"]},
        "volumes": {one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]},
    }


def test_everything_goes_and_nothing_of_others(lab: Lab) -> None:
    foreign(lab.ec2)
    before = books(lab.ec2)
    lab.ensure()
    assert books(lab.ec2) != before
    lab.teardown()
    assert books(lab.ec2) == before
    assert lab.shape() == []
    # The proxy refuses what EC2 would: nothing had to be refused.
    assert [(one.action, one.error) for one in lab.strict.calls if one.error] == []
    assert lab.teardown() == 0


def test_the_order_is_ec2_s(lab: Lab) -> None:
    lab.ensure()
    begin = len(lab.strict.calls)
    lab.teardown()
    order = [one.action for one in lab.strict.calls[begin:] if one.changes]
    first = {action: order.index(action) for action in order}
    last = {action: len(order) - 1 - order[::-1].index(action) for action in order}
    chain = [
        "TerminateInstances",
        "ReleaseAddress",
        "DetachInternetGateway",
        "DeleteInternetGateway",
        "DeleteSubnet",
        "DeleteRouteTable",
        "DeleteSecurityGroup",
        "DeleteVpc",
    ]
    for earlier, later in pairwise(chain):
        assert last[earlier] < first[later], (earlier, later, order)
    assert last["DeleteNatGateway"] < first["ReleaseAddress"]
    assert last["TerminateInstances"] < first["DeletePlacementGroup"]
    assert last["RevokeSecurityGroupIngress"] < first["DeleteSecurityGroup"]


def test_two_environments(lab: Lab) -> None:
    lab.ensure(**SMALL)
    lab.ensure(**SMALL, env="second")
    second = lab.shape("second")
    lab.teardown()
    assert lab.shape() == []
    assert lab.shape("second") == second
    assert lab.ensure(**SMALL, env="second").changes == []
    lab.teardown("second")


def test_something_of_others_in_our_network_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from faas_exp.aws import teardown as module

    monkeypatch.setattr(module, "until_free", lambda call, seconds=180: call())
    lab.ensure(**SMALL)
    (subnet,) = [one for one in lab.ec2.describe_subnets()["Subnets"] if "trial-private" in str(one)]
    image = lab.ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    other = lab.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"])["Instances"][0]
    with pytest.raises(
        FaasExpError, match=r"delete subnet trial-private .*still in use by eni-.*What to do: delete or"
    ):
        lab.teardown()
    lab.ec2.terminate_instances(InstanceIds=[other["InstanceId"]])
    lab.teardown()
    assert lab.shape() == []


def test_deletes_are_patient(lab: Lab) -> None:
    lab.ensure(**SMALL)
    lab.strict.faults += [
        Fault("DeleteSecurityGroup", code="DependencyViolation", times=2),
        Fault("DeleteSubnet", code="DependencyViolation", times=2),
        Fault("ReleaseAddress", code="InvalidIPAddress.InUse", times=2),
        Fault("DeleteVpc", code="RequestLimitExceeded", times=1),
        Fault("DeleteRouteTable", code="InvalidRouteTableID.NotFound", times=1),
    ]
    lab.strict.faults[-1].times = 0
    lab.teardown()
    assert lab.shape() == []


def test_some_machines_alone(lab: Lab) -> None:
    from faas_exp.aws.ledger import Ledger
    from faas_exp.aws.teardown import remove_machines

    lab.ensure()
    before = lab.shape()
    remove_machines(Ledger(connect(), ENV), ["trial-docker-swarm-worker-2"], 60)
    gone = {"instance trial-docker-swarm-worker-2", "volume trial-docker-swarm-worker-2"}
    assert set(before) - set(lab.shape()) == gone


def test_orphans_have_an_age_and_a_price(lab: Lab) -> None:
    lab.ensure()
    lab.ensure(**SMALL, env="forgotten")
    foreign(lab.ec2)
    first, second, third = leftovers(connect(), ["us-east-1", "eu-west-1"])
    assert (first.env, second.env, third.env) == ("forgotten", "other", "trial")
    assert first.hours is not None
    assert third.cost.per_hour > first.cost.per_hour > 0
    # 5 t3a.large, 1 t3a.medium, 87 GB, NAT gateway, 2 addresses.
    assert third.cost.per_hour == pytest.approx(5 * 0.0752 + 0.0376 + 87 * 0.08 / 730 + 0.045 + 0.01, abs=1e-4)
    assert "6 instances" in str(third)
    assert INPUTS["env"] in str(third)
