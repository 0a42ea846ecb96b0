"""An environment as the services see it: whole, unchanged by a second run, mended, shrunk, gone."""

from __future__ import annotations

import base64
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml
from openstacklab import PUBLIC_KEY, Lab, MakeLab, open_ports

from faas_exp.errors import FaasExpError
from faas_exp.openstack.environment import Made
from faas_exp.openstack.hosts import hosts
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.session import connect
from faas_exp.openstack.survey import PORT, SERVER
from faas_exp.openstack.teardown import remove_machines


@dataclass
class Standing:
    """An environment that tests share; whoever changes it leaves it to the next one to mend.

    Attributes:
        before: what the project had without it.
        planned, made: what a check said, and what was done then.
    """

    lab: Lab
    before: Counter[str]
    planned: Made
    made: Made


@pytest.fixture(scope="module")
def standing(make_lab: MakeLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with make_lab("demo", tmp_path_factory.mktemp("standing")) as lab:
        before = lab.everything()
        planned = lab.ensure(check=True)
        assert lab.found().all == [], "a check makes nothing"
        yield Standing(lab, before, planned, lab.ensure())


@pytest.fixture
def lab(standing: Standing) -> Lab:
    """The shared environment, whole."""
    standing.lab.faults.reset()
    standing.lab.ensure()
    return standing.lab


def test_everything_is_as_wished_and_a_second_run_changes_nothing(standing: Standing, lab: Lab) -> None:
    planned, made = standing.planned, standing.made
    # A check tells what is then done; tags alone can't be counted before there is what they hang on.
    assert sorted(planned.changes) == sorted(one for one in made.changes if not one.startswith("tag "))
    again = lab.ensure()
    assert again.changes == []
    assert again.created == again.surplus == again.notes == []

    _servers(lab)
    _network(lab, made.public_ip)
    _groups(lab)
    _inventory(lab, made.public_ip)
    assert len([one for one in lab.found().all if one.kind in (SERVER, PORT)]) == 2 * len(made.machines)


def _servers(lab: Lab) -> None:
    servers = {one.name: one for one in lab.api.compute.servers(all_projects=True, project_id=lab.project)}
    names = ("bastion", "haproxy", "docker-swarm-manager-1", "docker-swarm-worker-1")
    assert {f"{lab.env}-{name}" for name in names} == {name for name in servers if name.startswith(lab.env)}
    for name in names:
        server = servers[f"{lab.env}-{name}"]
        assert server.status == "ACTIVE"
        assert server.flavor["original_name"] == "m1.small"
        assert server.key_name == f"faas-exp-{lab.env}"
        assert server.metadata["faas-exp:env"] == lab.env
        assert server.metadata["faas-exp:machine"] == name
        config = yaml.safe_load(base64.b64decode(server.user_data))
        key = config["ssh_keys"]
        assert server.metadata["faas-exp:host-key"] == " ".join(key["ed25519_public"].split()[:2])
        private = lab.state / "host_keys" / name
        assert private.read_text() == key["ed25519_private"]
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        assert config["hostname"] == name
    groups = {one.name: one for one in lab.api.compute.server_groups(all_projects=True)}
    for role, machine in (("control", "manager"), ("workers", "worker")):
        group = groups[f"faas-exp:env={lab.env}/swarm_{role}"]
        assert group.policy == "soft-anti-affinity"
        assert group.member_ids == [servers[f"{lab.env}-docker-swarm-{machine}-1"].id]
    pair = connect().api.compute.get_keypair(f"faas-exp-{lab.env}")
    assert pair.public_key.split()[:2] == PUBLIC_KEY.split()[:2]
    assert pair.public_key.split()[2] == f"faas-exp:env={lab.env}"


def _network(lab: Lab, public_ip: str) -> None:
    api, mark = lab.api.network, f"faas-exp:env={lab.env}"
    (network,) = api.networks(description=mark)
    (subnet,) = api.subnets(description=mark)
    (router,) = api.routers(description=mark)
    (address,) = api.ips(description=mark)
    ports = {one.name: one for one in api.ports(description=mark)}
    assert (subnet.network_id, subnet.cidr, subnet.dns_nameservers) == (
        network.id,
        "192.168.0.0/24",
        ["8.8.8.8", "8.8.4.4"],
    )
    external = api.find_network("public")
    assert router.external_gateway_info["network_id"] == external.id
    (interface,) = [one for one in api.ports(device_id=router.id) if one.network_id == network.id]
    assert interface.fixed_ips[0]["subnet_id"] == subnet.id
    bastion = ports[f"{lab.env}-bastion"]
    assert (address.port_id, address.fixed_ip_address, address.floating_ip_address) == (
        bastion.id,
        "192.168.0.4",
        public_ip,
    )
    addresses = {name.removeprefix(f"{lab.env}-"): port.fixed_ips[0]["ip_address"] for name, port in ports.items()}
    assert addresses == {
        "bastion": "192.168.0.4",
        "haproxy": "192.168.0.5",
        "docker-swarm-manager-1": "192.168.0.11",
        "docker-swarm-worker-1": "192.168.0.51",
    }
    groups = {one.id: one.name for one in lab.groups()}
    for name, role in (("bastion", "bastion"), ("docker-swarm-worker-1", "swarm_workers")):
        port = ports[f"{lab.env}-{name}"]
        assert [groups[one] for one in port.security_group_ids] == [f"{lab.env}-{role}"]
        assert port.is_port_security_enabled
    for one in (network, subnet, router, address, *ports.values(), *lab.groups()):
        assert one.tags == [mark]


def _groups(lab: Lab) -> None:
    named = {one.id: one.name.removeprefix(f"{lab.env}-") for one in lab.groups()}
    opened = {named[one.id]: open_ports(one, named) for one in lab.groups()}
    everywhere = {(name, rule) for name, rules in opened.items() for rule in rules if "/" in rule}
    assert everywhere == {("bastion", "tcp 22-22 from 203.0.113.9/32")}, "the one way in"
    for name in set(named.values()) - {"bastion"}:
        assert "tcp 22-22 from bastion" in opened[name]
    assert "tcp 2377-2377 from swarm_workers" in opened["swarm_control"]
    assert "tcp 2377-2377 from swarm_workers" not in opened["swarm_workers"]


def _inventory(lab: Lab, public_ip: str) -> None:
    found = {name: its for name, its in hosts(connect()).items() if its["machine_env"] == lab.env}
    assert found[f"{lab.env}-bastion"]["ansible_host"] == public_ip
    assert found[f"{lab.env}-bastion"]["machine_groups"] == ["bastion", "registry"]
    worker = found[f"{lab.env}-docker-swarm-worker-1"]
    assert (worker["ansible_host"], worker["private_ip"]) == ("192.168.0.51", "192.168.0.51")
    assert worker["machine_groups"] == ["swarm_workers"]


def test_what_was_broken_by_hand_is_mended(lab: Lab) -> None:
    made = lab.ensure()
    whole = lab.shape()
    api = lab.api
    group = next(one for one in lab.groups() if one.name == f"{lab.env}-bastion")
    for rule in group.security_group_rules:
        if rule["direction"] == "ingress":
            api.network.delete_security_group_rule(rule["id"])
    api.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp",
        port_range_min=3389, port_range_max=3389, remote_ip_prefix="0.0.0.0/0", project_id=group.project_id,
    )  # fmt: skip
    (address,) = api.network.ips(description=f"faas-exp:env={lab.env}")
    api.network.update_ip(address, port_id=None)
    worker = next(one for one in made.machines if one["role"] == "swarm_workers")
    api.compute.delete_server(worker["id"])
    api.compute.wait_for_delete(api.compute.get_server(worker["id"]), wait=600)
    haproxy = next(one for one in made.machines if one["role"] == "haproxy")
    api.compute.stop_server(haproxy["id"])
    api.compute.wait_for_server(api.compute.get_server(haproxy["id"]), status="SHUTOFF", wait=600)

    mended = lab.ensure()
    assert mended.created == ["docker-swarm-worker-1"]
    assert mended.public_ip == made.public_ip
    assert lab.shape() == whole
    again = next(one for one in mended.machines if one["role"] == "swarm_workers")
    assert (again["address"], again["host_key"]) == (worker["address"], worker["host_key"])
    assert again["id"] != worker["id"]
    assert api.compute.get_server(haproxy["id"]).status == "ACTIVE"
    assert lab.ensure().changes == []


