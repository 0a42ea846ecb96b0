"""One environment on the test's EC2: made in this process, in one that can be killed, or by the playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import awschild
import killable
from strictec2 import StrictEc2

from faas_exp.aws.environment import Made, ensure
from faas_exp.aws.inputs import Inputs
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.session import connect
from faas_exp.aws.survey import survey
from faas_exp.aws.teardown import teardown

killable.prepare("awschild")

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
SECRET = "wJalrXUtnFEMI-a-secret-that-must-not-be-seen"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0x7aMfQ0Qb0rO4nYkW0tqO1xk5q0T1c9cE6bQmJb1D tester"
ENV = "trial"
INPUTS: dict[str, Any] = {
    "env": ENV,
    "orchestrator": "swarm",
    "counts": {"manager_count": 1, "worker_count": 2},
    "availability_zone": "us-east-1b",
    "vpc_cidr": "10.0.0.0/16",
    "public_subnet_cidr": "10.0.1.0/24",
    "private_subnet_cidr": "10.0.2.0/24",
    "instance_type": "t3a.large",
    "volume_size": 15,
    "admin": ("203.0.113.9/32",),
    "public_key": PUBLIC_KEY,
    "ssh_user": "admin",
    "sizes": {"haproxy": {"instance_type": "t3a.medium", "volume_size": 12}},
    "timeout": 60,
}


def credentials(address: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        # Nothing of the user's own.
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass
class Lab:
    """An environment.

    Attributes:
        ec2: client that talks to moto itself: what it says is so, whatever the code under test believes.
        made: what fixture ``standing`` made.
    """

    base: Path
    strict: StrictEc2
    ec2: Any
    made: Made | None = None

    @property
    def state(self) -> Path:
        return self.base / ".faas" / ENV

    def ensure(self, *, check: bool = False, **changes: Any) -> Made:
        """Make it, in this process."""
        inputs = Inputs(**{**INPUTS, **changes})
        return ensure(connect(zone=inputs.availability_zone), inputs.wish(), self.state, check=check)

    def teardown(self, env: str = ENV) -> int:
        return teardown(Ledger(connect(), env), timeout=60)

    def child(self, what: str = "ensure", **changes: Any) -> BaseProcess:
        """Make it, or tear it down, in a process of its own."""
        order = {"what": what, "state": str(self.state), "inputs": {**INPUTS, **changes}}
        return killable.start(awschild.work, order, {**os.environ, **credentials(self.strict.address)}, self.output)

    @property
    def output(self) -> Path:
        """What such a process said."""
        return self.base / "child.log"

    def play(
        self, playbook: str, *arguments: str, environment: dict[str, str] | None = None, **variables: Any
    ) -> subprocess.CompletedProcess[str]:
        """A playbook as a user gives it, in a folder of its own."""
        return subprocess.run(
            self.command(playbook, *arguments, **variables), check=False, text=True, cwd=self.base,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment(environment),
        )  # fmt: skip

    def command(self, playbook: str, *arguments: str, **variables: Any) -> list[str]:
        given = {
            "env_name": ENV,
            "cloud_wait_for_ssh": False,
            "cloud_aws_own_address_url": f"{self.strict.address}/",
            **variables,
        }
        return [
            str(BIN / "ansible-playbook"), "-i", str(ROOT / "inventories" / "aws"),
            str(ROOT / "playbooks" / f"{playbook}.yml"), "-e", json.dumps(given), *arguments,
        ]  # fmt: skip

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        merged = {
            **os.environ,
            **credentials(self.strict.address),
            "PWD": str(self.base),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            **(more or {}),
        }
        return {key: value for key, value in merged.items() if value}

    def shape(self, env: str = ENV) -> list[str]:
        """What there is, without ids: two environments that are alike have the same."""
        lines = [f"{one.kind} {one.name}" for one in survey(connect(), env).all]
        groups = {one["GroupId"]: one["GroupName"] for one in self.groups(env)}
        for group in self.groups(env):
            lines += [f"{group['GroupName']}: {rule}" for rule in open_ports(group, groups)]
        return sorted(lines)

    def groups(self, env: str = ENV) -> list[dict[str, Any]]:
        mine = [{"Name": "tag:faas-exp:env", "Values": [env]}]
        return list(self.ec2.describe_security_groups(Filters=mine)["SecurityGroups"])


def open_ports(group: dict[str, Any], names: dict[str, str]) -> Iterable[str]:
    """``tcp 22-22 from trial-bastion``, one for each incoming rule."""
    for rule in group["IpPermissions"]:
        sources = [one["CidrIp"] for one in rule["IpRanges"]]
        sources += [names.get(one["GroupId"], one["GroupId"]) for one in rule["UserIdGroupPairs"]]
        for source in sources:
            yield f"{rule['IpProtocol']} {rule['FromPort']}-{rule['ToPort']} from {source}"
