"""What is wanted, as far as every cloud understands it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from faas_exp import machines
from faas_exp.clouds.errors import CloudInputError

# Fits a tag (60 characters with its prefix), a host name, a key pair's or a group's name with a suffix, a folder.
_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
_LOGIN = re.compile(r"^[a-z_][a-z0-9_-]{0,31}$")
NONE = dict.fromkeys(("manager_count", "servers_count", "master_count", "worker_count", "clients_count"), 0)
"""Counts of a plan without a cluster."""
PLACEMENTS = ("soft", "strict", "none")
"""Machines of a role on different hardware: where that is possible, always (or not at all), or as it comes."""


@dataclass(frozen=True)
class Machine:
    """One machine to be.

    Attributes:
        name: unique within the environment.
        groups: inventory groups; the first decides what may reach it.
        address: private IPv4 address, fixed: a machine that is made again comes back under it, and the cloud itself
            refuses to make it twice.
    """

    name: str
    groups: tuple[str, ...]
    address: str

    @property
    def role(self) -> str:
        return self.groups[0]

    @property
    def public(self) -> bool:
        """Whether it gets the one public address."""
        return self.role == "bastion"

    @property
    def in_cluster(self) -> bool:
        """Whether it is one of several alike, which shall not fail, or be slowed down, together."""
        return self.role.endswith(("_control", "_workers"))


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs that mean the same on every cloud.

    Attributes:
        counts: how many control and worker machines, under the names of the inputs; left out, none. And
            ``load_generator_count``, which counts the bastion.
        admin: networks from which the bastion's SSH may be reached.
        ports: what differs from :data:`faas_exp.firewall.DEFAULT_PORTS`.
        public_key: the login's public key; empty only in a check that comes before it is made.
        timeout: seconds for machines to be there, or gone.
    """

    env: str
    orchestrator: str
    counts: Mapping[str, int]
    admin: tuple[str, ...]
    public_key: str
    ssh_user: str
    cluster_name: str = ""
    services: tuple[str, ...] = ("bastion", "haproxy", "ftp")
    ports: Mapping[str, str | int] = field(default_factory=dict)
    timeout: int = 600

    def planned(self, subnet_cidr: str) -> list[machines.Machine]:
        """The machines that these inputs ask for, with addresses in this network.

        Raises:
            MachinePlanError: an input is not what it may be.
        """
        return machines.plan(
            self.orchestrator,
            counts={**NONE, **self.counts},
            cluster_name=self.cluster_name,
            services=self.services,
            subnet_cidr=subnet_cidr,
        )


def check_env(env: str, error: type[CloudInputError]) -> None:
    """Refuse a name that would not do as a tag's value, a host's or group's name, a folder."""
    if not _NAME.match(env):
        raise error("env_name", env, "up to 40 small letters, digits and hyphens")


def check_admin(admin: tuple[str, ...], error: type[CloudInputError]) -> None:
    """Refuse a bastion that nobody may reach."""
    if not admin:
        raise error("admin_cidr", "", "one or more networks, as 203.0.113.7/32")


def check_placement(key: str, placement: str, error: type[CloudInputError]) -> None:
    """Refuse what is none of :data:`PLACEMENTS`."""
    if placement not in PLACEMENTS:
        raise error(key, placement, ", ".join(PLACEMENTS))


def check_login(ssh_user: str, error: type[CloudInputError]) -> None:
    """Refuse what can't be the name of a login of its own."""
    if not _LOGIN.match(ssh_user) or ssh_user == "root":
        raise error("ssh_user", ssh_user, "a login's name, not root")
