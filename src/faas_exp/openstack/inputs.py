"""From the inputs as users give them to a wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faas_exp.machines import plan
from faas_exp.openstack.spec import Machine, Wish


@dataclass(frozen=True)
class Inputs:
    """The inputs of docs/openstack.md, one meaning each.

    Attributes:
        counts: how many control and worker machines, under the names of the inputs.
        flavors: by inventory group, where they differ from ``flavor``.
        admin: networks from which the bastion's SSH may be reached.
        ports: what differs from :data:`faas_exp.firewall.DEFAULT_PORTS`.
        public_key: the login's public key; empty only in a check that comes before it is made.
    """

    env: str
    orchestrator: str
    counts: Mapping[str, int]
    external_network: str
    subnet_cidr: str
    dns_nameservers: tuple[str, ...]
    image: str
    flavor: str
    admin: tuple[str, ...]
    public_key: str
    ssh_user: str
    cluster_name: str = ""
    services: tuple[str, ...] = ("bastion", "haproxy", "ftp")
    flavors: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    placement: str = "soft"
    config_drive: bool = False
    ports: Mapping[str, str | int] = field(default_factory=dict)
    timeout: int = 600

    def wish(self) -> Wish:
        """The environment that these inputs ask for.

        Raises:
            FaasExpError: an input is not what it may be.
        """
        planned = plan(
            self.orchestrator,
            counts=dict(self.counts),
            cluster_name=self.cluster_name,
            services=self.services,
            subnet_cidr=self.subnet_cidr,
        )
        return Wish(
            env=self.env,
            external_network=self.external_network,
            subnet_cidr=self.subnet_cidr,
            dns_nameservers=self.dns_nameservers,
            image=self.image,
            machines=tuple(
                Machine(one.name, one.groups, str(one.address), self.flavors.get(one.role) or self.flavor)
                for one in planned
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
