"""Machines of the local cloud for tests: real containers, in an environment and a network of the tests' own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder; its output, both kinds, is in ``stdout``."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PWD": str(ROOT), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1800,
    )


def docker(*arguments: str) -> str:
    """Output of a docker command that must succeed."""
    done = run("docker", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


@dataclass(frozen=True)
class Lab:
    """One environment of the local cloud; ``inputs`` are given to every playbook."""

    name: str
    subnet: str
    base: Path
    inputs: dict[str, object] = field(default_factory=dict)

    def address(self, last: int) -> str:
        """An address of the environment's network."""
        return f"{self.subnet.rsplit('.', 1)[0]}.{last}"

    def secret(self, name: str) -> str:
        """A secret that the controller keeps."""
        return (self.base / ".faas" / self.name / "secrets" / name).read_text(encoding="utf-8").strip()

    def ssh(self, machine: str, command: str) -> str:
        """Output of a command on a machine, as a user would give it; it must succeed."""
        done = run("ssh", "-F", f"{self.base}/.faas/{self.name}/ssh_config", machine, command)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def play(
        self,
        *playbooks: str,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        **inputs: object,
    ) -> str:
        """Run playbooks, which must succeed, and return their output."""
        done = self.attempt(*playbooks, options=options, environment=environment, **inputs)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def attempt(
        self,
        *playbooks: str,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        **inputs: object,
    ) -> subprocess.CompletedProcess[str]:
        """Run playbooks, whatever comes of it."""
        given = {
            "env_name": self.name,
            "cloud_local_subnet_cidr": self.subnet,
            "faas_base_dir": str(self.base),
            **self.inputs,
        } | inputs
        return run(
            "ansible-playbook",
            "-i",
            "inventories/local",
            "-e",
            json.dumps(given),
            *options,
            *(f"playbooks/{name}.yml" for name in playbooks),
            **(environment or {}),
        )

    def names(self) -> list[str]:
        """Containers and networks of this environment."""
        label = f"label=faas-exp:env={self.name}"
        return sorted(
            docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()
            + docker("network", "ls", "--filter", label, "--format", "{{.Name}}").split()
        )


def changed(output: str) -> int:
    """How many tasks changed something, over all hosts and plays of the last recap."""
    recap = output.rsplit("PLAY RECAP", 1)[1]
    return sum(int(count) for count in re.findall(r"changed=(\d+)", recap))
