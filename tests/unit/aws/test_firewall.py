"""Who may talk to whom: what must hold whatever the inputs are."""

from __future__ import annotations

from itertools import combinations

import pytest

from faas_exp.firewall import FirewallError, Rule, rules
from faas_exp.machines import ORCHESTRATORS, plan

ADMIN = ["203.0.113.7/32"]
EVERY = [list(some) for count in (1, 2, 3) for some in combinations(ORCHESTRATORS, count)]


def groups_of(orchestrators: list[str]) -> set[str]:
    counts = dict.fromkeys(("manager_count", "servers_count", "master_count", "worker_count", "clients_count"), 1)
    return {machine.role for one in orchestrators for machine in plan(one, counts=counts)}


@pytest.mark.parametrize("orchestrators", EVERY)
def test_the_world_sees_the_bastion_s_ssh_and_nothing_else(orchestrators: list[str]) -> None:
    outside = [one for one in rules(orchestrators, admin=ADMIN) if one.from_network]
    assert outside == [Rule("bastion", ADMIN[0], "tcp", 22, 22, "SSH from the administrator")]


@pytest.mark.parametrize("orchestrators", EVERY)
def test_every_machine_is_reached_through_the_bastion_alone(orchestrators: list[str]) -> None:
    ssh = {one.to: one.source for one in rules(orchestrators, admin=ADMIN) if one.first <= 22 <= one.last}
    assert set(ssh) == groups_of(orchestrators)
    assert {source for to, source in ssh.items() if to != "bastion"} == {"bastion"}


@pytest.mark.parametrize("orchestrators", EVERY)
def test_groups_are_those_that_machines_are_in(orchestrators: list[str]) -> None:
    named = {group for one in rules(orchestrators, admin=ADMIN) for group in (one.to, one.source)} - set(ADMIN)
    assert named == groups_of(orchestrators)


def test_clusters_side_by_side_do_not_see_one_another() -> None:
    for one in rules(ORCHESTRATORS, admin=ADMIN):
        owners = {group.split("_")[0] for group in (one.to, one.source) if group.endswith(("_control", "_workers"))}
        assert len(owners) <= 1, one


def test_machines_that_make_load_are_a_part_only_when_there_are_any() -> None:
    without, with_them = rules(["swarm"], admin=ADMIN), rules(["swarm"], admin=ADMIN, generators=True)
    assert {(one.to, one.source, one.first) for one in set(with_them) - set(without)} == {
        ("load_generators", "bastion", 22),
        ("bastion", "load_generators", 5557),
        ("haproxy", "load_generators", 80),
    }


def test_no_permission_is_given_twice() -> None:
    keys = [(one.to, one.source, one.protocol, one.first, one.last) for one in rules(ORCHESTRATORS, admin=ADMIN)]
    assert len(keys) == len(set(keys))


def test_ports_follow_the_inputs() -> None:
    found = rules(["k8s"], admin=ADMIN, ports={"gateway": 80, "registry": "5001", "ftp_passive": "3000-3010"})
    assert {(one.first, one.last) for one in found if one.why == "images"} == {(5001, 5001)}
    assert {(one.first, one.last) for one in found if one.why.startswith("gateway")} == {(80, 80)}
    assert {(one.first, one.last) for one in found if one.why.endswith("data")} == {(3000, 3010)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"admin": ["office"]}, "admin_cidr: found 'office', allowed: an IPv4 network"),
        ({"ports": {"ssh": 22}}, "ports: found 'ssh', allowed: agent, ftp_passive"),
        ({"ports": {"gateway": "9-8"}}, "ports.gateway: found '9-8', allowed: a port"),
        ({"ports": {"gateway": "http"}}, "ports.gateway: found 'http', allowed: a port"),
    ],
)
def test_wrong_input(arguments: dict[str, object], expected: str) -> None:
    with pytest.raises(FirewallError) as error:
        rules(["swarm"], **{"admin": ADMIN, **arguments})  # type: ignore[arg-type]
    assert expected in str(error.value)


def test_hosts_in_a_network_are_no_obstacle() -> None:
    assert {one.source for one in rules(["swarm"], admin=["203.0.113.7/24"]) if one.from_network} == {"203.0.113.0/24"}
