"""From the inputs as users give them to a wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faas_exp.clouds import spec
from faas_exp.openstack.spec import Machine, Wish


@dataclass(frozen=True, kw_only=True)
class Inputs(spec.Inputs):
    """The inputs of docs/openstack.md, one meaning each.

    Attributes:
        flavors: by inventory group, where they differ from ``flavor``.
    """

    external_network: str
    subnet_cidr: str
    dns_nameservers: tuple[str, ...]
    image: str
    flavor: str
    flavors: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    placement: str = "soft"
    config_drive: bool = False

    def wish(self) -> Wish:
        """The environment that these inputs ask for.

        Raises:
            FaasExpError: an input is not what it may be.
        """
        return Wish(
            env=self.env,
            external_network=self.external_network,
            subnet_cidr=self.subnet_cidr,
            dns_nameservers=self.dns_nameservers,
            image=self.image,
            machines=tuple(
                Machine(one.name, one.groups, str(one.address), self.flavors.get(one.role) or self.flavor)
                for one in self.planned(self.subnet_cidr)
            ),
            orchestrator=self.orchestrator,
            admin=self.admin,
            public_key=self.public_key.strip(),
            ssh_user=self.ssh_user,
            zone=self.zone,
            placement=self.placement,
            config_drive=self.config_drive,
            ports=self.ports,
            timeout=self.timeout,
        )
