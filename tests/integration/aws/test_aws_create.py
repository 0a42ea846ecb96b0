"""An environment as it stands: every resource, every link, every permission. Only looks, but for the last test."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml
from awslab import ENV, Lab, open_ports
from strictec2 import Call

# Everything that may be open. What is not here and open is a hole.
EXPECTED = {
    "bastion": {
        "tcp 22-22 from 203.0.113.9/32",
        "tcp 5000-5000 from trial-swarm_control",
        "tcp 5000-5000 from trial-swarm_workers",
    },
    "haproxy": {
        "tcp 22-22 from trial-bastion",
        "tcp 80-80 from trial-bastion",
        "tcp 8404-8404 from trial-bastion",
        "tcp 9090-9090 from trial-bastion",
        "tcp 80-80 from trial-swarm_workers",
    },
    "ftp": {
        "tcp 22-22 from trial-bastion",
        "tcp 21-21 from trial-swarm_workers",
        "tcp 21100-21899 from trial-swarm_workers",
    },
    "swarm_control": {
        "tcp 22-22 from trial-bastion",
        *(f"tcp 2377-2377 from trial-swarm_{one}" for one in ("control", "workers")),
        *(f"tcp 7946-7946 from trial-swarm_{one}" for one in ("control", "workers")),
        *(f"udp 7946-7946 from trial-swarm_{one}" for one in ("control", "workers")),
        *(f"udp 4789-4789 from trial-swarm_{one}" for one in ("control", "workers")),
        "tcp 8079-8079 from trial-swarm_workers",
    },
    "swarm_workers": {
        "tcp 22-22 from trial-bastion",
        *(f"tcp 7946-7946 from trial-swarm_{one}" for one in ("control", "workers")),
        *(f"udp 7946-7946 from trial-swarm_{one}" for one in ("control", "workers")),
        *(f"udp 4789-4789 from trial-swarm_{one}" for one in ("control", "workers")),
        *(f"tcp 8080-8080 from trial-{one}" for one in ("bastion", "haproxy", "swarm_control")),
        *(f"tcp 9090-9090 from trial-{one}" for one in ("bastion", "haproxy", "swarm_control")),
        *(f"tcp 9100-9100 from trial-swarm_{one}" for one in ("control", "workers")),
    },
}
ADDRESSES = {
    "bastion": "10.0.1.4",
    "haproxy": "10.0.2.5",
    "ftp": "10.0.2.6",
    "docker-swarm-manager-1": "10.0.2.11",
    "docker-swarm-worker-1": "10.0.2.51",
    "docker-swarm-worker-2": "10.0.2.52",
}


def tagged(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By Name, those of the environment."""
    named = {}
    for one in found:
        tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
        if tags.get("faas-exp:env") == ENV:
            assert tags["Name"] not in named
            named[tags["Name"]] = {**one, "its": tags}
    return named


def instances(lab: Lab) -> dict[str, dict[str, Any]]:
    found = lab.ec2.describe_instances()["Reservations"]
    return tagged([one for reservation in found for one in reservation["Instances"]])