def test_what_cannot_be_changed_must_be_what_it_was(lab: Lab) -> None:
    lab.faults.reset()
    other = PUBLIC_KEY.replace("tester", "other").replace("mJb1D", "mJb1E")
    for changes, said in (
        ({"subnet_cidr": "192.168.8.0/24"}, "inputs: subnet_cidr: found '192.168.8.0/24', allowed: 192.168.0.0/24"),
        ({"public_key": other}, "inputs: public_key: found 'other', allowed: the key that "),
    ):
        with pytest.raises(FaasExpError) as caught:
            lab.ensure(**changes)
        assert str(caught.value).startswith(said)
    assert lab.faults.seen == []
    # What can be changed is: name servers, and where one may come from.
    changed = lab.ensure(dns_nameservers=("9.9.9.9",), admin=("198.51.100.0/24",))
    assert len(changed.changes) == 3, changed.changes
    assert lab.ensure(dns_nameservers=("9.9.9.9",), admin=("198.51.100.0/24",)).changes == []


def test_a_smaller_wish_names_the_surplus_and_only_that_goes(lab: Lab) -> None:
    surplus = lab.ensure(counts={"manager_count": 1, "worker_count": 0}).surplus
    assert surplus == [f"{lab.env}-docker-swarm-worker-1"]
    remove_machines(Ledger(connect(), lab.env), surplus, timeout=1200)
    left = {one.name for one in lab.found().of("port")} | {one.name for one in lab.found().of("server")}
    assert left == {f"{lab.env}-{name}" for name in ("bastion", "haproxy", "docker-swarm-manager-1")}


def test_teardown_takes_all_that_is_marked_nothing_else_and_names_what_is_in_the_way(
    standing: Standing, lab: Lab
) -> None:
    api = connect().api
    (network,) = api.network.networks(description=f"faas-exp:env={lab.env}")
    # The same name, no mark; and somebody's port in our network.
    stranger = api.network.create_network(name=f"{lab.env}-network")
    port = api.network.create_port(network_id=network.id, name="somebodys", description=f"faas-exp:env={lab.env}x")
    try:
        with pytest.raises(FaasExpError, match=rf"still in use by port {port.id} .*run the teardown again"):
            lab.teardown()
        assert api.network.get_port(port.id).name == "somebodys"
    finally:
        api.network.delete_port(port)
    assert lab.teardown() > 0
    assert api.network.get_network(stranger.id).name == f"{lab.env}-network"
    api.network.delete_network(stranger)
    assert lab.found().all == []
    assert lab.everything() == standing.before, "nothing is left, marked or not"
    assert lab.teardown() == 0
