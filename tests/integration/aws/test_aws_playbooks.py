"""What a user types: provision, again, killed, the inventory, orphans, teardown."""

from __future__ import annotations

import json
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import psutil
import pytest
import yaml
from awslab import BIN, ENV, ROOT, SECRET, Lab
from strictec2 import OWN_ADDRESS, Gate

RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def changed(output: str) -> int:
    """Over all machines; fails when one failed."""
    rows = RECAP.findall(output)
    assert rows, output
    assert [row for row in rows if row[3] != "0" or row[4] != "0"] == [], output
    return sum(int(row[2]) for row in rows)


def played(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout
    return done.stdout


def inventory(lab: Lab, **more: str) -> dict[str, dict[str, object]]:
    command = [str(BIN / "ansible-inventory"), "-i", str(ROOT / "inventories" / "aws"), "--list"]
    done = subprocess.run(
        [*command, "-e", json.dumps({"env_name": ENV, **more})],
        check=True, capture_output=True, text=True, cwd=lab.base, env=lab.environment(),
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def next_day(lab: Lab) -> set[str]:
    """The machines that Ansible knows of when it is asked from a folder in which nothing was ever run."""
    elsewhere = lab.base / "elsewhere"
    elsewhere.mkdir()
    command = [str(BIN / "ansible"), "-i", str(ROOT / "inventories" / "aws"), "all", "--list-hosts"]
    done = subprocess.run(
        [*command, "-e", f"env_name={ENV}"], check=True, capture_output=True, text=True, cwd=elsewhere,
        env=lab.environment({"PWD": str(elsewhere), "HOME": str(elsewhere)}),
    )  # fmt: skip
    return set(done.stdout.split())


def used(lab: Lab) -> list[str]:
    """Permissions that were needed."""
    services = {"GetCallerIdentity": "sts", "GetServiceQuota": "servicequotas"}
    return sorted({f"{services.get(one.action, 'ec2')}:{one.action}" for one in lab.strict.calls})


def policy() -> list[str]:
    """Permissions that docs/aws.md tells to give."""
    text = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    return list(json.loads(found)["Statement"][0]["Action"])


def files_below(folder: Path) -> str:
    return "\n".join(one.read_text(encoding="utf-8") for one in folder.rglob("*") if one.is_file())


def test_from_nothing_to_machines_and_back(lab: Lab) -> None:
    """The whole way, by the commands of docs/aws.md."""
    planned = played(lab.play("site", "--check", "--tags", "provision", orchestrator="swarm"))
    assert "create vpc trial-vpc" in planned
    assert re.search(r"about \$0\.4\d\d per hour", planned)
    assert lab.strict.changes() == []

    first = played(lab.play("site", "--tags", "provision", orchestrator="swarm"))
    assert changed(first) > 0
    # The caller's own address, and no other, may come in.
    assert f"tcp 22 from {OWN_ADDRESS}/32" in " ".join(first.split())

    outputs = yaml.safe_load((lab.base / "results" / ENV / "outputs.yml").read_text(encoding="utf-8"))
    assert outputs["cloud"] == "aws"
    assert (
        outputs["floating_ip"]
        == lab.ec2.describe_addresses(Filters=[{"Name": "tag:Name", "Values": ["trial-bastion-address"]}])["Addresses"][
            0
        ]["PublicIp"]
    )
    assert outputs["vpc_id"].startswith("vpc-")
    assert len(outputs["subnet_ids"]) == 2
    assert len(outputs["security_group_ids"]) == 5
    assert outputs["swarm"] == {"manager-ips": ["10.0.2.11"], "worker-ips": ["10.0.2.51", "10.0.2.52"]}
    assert outputs["haproxy"] == {"private_ip": "10.0.2.5"}

    found = inventory(lab)
    assert sorted(found["swarm_workers"]["hosts"]) == ["trial-docker-swarm-worker-1", "trial-docker-swarm-worker-2"]
    assert found["bastion"]["hosts"] == found["registry"]["hosts"] == ["trial-bastion"]
    # Another environment's machines are in no group that a play is for.
    assert "hosts" not in inventory(lab, env_name="other").get("bastion", {})

    ssh = subprocess.run(
        ["ssh", "-G", "-F", outputs["ssh_config"], "docker-swarm-worker-1"], check=True, capture_output=True, text=True
    ).stdout
    assert "proxyjump bastion" in ssh
    assert "stricthostkeychecking true" in ssh
    pinned = (lab.state / "known_hosts").read_text(encoding="utf-8")
    for name, address in (("bastion", "10.0.1.4"), ("docker-swarm-worker-1", "10.0.2.51")):
        public = (lab.state / "host_keys" / f"{name}.pub").read_text(encoding="utf-8").split()
        assert f"{address} {public[0]} {public[1]}" in pinned.splitlines()

    second = played(lab.play("site", "--tags", "provision", orchestrator="swarm"))
    assert changed(second) == 0

    # The next day, in another shell: the tags alone tell.
    listed = next_day(lab)
    assert {f"trial-{name}" for name in ("bastion", "haproxy", "ftp", "docker-swarm-manager-1")} <= listed

    # Another controller, or a lost file: the keys are learnt from the machines' own tags.
    (lab.state / "known_hosts").unlink()
    played(lab.play("provision", orchestrator="swarm"))
    assert sorted((lab.state / "known_hosts").read_text(encoding="utf-8").split("\n")) == sorted(pinned.split("\n"))

    orphans = played(lab.play("orphans", cloud_aws_orphan_regions=["us-east-1", "eu-west-1"]))
    assert re.search(r"trial \(us-east-1\), 0\.\d h old, about \$0\.4", " ".join(orphans.split()))

    unasked = lab.play("teardown")
    assert unasked.returncode != 0
    assert "Not confirmed, nothing was deleted" in unasked.stdout
    last = played(lab.play("teardown", confirm=True))
    assert "29 things deleted, 0 remain" in " ".join(last.split())
    assert lab.shape() == []
    assert not lab.state.exists()
    assert changed(played(lab.play("teardown", confirm=True))) == 0

    assert [one for one in used(lab) if not any(fnmatch(one, allowed) for allowed in policy())] == []

    for text in (planned, first, second, orphans, last, files_below(lab.base)):
        assert SECRET not in text
        assert "PRIVATE KEY" not in text
        assert "Traceback" not in text


def test_every_orchestrator_has_its_groups(lab: Lab) -> None:
    """One after the other, beside each other, as a comparison has them."""
    one_each = dict.fromkeys(("manager_count", "worker_count", "servers_count", "clients_count", "master_count"), 1)
    for orchestrator in ("swarm", "nomad", "k8s"):
        options = {"orchestrator": orchestrator, "cloud_aws_services": ["bastion"], **one_each}
        assert changed(played(lab.play("site", "--tags", "provision", **options))) > 0
    found = inventory(lab)
    groups = {group: found[group]["hosts"] for group in found if "hosts" in found[group] and group != "_meta"}
    assert {group: hosts for group, hosts in groups.items() if group.endswith(("_control", "_workers"))} == {
        "swarm_control": ["trial-docker-swarm-manager-1"],
        "swarm_workers": ["trial-docker-swarm-worker-1"],
        "nomad_control": ["trial-nomad-server-1"],
        "nomad_workers": ["trial-nomad-client-1"],
        "k8s_control": ["trial-k8s-master-1"],
        "k8s_workers": ["trial-k8s-worker-1"],
    }
    assert groups["bastion"] == groups["registry"] == ["trial-bastion"]
    outputs = yaml.safe_load((lab.base / "results" / ENV / "outputs.yml").read_text(encoding="utf-8"))
    assert outputs["nomad"] == {"server-ips": ["10.0.2.21"], "client-ips": ["10.0.2.115"]}
    assert outputs["k8s"] == {"master-ips": ["10.0.2.31"], "worker-ips": ["10.0.2.179"]}


def test_killed_and_run_again(lab: Lab, whole: list[str]) -> None:
    gate = Gate(at=26, carried_out=True)
    lab.strict.gate = gate
    with (lab.base / "output").open("w") as output:
        play = subprocess.Popen(
            lab.command("provision"), cwd=lab.base, env=lab.environment(), stdout=output, stderr=subprocess.STDOUT
        )
        while not gate.reached.wait(timeout=0.2):
            assert play.poll() is None, (lab.base / "output").read_text(encoding="utf-8")
        for process in [*psutil.Process(play.pid).children(recursive=True), psutil.Process(play.pid)]:
            process.kill()
        play.wait()
    lab.strict.gate = None
    gate.opened.set()
    assert changed(played(lab.play("provision"))) > 0
    assert len(lab.ec2.describe_instances()["Reservations"]) == 6
    assert {line for line in lab.shape() if ":" not in line} == {line for line in whole if ":" not in line}


@pytest.mark.parametrize(
    ("environment", "variables", "expected"),
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""},
            {},
            "AWS: no credentials found. Set AWS_ACCESS_KEY_ID",
        ),
        ({}, {"image_id": "ami-00000000000000000"}, "image_id: found 'ami-00000000000000000', allowed: an image of"),
        ({}, {"instance_type": "t3a.lrage"}, "instance_type: found 't3a.lrage', allowed: one that us-east-1b offers"),
        ({}, {"worker_count": "many"}, "worker_count: found 'many', allowed: a whole number"),
        ({}, {"cloud_aws_own_address_url": "http://127.0.0.1:9"}, "Set admin_cidr to the network that you come from"),
    ],
)
def test_refused_in_one_line_before_anything_is_made(
    lab: Lab, environment: dict[str, str], variables: dict[str, object], expected: str
) -> None:
    done = lab.play("provision", environment=environment, **variables)
    assert done.returncode != 0
    assert expected in " ".join(done.stdout.split())
    assert SECRET not in done.stdout
    assert lab.strict.changes() == []
    assert not lab.state.exists()