def test_network(standing: Lab) -> None:
    ec2 = standing.ec2
    vpc = tagged(ec2.describe_vpcs()["Vpcs"])["trial-vpc"]
    assert vpc["CidrBlock"] == "10.0.0.0/16"
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        assert ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)[key]["Value"]
    subnets = tagged(ec2.describe_subnets()["Subnets"])
    assert {name: one["CidrBlock"] for name, one in subnets.items()} == {
        "trial-public": "10.0.1.0/24",
        "trial-private": "10.0.2.0/24",
    }
    assert {one["VpcId"] for one in subnets.values()} == {vpc["VpcId"]}
    assert {one["AvailabilityZone"] for one in subnets.values()} == {"us-east-1b"}
    assert not any(one["MapPublicIpOnLaunch"] for one in subnets.values())
    gateway = tagged(ec2.describe_internet_gateways()["InternetGateways"])["trial-internet"]
    assert [one["VpcId"] for one in gateway["Attachments"]] == [vpc["VpcId"]]
    (nat,) = ec2.describe_nat_gateways()["NatGateways"]
    assert nat["SubnetId"] == subnets["trial-public"]["SubnetId"]
    addresses = tagged(ec2.describe_addresses()["Addresses"])
    assert nat["NatGatewayAddresses"][0]["AllocationId"] == addresses["trial-nat-address"]["AllocationId"]
    tables = tagged(ec2.describe_route_tables()["RouteTables"])
    for part, key, target in (
        ("public", "GatewayId", gateway["InternetGatewayId"]),
        ("private", "NatGatewayId", nat["NatGatewayId"]),
    ):
        table = tables[f"trial-{part}"]
        assert [one["SubnetId"] for one in table["Associations"]] == [subnets[f"trial-{part}"]["SubnetId"]]
        routes = {one["DestinationCidrBlock"]: one for one in table["Routes"]}
        assert set(routes) == {"10.0.0.0/16", "0.0.0.0/0"}
        assert routes["0.0.0.0/0"][key] == target


def test_security_groups_open_these_ports_and_no_others(standing: Lab) -> None:
    groups = standing.groups()
    names = {one["GroupId"]: one["GroupName"] for one in groups}
    assert {one["GroupName"].removeprefix("trial-"): set(open_ports(one, names)) for one in groups} == EXPECTED


