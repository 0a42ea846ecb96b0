"""Killed on the way, at ten places: the next run completes it, and nothing is there twice."""

from __future__ import annotations

import pytest
from awslab import ENV, Lab
from strictec2 import Gate

# How many requests had been carried out; whether the answer to the last one had been sent off.
PLACES = [
    (0, False),  # before anything
    (1, True),  # the key pair is there, nobody heard of it
    (2, True),  # the VPC likewise
    (4, True),  # an internet gateway that is attached to nothing
    (8, True),  # the address of a NAT gateway that is not there
    (9, True),  # the NAT gateway
    (11, False),  # a route table without a route
    (17, True),  # some security groups, none of them open
    (29, True),  # some machines, the answers on their way
    (34, True),  # the bastion's address, not given to it
]


def kill_at(lab: Lab, at: int, *, carried_out: bool, what: str = "ensure") -> None:
    gate = Gate(at, carried_out)
    lab.strict.gate = gate
    child = lab.child(what)
    try:
        while not gate.reached.wait(timeout=0.2):
            assert child.is_alive(), lab.output.read_text(encoding="utf-8")
    finally:
        child.kill()
        child.join()
        lab.strict.gate = None
        gate.opened.set()


@pytest.mark.parametrize(("at", "carried_out"), PLACES)
def test_the_next_run_completes_it(lab: Lab, whole: list[str], at: int, carried_out: bool) -> None:
    kill_at(lab, at, carried_out=carried_out)
    done = len(lab.strict.changes())
    assert done >= at
    made = lab.ensure()
    assert lab.shape() == whole
    assert len(lab.ec2.describe_instances()["Reservations"]) == 6
    assert len(lab.ec2.describe_nat_gateways()["NatGateways"]) == 1
    assert len(lab.ec2.describe_addresses()["Addresses"]) == 2
    assert bool(made.changes)
    assert lab.ensure().changes == []


@pytest.mark.parametrize("at", [1, 4, 9, 20])
def test_a_teardown_that_was_killed(lab: Lab, at: int) -> None:
    lab.ensure()
    before = len([one for one in lab.strict.calls if one.changes])
    kill_at(lab, before + at, carried_out=True, what="teardown")
    assert lab.shape() != []
    lab.teardown()
    assert lab.shape() == []
    assert [one.error for one in lab.strict.calls if one.error] == []


@pytest.mark.parametrize("at", [2, 4, 9, 17, 29])
def test_what_was_half_made_is_torn_down(lab: Lab, at: int) -> None:
    kill_at(lab, at, carried_out=True)
    assert lab.teardown() > 0
    assert lab.shape() == []
    assert lab.ec2.describe_key_pairs()["KeyPairs"] == []
    assert [one["VpcId"] for one in lab.ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]] == []
    assert lab.ec2.describe_addresses()["Addresses"] == []
    assert ENV not in str(lab.ec2.describe_security_groups())
