"""From the inputs as users give them to a wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faas_exp.aws.errors import AwsInputError
from faas_exp.aws.spec import Image, Machine, Wish
from faas_exp.clouds import spec
from faas_exp.machines import plan

_SIZE_KEYS = {"instance_type", "volume_size"}


@dataclass(frozen=True, kw_only=True)
class Inputs(spec.Inputs):
    """The inputs of docs/aws.md, one meaning each.

    Attributes:
        sizes: by inventory group, ``instance_type`` and ``volume_size`` where they differ from the general ones.
    """

    availability_zone: str
    vpc_cidr: str
    public_subnet_cidr: str
    private_subnet_cidr: str
    instance_type: str
    volume_size: int
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    image: Image = field(default_factory=Image)
    placement: str = "soft"

    def wish(self) -> Wish:
        """The environment that these inputs ask for.

        Raises:
            FaasExpError: an input is not what it may be.
        """
        machines = []
        for one in self.planned(self.private_subnet_cidr):
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
            placement=self.placement,
            timeout=self.timeout,
        )

    def _bastion_address(self) -> str:
        """The bastion alone stands in the public subnet, at its usual place there."""
        bastion = plan(self.orchestrator, counts=spec.NONE, services=("bastion",), subnet_cidr=self.public_subnet_cidr)
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