def test_machines(standing: Lab) -> None:
    ec2 = standing.ec2
    groups = {one["GroupId"]: one["GroupName"] for one in standing.groups()}
    subnets = {one["SubnetId"]: name for name, one in tagged(ec2.describe_subnets()["Subnets"]).items()}
    volumes = tagged(ec2.describe_volumes()["Volumes"])
    found = instances(standing)
    # moto forgets the groups of an interface that is made with its machine: what was asked for counts.
    asked = {
        call.params["NetworkInterface.1.PrivateIpAddress"]: call.params["NetworkInterface.1.SecurityGroupId.1"]
        for call in standing.strict.changes("RunInstances")
    }
    assert {name.removeprefix("trial-"): one["PrivateIpAddress"] for name, one in found.items()} == ADDRESSES
    for name, one in found.items():
        machine = name.removeprefix("trial-")
        role = one["its"]["faas-exp:groups"].split("/")[0]
        assert one["its"]["faas-exp:machine"] == machine
        assert groups[asked[one["PrivateIpAddress"]]] == f"trial-{role}"
        assert subnets[one["SubnetId"]] == ("trial-public" if machine == "bastion" else "trial-private")
        assert one["InstanceType"] == ("t3a.medium" if machine == "haproxy" else "t3a.large")
        # The newest of Debian's for this architecture: an older, an impostor's, another architecture's are there too.
        assert one["ImageId"] == "ami-0faa5e0000000002a"
        assert one["KeyName"] == ENV
        assert one["MetadataOptions"]["HttpTokens"] == "required"
        assert one["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert volumes[name]["Encrypted"]
        assert volumes[name]["Size"] == (12 if machine == "haproxy" else 15)
        assert volumes[name]["VolumeType"] == "gp3"


def test_the_bastion_has_the_only_public_address(standing: Lab) -> None:
    assert standing.made is not None
    found = instances(standing)
    address = tagged(standing.ec2.describe_addresses()["Addresses"])["trial-bastion-address"]
    assert address["InstanceId"] == found["trial-bastion"]["InstanceId"]
    assert standing.made.public_ip == address["PublicIp"]
    for call in standing.strict.changes("RunInstances"):
        assert call.params["NetworkInterface.1.AssociatePublicIpAddress"] == "false"


def test_each_machine_is_born_with_the_host_key_that_is_expected_of_it(standing: Lab) -> None:
    assert standing.made is not None
    keys = {one["name"]: one["host_key"] for one in standing.made.machines}
    seen = set()
    for call in standing.strict.changes("RunInstances"):
        given = yaml.safe_load(base64.b64decode(call.params["UserData"]))
        name = given["hostname"]
        assert given["user"] == {"name": "admin"}
        assert given["ssh_keys"]["ed25519_public"] == f"{keys[name]} {name}"
        assert given["ssh_keys"]["ed25519_private"] == (standing.state / "host_keys" / name).read_text(encoding="utf-8")
        seen.add(keys[name])
    assert len(seen) == 6
    assert (standing.state / "host_keys").stat().st_mode & 0o777 == 0o700


def test_the_key_pair_is_the_login_s(standing: Lab) -> None:
    (pair,) = standing.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert pair["KeyName"] == ENV
    assert {tag["Key"]: tag["Value"] for tag in pair["Tags"]}["faas-exp:env"] == ENV


CREATING = {
    "ImportKeyPair": ["key-pair"],
    "CreateVpc": ["vpc"],
    "CreateInternetGateway": ["internet-gateway"],
    "CreateSubnet": ["subnet"],
    "AllocateAddress": ["elastic-ip"],
    "CreateNatGateway": ["natgateway"],
    "CreateRouteTable": ["route-table"],
    "CreateSecurityGroup": ["security-group"],
    "AuthorizeSecurityGroupIngress": ["security-group-rule"],
    "CreatePlacementGroup": ["placement-group"],
    "RunInstances": ["instance", "volume", "network-interface"],
}
LINKING = {"ModifyVpcAttribute", "AttachInternetGateway", "AssociateRouteTable", "CreateRoute", "AssociateAddress"}


def _tags(call: Call) -> dict[str, dict[str, str]]:
    """Tags of each kind that a call makes."""
    found: dict[str, dict[str, str]] = {}
    for index in range(1, 4):
        start = f"TagSpecification.{index}."
        if f"{start}ResourceType" in call.params:
            count = len([key for key in call.params if key.startswith(f"{start}Tag.") and key.endswith(".Key")])
            found[call.params[f"{start}ResourceType"]] = {
                call.params[f"{start}Tag.{n}.Key"]: call.params[f"{start}Tag.{n}.Value"] for n in range(1, count + 1)
            }
    return found


def test_nothing_is_ever_there_without_its_tags(standing: Lab) -> None:
    """In the very call that makes it: whoever is killed right after it leaves nothing that can't be found."""
    calls = standing.strict.changes()
    assert {one.action for one in calls} == set(CREATING) | LINKING
    for call in calls:
        if call.action in CREATING:
            tags = _tags(call)
            assert sorted(tags) == sorted(CREATING[call.action])
            assert all(one["faas-exp:env"] == ENV and one["Name"] for one in tags.values()), call


def test_whatever_may_be_sent_twice_has_a_token(standing: Lab) -> None:
    tokens = [one.params["ClientToken"] for one in standing.strict.changes("RunInstances", "CreateNatGateway")]
    assert len(set(tokens)) == 7


def test_the_second_run_changes_nothing(standing: Lab) -> None:
    before = len(standing.strict.changes())
    again = standing.ensure()
    assert again.changes == again.created == again.surplus == again.notes == []
    assert len(standing.strict.changes()) == before


def test_a_check_changes_nothing_and_knows_it_all(lab: Lab) -> None:
    planned = lab.ensure(check=True, public_key="")
    assert lab.strict.changes() == []
    assert not lab.state.exists()
    made = lab.ensure()
    assert sorted(planned.changes) == sorted(made.changes)
    assert planned.created == made.created
    for machine, checked in zip(made.machines, planned.machines, strict=True):
        assert (machine["name"], machine["address"]) == (checked["name"], checked["address"])
    assert lab.ensure(check=True).changes == []


def test_growing_and_shrinking(lab: Lab) -> None:
    lab.ensure(counts={"manager_count": 1, "worker_count": 1})
    grown = lab.ensure(counts={"manager_count": 1, "worker_count": 3})
    assert grown.created == ["trial-docker-swarm-worker-2", "trial-docker-swarm-worker-3"]
    shrunk = lab.ensure(counts={"manager_count": 1, "worker_count": 1})
    assert shrunk.changes == []
    assert shrunk.surplus == grown.created


def test_load_generators_come_and_go(lab: Lab) -> None:
    counts = {"manager_count": 1, "worker_count": 1}
    lab.ensure(counts=counts)
    more = lab.ensure(counts={**counts, "load_generator_count": 2})
    assert more.created == ["trial-load-generator-2"]
    assert {one for one in lab.shape() if "load_generators" in one and ":" in one} == {
        "trial-load_generators: tcp 22-22 from trial-bastion",
        "trial-bastion: tcp 5557-5557 from trial-load_generators",
        "trial-haproxy: tcp 80-80 from trial-load_generators",
    }
    fewer = lab.ensure(counts=counts)
    assert fewer.surplus == more.created
    assert fewer.changes == []


def test_clusters_side_by_side_keep_their_permissions(lab: Lab) -> None:
    services = {"services": ("bastion",)}
    lab.ensure(counts={"manager_count": 1, "worker_count": 1}, **services)
    before = set(lab.shape())
    both = lab.ensure(orchestrator="nomad", counts={"servers_count": 1, "clients_count": 1}, **services)
    assert before < set(lab.shape())
    assert both.surplus == []
    assert {one["role"] for one in both.machines} == {
        "bastion", "swarm_control", "swarm_workers", "nomad_control", "nomad_workers",
    }  # fmt: skip
    assert lab.ensure(counts={"manager_count": 1, "worker_count": 1}, **services).changes == []


@pytest.mark.parametrize("change", ["by hand", "another administrator"])
def test_security_groups_are_brought_back(lab: Lab, change: str) -> None:
    lab.ensure(counts={}, services=("bastion", "haproxy"))
    group = next(one for one in lab.groups() if one["GroupName"] == "trial-bastion")
    admin = ("203.0.113.9/32",)
    if change == "by hand":
        lab.ec2.authorize_security_group_ingress(
            GroupId=group["GroupId"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        )
    else:
        admin = ("198.51.100.0/24",)
    changed = lab.ensure(counts={}, services=("bastion", "haproxy"), admin=admin)
    assert [line.split(":")[0] for line in changed.changes][-1] == "close security group trial-bastion"
    group = next(one for one in lab.groups() if one["GroupName"] == "trial-bastion")
    assert [one for one in open_ports(group, {}) if "/" in one] == [f"tcp 22-22 from {admin[0]}"]


def test_a_machine_that_was_deleted_or_stopped_comes_back(lab: Lab) -> None:
    lab.ensure()
    before = instances(lab)
    gone, stopped = (before[f"trial-docker-swarm-worker-{one}"]["InstanceId"] for one in (1, 2))
    lab.ec2.terminate_instances(InstanceIds=[gone, before["trial-bastion"]["InstanceId"]])
    lab.ec2.stop_instances(InstanceIds=[stopped])
    address = next(one for one in lab.ensure().machines if one["name"] == "bastion")
    living = lab.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    after = tagged([one for reservation in living["Reservations"] for one in reservation["Instances"]])
    assert set(after) == set(before)
    assert after["trial-docker-swarm-worker-2"]["InstanceId"] == stopped
    assert after["trial-docker-swarm-worker-1"]["PrivateIpAddress"] == "10.0.2.51"
    assert after["trial-bastion"]["InstanceId"] == address["id"]
    (public,) = [one for one in lab.ec2.describe_addresses()["Addresses"] if one.get("InstanceId")]
    assert public["InstanceId"] == address["id"]
