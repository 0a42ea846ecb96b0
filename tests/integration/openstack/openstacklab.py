"""One environment on the test's OpenStack: made in this process, in one that can be killed, or by the playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import killable
import openstackchild
from openstackproxy import Faults

from faas_exp.openstack.environment import Made, ensure
from faas_exp.openstack.inputs import Inputs
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.session import connect
from faas_exp.openstack.survey import Found, survey
from faas_exp.openstack.teardown import teardown

killable.prepare("openstackchild")

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0x7aMfQ0Qb0rO4nYkW0tqO1xk5q0T1c9cE6bQmJb1D tester"
# Patience for a machine that does much else; nothing waits for it where all is well.
TIMEOUT = 1200
INPUTS: dict[str, Any] = {
    "orchestrator": "swarm",
    "counts": {"manager_count": 1, "worker_count": 1},
    "services": ("bastion", "haproxy"),
    "external_network": "public",
    "subnet_cidr": "192.168.0.0/24",
    "dns_nameservers": ("8.8.8.8", "8.8.4.4"),
    "image": "debian-12",
    "flavor": "m1.small",
    "admin": ("203.0.113.9/32",),
    "public_key": PUBLIC_KEY,
    "ssh_user": "debian",
    "timeout": TIMEOUT,
}


@dataclass
class Lab:
    """An environment.

    Attributes:
        api: an administrator's connection past the faults: what it says is so, whatever the code under test believes.
        project: id of the project that the environment is in.
        clouds: clouds.yaml for the code under test.
    """

    base: Path
    env: str
    api: Any
    project: str
    clouds: Path
    faults: Faults
    cloud: str = "demo"

    @property
    def state(self) -> Path:
        return self.base / ".faas" / self.env

    def inputs(self, **changes: Any) -> dict[str, Any]:
        return {**INPUTS, "env": self.env, **changes}

    def ensure(self, *, check: bool = False, **changes: Any) -> Made:
        """Make it, in this process."""
        return ensure(connect(), Inputs(**self.inputs(**changes)).wish(), self.state, check=check)

    def teardown(self) -> int:
        return teardown(Ledger(connect(), self.env), timeout=TIMEOUT)

    def found(self) -> Found:
        return survey(connect(), self.env)

    def child(self, what: str = "ensure", **changes: Any) -> BaseProcess:
        """Make it, or tear it down, in a process of its own."""
        order = {"what": what, "state": str(self.state), "inputs": self.inputs(**changes)}
        return killable.start(openstackchild.work, order, self.environment(), self.output)

    @property
    def output(self) -> Path:
        """What such a process said."""
        return self.base / "child.log"

    def play(
        self, playbook: str, *arguments: str, environment: dict[str, str] | None = None, **variables: Any
    ) -> subprocess.CompletedProcess[str]:
        """A playbook as a user gives it, in a folder of its own."""
        given = {
            "env_name": self.env,
            "external_network_name": "public",
            "image": "debian-12",
            "flavor": "m1.small",
            "admin_cidr": "203.0.113.9/32",
            "worker_count": 1,
            # Nothing boots here.
            "cloud_wait_for_ssh": False,
            "cloud_openstack_services": ["bastion"],
            "cloud_openstack_timeout": TIMEOUT,
            **variables,
        }
        return self.run(
            str(BIN / "ansible-playbook"), "-i", str(ROOT / "inventories" / "openstack"),
            str(ROOT / "playbooks" / f"{playbook}.yml"), "-e", json.dumps(given), *arguments, environment=environment,
        )  # fmt: skip

    def run(self, *command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, check=False, text=True, cwd=self.base,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment(environment),
        )  # fmt: skip

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        merged = {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "OS_CLOUD": self.cloud,
            "PWD": str(self.base),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            **(more or {}),
        }
        return {key: value for key, value in merged.items() if value}

    def shape(self) -> list[str]:
        """What there is, without ids: two environments that are alike have the same."""
        lines = [f"{one.kind} {'' if one.kind == 'floating address' else one.name}" for one in self.found().all]
        groups = {one.id: one.name for one in self.groups()}
        for group in self.groups():
            lines += [f"{group.name}: {line}" for line in open_ports(group, groups)]
        return sorted(lines)

    def groups(self) -> list[Any]:
        mine = self.api.network.security_groups(project_id=self.project, description=f"faas-exp:env={self.env}")
        return list(mine)

    def everything(self) -> Counter[str]:
        """How many things of each kind the project has, marked or not."""
        network, its = self.api.network, {"project_id": self.project}
        return Counter(
            {
                "server": len(list(self.api.compute.servers(all_projects=True, **its))),
                "floating address": len(list(network.ips(**its))),
                "port": len(list(network.ports(**its))),
                "router": len(list(network.routers(**its))),
                "subnet": len(list(network.subnets(**its))),
                "network": len(list(network.networks(**its))),
                "security group": len(list(network.security_groups(**its))),
                "server group": len(
                    [one for one in self.api.compute.server_groups(all_projects=True) if one.project_id == self.project]
                ),
            }
        )


MakeLab = Callable[[str, Path], AbstractContextManager[Lab]]


def open_ports(group: Any, names: dict[str, str]) -> list[str]:
    """``tcp 22-22 from trial-bastion``, one for each incoming rule."""
    return [
        f"{one['protocol']} {one['port_range_min']}-{one['port_range_max']} from "
        f"{names.get(one['remote_group_id'], one['remote_group_id']) or one['remote_ip_prefix']}"
        for one in group.security_group_rules
        if one["direction"] == "ingress"
    ]
