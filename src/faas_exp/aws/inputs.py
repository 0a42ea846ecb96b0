"""From the inputs as users give them to a wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faas_exp.aws.errors import AwsInputError
from faas_exp.aws.spec import Image, Machine, Wish
from faas_exp.machines import plan

_SIZE_KEYS = {"instance_type", "volume_size"}
_NONE = dict.fromkeys(("manager_count", "servers_count", "master_count", "worker_count", "clients_count"), 0)


@dataclass(frozen=True)
class Inputs:
    """The inputs of docs/aws.md, one meaning each.

    Attributes:
        counts: how many control and worker machines, under the names of the inputs; left out, none. And
            ``load_generator_count``, which counts the bastion.
        sizes: by inventory group, ``instance_type`` and ``volume_size`` where they differ from the general ones.
        admin: networks from which the bastion's SSH may be reached.
        ports: what differs from :data:`faas_exp.firewall.DEFAULT_PORTS`.
        public_key: the login's public key; empty only in a check that comes before it is made.
    """

    env: str
    orchestrator: str
    counts: Mapping[str, int]
    availability_zone: str
    vpc_cidr: str
    public_subnet_cidr: str
    private_subnet_cidr: str
    instance_type: str
    volume_size: int
    admin: tuple[str, ...]
    public_key: str
    ssh_user: str
    cluster_name: str = ""
    services: tuple[str, ...] = ("bastion", "haproxy", "ftp")
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ports: Mapping[str, str | int] = field(default_factory=dict)
    image: Image = field(default_factory=Image)
    timeout: int = 600

    def wish(self) -> Wish:
        """The environment that these inputs ask for.

        Raises:
            FaasExpError: an input is not what it may be.
        """
        machines = []
        for one in plan(
            self.orchestrator,
            counts={**_NONE, **self.counts},
            cluster_name=self.cluster_name,
            services=self.services,
            subnet_cidr=self.private_subnet_cidr,
        ):
            instance_type, volume_size = self._size(one.role)
            address = self._bastion_address() if one.role == "bastion" else str(one.address)
            machines.append(Machine(one.name, one.groups, address, instance_type, volume_size))
        return Wish(
            env=self.env,
            zone=self.availability_zone,
            vpc_cidr=self.vpc_cidr,
            public_subnet_cidr=self.public_subnet_cidr,
            private_subnet_cidr=self.private_subnet_cidr,
            machines=tuple(machines),
            orchestrators=(self.orchestrator,),
            admin=self.admin,
            ports=self.ports,
            public_key=self.public_key.strip(),
            ssh_user=self.ssh_user,
            image=self.image,
            timeout=self.timeout,
        )

    def _bastion_address(self) -> str:
        """The bastion alone stands in the public subnet, at its usual place there."""
        bastion = plan(self.orchestrator, counts=_NONE, services=("bastion",), subnet_cidr=self.public_subnet_cidr)
        return str(bastion[0].address)

    def _size(self, role: str) -> tuple[str, int]:
        own = self.sizes.get(role, {})
        for key in sorted(set(own) - _SIZE_KEYS):
            raise AwsInputError(f"sizes.{role}", key, ", ".join(sorted(_SIZE_KEYS)))
        size = own.get("volume_size", self.volume_size)
        try:
            gigabytes = int(size)
        except (TypeError, ValueError):
            raise AwsInputError(f"volume_size of {role}", size, "a whole number of GB") from None
        return str(own.get("instance_type", self.instance_type)), gigabytes
