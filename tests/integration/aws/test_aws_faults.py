"""Throttling, answers that are lost, things that are not known yet, machines that can't be had."""

from __future__ import annotations

import time

import pytest
from awslab import Lab
from strictec2 import Fault

from faas_exp.errors import FaasExpError

CREATING = [
    "ImportKeyPair",
    "CreateVpc",
    "CreateInternetGateway",
    "AttachInternetGateway",
    "CreateSubnet",
    "AllocateAddress",
    "CreateNatGateway",
    "CreateRouteTable",
    "AssociateRouteTable",
    "CreateRoute",
    "CreateSecurityGroup",
    "AuthorizeSecurityGroupIngress",
    "CreatePlacementGroup",
    "RunInstances",
    "AssociateAddress",
]


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor how long boto3 waits before it tries again."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_every_answer_is_lost_once(lab: Lab, whole: list[str]) -> None:
    """Carried out, but nobody heard: whatever is sent again must not make a second one."""
    lab.strict.faults += [Fault(action, "lose") for action in CREATING]
    lab.ensure()
    assert lab.shape() == whole
    assert len(lab.ec2.describe_instances()["Reservations"]) == 6
    assert lab.ensure().changes == []


def test_every_request_is_throttled_at_first(lab: Lab, whole: list[str]) -> None:
    lab.strict.faults += [Fault(action, times=2) for action in [*CREATING, "DescribeInstances", "DescribeVpcs"]]
    lab.ensure()
    assert lab.shape() == whole


def test_what_was_just_made_is_not_known_everywhere(lab: Lab, whole: list[str]) -> None:
    unknown = {
        "DescribeVpcAttribute": "InvalidVpcID.NotFound",
        "ModifyVpcAttribute": "InvalidVpcID.NotFound",
        "AttachInternetGateway": "InvalidInternetGatewayID.NotFound",
        "CreateSubnet": "InvalidVpcID.NotFound",
        "CreateNatGateway": "InvalidSubnetID.NotFound",
        "CreateRouteTable": "InvalidVpcID.NotFound",
        "AssociateRouteTable": "InvalidRouteTableID.NotFound",
        "CreateRoute": "InvalidGatewayID.NotFound",
        "CreateSecurityGroup": "InvalidVpcID.NotFound",
        "AuthorizeSecurityGroupIngress": "InvalidGroup.NotFound",
        "RunInstances": "InvalidPlacementGroup.Unknown",
        "AssociateAddress": "InvalidAllocationID.NotFound",
    }
    lab.strict.faults += [Fault(action, code=code, times=2) for action, code in unknown.items()]
    lab.ensure()
    assert lab.shape() == whole


def test_errors_inside_ec2(lab: Lab, whole: list[str]) -> None:
    lab.strict.faults += [Fault(action, code="InternalError", times=2) for action in CREATING]
    lab.ensure()
    assert lab.shape() == whole


def test_a_list_that_lags_makes_no_second_machine(lab: Lab, whole: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the start, run again before EC2 lists the machines: the same wish has the same token."""
    from faas_exp.aws import environment
    from faas_exp.aws.survey import Found, survey

    lab.ensure()

    def lagging(*arguments: object) -> Found:
        found = survey(*arguments)  # type: ignore[arg-type]
        return Found([one for one in found.all if one.kind not in ("instance", "volume", "nat gateway")])

    monkeypatch.setattr(environment, "survey", lagging)
    lab.ensure()
    repeated = [one.action for one in lab.strict.calls if one.error == "repeated"]
    assert sorted(repeated) == ["CreateNatGateway", *["RunInstances"] * 6]
    assert lab.shape() == whole


@pytest.mark.parametrize(
    ("action", "code", "expected"),
    [
        ("RunInstances", "InsufficientInstanceCapacity", "none free in this zone"),
        ("RunInstances", "VcpuLimitExceeded", "ask for a higher quota"),
        ("CreateVpc", "VpcLimitExceeded", "delete a VPC that is not used"),
        ("AllocateAddress", "AddressLimitExceeded", "two elastic addresses are needed"),
        ("CreateSecurityGroup", "UnauthorizedOperation", "docs/aws.md lists the permissions"),
    ],
)
def test_what_can_t_be_had(lab: Lab, whole: list[str], action: str, code: str, expected: str) -> None:
    """The failure names the thing and what to do; the rest is there, and the next run goes on from it."""
    fault = Fault(action, code=code, times=1)
    lab.strict.faults.append(fault)
    with pytest.raises(FaasExpError) as error:
        # Else the machine would be started elsewhere than on a rack of its own.
        lab.ensure(placement="strict")
    assert code in str(error.value)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    if action == "RunInstances":
        assert str(error.value).startswith("start machine trial-")
        assert len(lab.strict.changes("RunInstances")) == 5
    lab.ensure()
    assert lab.shape() == whole


def test_a_machine_that_ends_by_itself(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 says only afterwards that a volume's key can't be used, or that an account's disks are full."""
    from faas_exp.aws import machines
    from faas_exp.aws.survey import Found, survey

    def ended(*arguments: object) -> Found:
        found = survey(*arguments)  # type: ignore[arg-type]
        for one in found.of("instance"):
            if one.name == "trial-ftp":
                one.raw["StateReason"] = {"Code": "Client.VolumeLimitExceeded", "Message": "Volume limit exceeded"}
                found.all.remove(one)
                found.gone.append(one)
        return found

    monkeypatch.setattr(machines, "survey", ended)
    with pytest.raises(FaasExpError, match=r"trial-ftp .* ended by itself: Client.VolumeLimitExceeded"):
        lab.ensure()
