"""What follows creation on a cloud, up to a swarm: by the same plays, under the clouds' own variables.

No cloud can boot a machine here. So machines of the local cloud are born by Debian's cloud-init from the very words
that the clouds' code gives it, the way to them is written by the clouds' roles, and the plays know of them what they
know of a cloud's machines.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloudborn import LAST, Born, image, inventory
from locallab import ROOT, Lab, changed, run

WAY = """\
- name: The way to the machines
  hosts: localhost
  connection: local
  tasks:
    - name: As the cloud's role writes it
      ansible.builtin.include_role:
        name: faas.exp.cloud_{{ cloud }}
        tasks_from: access
"""


@pytest.fixture(scope="module")
def born(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Born]:
    """Blank machines, and the keys that they will be born with."""
    inputs: dict[str, object] = {
        "cloud_local_image": image(),
        "cloud_local_services": ["bastion", "haproxy"],
        "worker_count": 1,
        # Nobody can log in yet.
        "cloud_wait_for_ssh": False,
    }
    base = tmp_path_factory.mktemp("cloud")
    (ROOT / ".cache").mkdir(exist_ok=True)
    (base / ".cache").symlink_to(ROOT / ".cache")
    lab = Lab("clouds-born", "198.18.50.0/24", base, inputs)
    try:
        lab.play("provision")
        # A cloud's role knows of no other keys than those that the machines are born with.
        (base / ".faas" / lab.name / "known_hosts").unlink()
        yield Born.of(lab)
    finally:
        if lab.names():
            lab.play("teardown", confirm=True)
    assert lab.names() == []


def play(born: Born, cloud: str, *playbooks: str) -> str:
    """Playbooks under a cloud's variables, which must succeed."""
    folder = born.lab.base / cloud
    given = {
        "env_name": born.lab.name,
        "faas_base_dir": str(born.lab.base),
        # What the cloud's own play leaves behind: there are new machines, and how to get to them.
        "cloud_created": [f"{born.lab.name}-{name}" for name in LAST],
        f"cloud_{cloud}_made": born.reached(),
        f"cloud_{cloud}_reachable": born.reached()["machines"],
    }
    done = run(
        "ansible-playbook", "-i", str(folder if folder.is_dir() else inventory(folder, cloud)),
        "-e", json.dumps(given), *playbooks,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def cluster(born: Born, cloud: str, tmp_path: Path) -> list[str]:
    """From birth to a cluster; gives the tasks that changed something on a machine."""
    way = tmp_path / "way.yml"
    way.write_text(WAY, encoding="utf-8")
    play(born, cloud, str(way))
    output = play(born, cloud, "playbooks/cluster.yml", "playbooks/services.yml")
    task, found = "", []
    for line in output.splitlines():
        if line.startswith(("TASK [", "RUNNING HANDLER [")):
            task = line.partition("[")[2].partition("]")[0]
        elif line.startswith("changed: ["):
            found.append(f"{task}: {line}")
    assert len(found) >= changed(output), output
    return found


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(("cloud", "ssh_user"), [("aws", "admin"), ("openstack", "debian")])
def test_from_birth_to_a_swarm(born: Born, tmp_path: Path, cloud: str, ssh_user: str) -> None:
    lab = born.lab
    born.begin(ssh_user)
    did = cluster(born, cloud, tmp_path)
    # The second cloud finds what the first one made, and has nothing to add: the same machines come of both.
    assert did == [] if cloud == "openstack" else did
    assert cluster(born, cloud, tmp_path) == []

    assert lab.ssh("docker-swarm-worker-1", "whoami; hostname") == f"{ssh_user}\ndocker-swarm-worker-1"
    nodes = lab.ssh("docker-swarm-manager-1", "sudo docker node ls --format '{{.Hostname}} {{.Status}}'")
    assert sorted(nodes.split("\n")) == ["docker-swarm-manager-1 Ready", "docker-swarm-worker-1 Ready"]
    pools = lab.ssh("docker-swarm-manager-1", "sudo docker info --format '{{.Swarm.Cluster.DefaultAddrPool}}'")
    assert pools == "[198.19.0.0/17]", "not Swarm's own, which covers the clouds' networks"
    assert status(f"http://{lab.address(4)}:5000/v2/") == 200
    assert status(f"http://{lab.address(5)}/") == 503, "the load balancer answers; there is no platform behind it"


@pytest.mark.parametrize("machine", ["haproxy", "docker-swarm-manager-1"])
def test_the_bastion_is_the_only_way_in_and_each_host_key_is_the_expected_one(born: Born, machine: str) -> None:
    lab = born.lab
    config = str(lab.base / ".faas" / lab.name / "ssh_config")
    known = (lab.base / ".faas" / lab.name / "known_hosts").read_text(encoding="utf-8").splitlines()
    assert sorted(known) == sorted(f"{lab.address(last)} {born.keys[name].public}" for name, last in LAST.items())
    shown = run("ssh", "-G", "-F", config, machine).stdout.splitlines()
    assert {"proxyjump bastion", "stricthostkeychecking true"} <= set(shown)

    fresh = ("-F", config, "-o", "ControlPath=none", "-o", "BatchMode=yes")
    assert run("ssh", *fresh, machine, "true").returncode == 0
    past = run("ssh", *fresh, "-o", "ProxyJump=none", machine, "true")
    assert past.returncode != 0
    assert "Permission denied" in past.stdout
    # Somebody else's key at this address is not taken.
    other = lab.base / "other_hosts"
    other.write_text(f"{lab.address(LAST[machine])} {born.keys['bastion'].public}\n", encoding="utf-8")
    wrong = run("ssh", *fresh, "-o", f"UserKnownHostsFile={other}", machine, "true")
    assert wrong.returncode != 0
    assert "HOST IDENTIFICATION HAS CHANGED" in wrong.stdout
