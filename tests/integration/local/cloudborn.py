"""Machines as a cloud makes them: blank ones, to which cloud-init says who they are, in the clouds' words."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from locallab import ROOT, Lab, docker, run

from faas_exp.clouds.birth import user_data
from faas_exp.hostkeys import HostKey, host_key, unpinned

LAST = {"bastion": 4, "haproxy": 5, "docker-swarm-manager-1": 11, "docker-swarm-worker-1": 51}
_GROUPS = {
    "bastion": ["bastion", "registry"],
    "haproxy": ["haproxy"],
    "docker-swarm-manager-1": ["swarm_control"],
    "docker-swarm-worker-1": ["swarm_workers"],
}
# Where to ask, and what containers have their own ways of.
_THIS_PLACE = """\
datasource_list: [NoCloud]
network: {config: disabled}
apt: {preserve_sources_list: true}
locale: false
"""
_STAGES = ("init --local", "init", "modules --mode=config", "modules --mode=final")


def image() -> str:
    """The image of local machines with Debian's cloud-init in it; made once."""
    build = str(ROOT / "roles" / "cloud_local" / "files" / "image" / "build")
    done = run(build, "make")
    assert done.returncode == 0, done.stdout
    base = done.stdout.strip()
    name = f"faas-exp-test/cloud-init:{base.rsplit(':', 1)[1]}"
    if run("docker", "image", "inspect", name).returncode != 0:
        command = "apt-get update -qq && apt-get install -qq -y --no-install-recommends cloud-init && apt-get clean"
        maker = docker("create", "--network", "host", "--entrypoint", "sh", base, "-c", command)
        try:
            docker("start", "--attach", maker)
            docker(
                "commit", "--change", 'ENTRYPOINT ["/usr/local/sbin/machine-init"]', "--change", "CMD []", maker, name
            )
        finally:
            docker("rm", "--force", "--volumes", maker)
    return name


@dataclass
class Born:
    """The machines of a lab, and what they were told."""

    lab: Lab
    keys: dict[str, HostKey]

    @classmethod
    def of(cls, lab: Lab) -> Born:
        """Each machine's host key is made where the clouds' modules make it."""
        return cls(lab, {name: host_key(lab.base / ".faas" / lab.name / "host_keys", name) for name in LAST})

    def begin(self, ssh_user: str) -> None:
        """Every machine is started for the first time, by an image that knows its cloud by a folder of seeds."""
        with ThreadPoolExecutor(4) as pool:
            for birth in [pool.submit(self._birth, name, ssh_user) for name in LAST]:
                birth.result()

    def _birth(self, name: str, ssh_user: str) -> None:
        container = f"{self.lab.name}-{name}"
        public = (self.lab.base / ".faas" / self.lab.name / "ssh_key.pub").read_text(encoding="utf-8").strip()
        meta = {"instance-id": f"{ssh_user}-{name}", "public-keys": [public]}
        # The clouds' firewalls let nobody but the bastion in; here the machines' own sshd does.
        source = "" if name == "bastion" else f"@{self.lab.address(LAST['bastion'])}"
        files = {
            "/var/lib/cloud/seed/nocloud/user-data": user_data(name, ssh_user, self.keys[name]),
            "/var/lib/cloud/seed/nocloud/meta-data": json.dumps(meta),
            "/etc/cloud/cloud.cfg.d/99-test.cfg": _THIS_PLACE,
            "/etc/ssh/sshd_config.d/20-allow-users.conf": f"AllowUsers {ssh_user}{source}\n",
        }
        # The container's first process has made a folder for this login; a blank machine has none.
        docker("exec", container, "rm", "-rf", f"/home/{ssh_user}", "/var/lib/cloud/instance")
        # When it was started there were no seeds yet, and so nothing to do.
        docker("exec", container, "rm", "-f", "/run/cloud-init/disabled")
        for path, content in files.items():
            script = 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"'
            docker("exec", container, "sh", "-c", script, "sh", path, content)
        for stage in _STAGES:
            docker("exec", container, "sh", "-c", f"cloud-init {stage} 2>&1")
        docker("exec", container, "systemctl", "restart", "ssh")

    def reached(self) -> dict[str, object]:
        """What the cloud's module returns of them, as far as the way to them needs it."""
        known_hosts = self.lab.base / ".faas" / self.lab.name / "known_hosts"
        machines = [
            {
                "name": name,
                "role": _GROUPS[name][0],
                "groups": _GROUPS[name],
                "address": self.lab.address(last),
                "host_key": self.keys[name].public,
            }
            for name, last in LAST.items()
        ]
        return {
            "machines": machines,
            "public_ip": self.lab.address(LAST["bastion"]),
            "unpinned": unpinned(machines, known_hosts),
        }


def inventory(folder: Path, cloud: str) -> Path:
    """A cloud's inventory, but for the machines, which are those of the local cloud."""
    folder.mkdir()
    theirs = ROOT / "inventories" / cloud
    (folder / "hosts.yml").symlink_to(theirs / "hosts.yml")
    (folder / "group_vars").symlink_to(theirs / "group_vars")
    (folder / "machines.docker.yml").symlink_to(ROOT / "inventories" / "local" / "machines.docker.yml")
    return folder
