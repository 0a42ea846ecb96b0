"""The playbooks as a user gives them."""

from __future__ import annotations

import json

import yaml
from openstacklab import BIN, ROOT, Lab

INVENTORY = str(ROOT / "inventories" / "openstack")


def _changed(output: str) -> list[str]:
    return [line for line in output.splitlines() if "changed=" in line and "changed=0" not in line]


def test_provision_twice_inventory_orphans_teardown(lab: Lab) -> None:
    checked = lab.play("site", "--tags", "provision", "--check", orchestrator="swarm", admin_cidr="")
    assert checked.returncode == 0, checked.stdout
    # Whoever says nothing else may come from where he is, and nobody else.
    assert "tcp 22 from 127.0.0.1/32" in " ".join(checked.stdout.split())
    assert "0.0.0.0/0" not in checked.stdout
    assert f"create network {lab.env}-network" in checked.stdout
    assert lab.found().all == []

    first = lab.play("site", "--tags", "provision", orchestrator="swarm")
    assert first.returncode == 0, first.stdout
    whole = lab.shape()
    outputs = yaml.safe_load((lab.base / "results" / lab.env / "outputs.yml").read_text())
    (address,) = lab.api.network.ips(description=f"faas-exp:env={lab.env}")
    assert outputs["floating_ip"] == address.floating_ip_address
    assert outputs["cloud"] == "openstack"
    assert outputs["swarm"] == {"manager-ips": ["192.168.0.11"], "worker-ips": ["192.168.0.51"]}
    assert outputs["network_id"] == lab.found().of("network")[0].id

    second = lab.play("site", "--tags", "provision", orchestrator="swarm")
    assert second.returncode == 0, second.stdout
    assert _changed(second.stdout) == [], second.stdout
    assert lab.shape() == whole

    # The next day, in another shell and folder: the servers' own metadata tell.
    elsewhere = lab.base / "elsewhere"
    elsewhere.mkdir()
    listed = lab.run(
        str(BIN / "ansible"), "-i", INVENTORY, "all", "--list-hosts", "-e", f"env_name={lab.env}",
        environment={"PWD": str(elsewhere), "HOME": str(elsewhere)},
    )  # fmt: skip
    names = ("bastion", "docker-swarm-manager-1", "docker-swarm-worker-1")
    assert {f"{lab.env}-{name}" for name in names} <= set(listed.stdout.split()), listed.stdout
    config = str(lab.state / "ssh_config")
    shown = lab.run("ssh", "-G", "-F", config, f"{lab.env}-docker-swarm-worker-1").stdout.splitlines()
    assert "proxyjump bastion" in shown
    assert "stricthostkeychecking true" in shown
    assert len((lab.state / "known_hosts").read_text().splitlines()) == 3

    orphans = lab.play("orphans")
    assert orphans.returncode == 0, orphans.stdout
    assert f"{lab.env} (RegionOne), 0." in orphans.stdout

    smaller = lab.play("provision", worker_count=0, manager_count=0)
    assert smaller.returncode == 0, smaller.stdout
    assert [one.name for one in lab.found().of("server")] == [f"{lab.env}-bastion"]
    assert "docker-swarm" not in (lab.state / "ssh_config").read_text()

    unasked = lab.play("teardown")
    assert unasked.returncode != 0
    assert "Not confirmed" in unasked.stdout
    gone = lab.play("teardown", confirm=True)
    assert gone.returncode == 0, gone.stdout
    assert "0 remain" in gone.stdout
    assert lab.found().all == []
    again = lab.play("teardown", confirm=True)
    assert again.returncode == 0, again.stdout
    assert _changed(again.stdout) == []


def test_every_orchestrator_has_its_groups(lab: Lab) -> None:
    """One beside the other, as a comparison has them; the inventory tells them apart."""
    counts = dict.fromkeys(("manager_count", "worker_count", "servers_count", "clients_count", "master_count"), 1)
    for orchestrator in ("swarm", "nomad", "k8s"):
        lab.ensure(orchestrator=orchestrator, counts=counts, services=("bastion",))
    listed = lab.run(str(BIN / "ansible-inventory"), "-i", INVENTORY, "--list", "-e", f"env_name={lab.env}")
    found = json.loads(listed.stdout[listed.stdout.index("{") :])
    groups = {group: its["hosts"] for group, its in found.items() if "hosts" in its}
    assert {group: hosts for group, hosts in groups.items() if group.endswith(("_control", "_workers"))} == {
        "swarm_control": [f"{lab.env}-docker-swarm-manager-1"],
        "swarm_workers": [f"{lab.env}-docker-swarm-worker-1"],
        "nomad_control": [f"{lab.env}-nomad-server-1"],
        "nomad_workers": [f"{lab.env}-nomad-client-1"],
        "k8s_control": [f"{lab.env}-k8s-master-1"],
        "k8s_workers": [f"{lab.env}-k8s-worker-1"],
    }
    assert groups["registry"] == groups["bastion"] == [f"{lab.env}-bastion"]
    # Another environment's machines are in no group that a play is for.
    other = lab.run(str(BIN / "ansible-inventory"), "-i", INVENTORY, "--list", "-e", "env_name=other")
    assert "hosts" not in json.loads(other.stdout[other.stdout.index("{") :]).get("bastion", {})


def test_credentials_that_are_missing_or_wrong_are_one_line_and_in_no_output(lab: Lab) -> None:
    wrong = yaml.safe_load(lab.clouds.read_text())
    wrong["clouds"]["demo"]["auth"]["password"] = "not-the-password"
    path = lab.base / "wrong.yaml"
    path.write_text(yaml.safe_dump(wrong))
    for environment, said in (
        ({"OS_CLOUD": ""}, "OpenStack: no credentials found. Source the RC file"),
        ({"OS_CLOUD": "nope"}, "OpenStack: Cloud nope was not found. Check OS_CLOUD"),
        ({"OS_CLIENT_CONFIG_FILE": str(path)}, "OpenStack does not accept these credentials, or they have expired"),
    ):
        done = lab.play("provision", environment=environment)
        assert done.returncode != 0
        assert said in done.stdout.replace("\n        ", " "), done.stdout
        assert "not-the-password" not in done.stdout
        assert "Traceback" not in done.stdout
        assert not (lab.base / ".faas").exists(), "so much as a key was made"
    fine = lab.play("provision", "-vvv", "--check")
    secret = yaml.safe_load(lab.clouds.read_text())["clouds"]["demo"]["auth"]["password"]
    assert fine.returncode == 0, fine.stdout
    assert secret not in fine.stdout
