"""What is wanted: the inputs of one environment, checked as far as they can be without asking OpenStack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address

from faas_exp.clouds import spec
from faas_exp.firewall import rules
from faas_exp.machines import ORCHESTRATORS
from faas_exp.openstack.errors import OpenStackInputError

_KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
# The network's own services (DHCP, metadata) take addresses of the pool; machines have theirs outside of it.
_POOL = 15


@dataclass(frozen=True)
class Machine(spec.Machine):
    """One machine to be; the first of its groups decides its security group and server group.

    Attributes:
        flavor: name or id.
    """

    flavor: str


@dataclass(frozen=True)
class Wish:
    """One environment as it shall be.

    Attributes:
        env: its name, and the value of the mark.
        external_network: name or id of the network that floating addresses come from.
        image: name or id.
        orchestrator: whose cluster the machines are; decides, with what stands beside it, which ports are open.
        admin: networks from which the bastion's SSH may be reached.
        public_key: the login's public key, one line; may be empty in a check, where none may have been made yet.
        ssh_user: the login that cloud-init makes.
        zone: availability zone; empty leaves it to the cloud.
        placement: keep machines of a role on different hypervisors: ``soft`` where that is possible, ``strict`` always,
            ``none`` not at all.
        config_drive: give cloud-init its data on a drive, for clouds without a metadata service.
        ports: what differs from :data:`faas_exp.firewall.DEFAULT_PORTS`.
        timeout: seconds for machines to be there, or gone.
    """

    env: str
    external_network: str
    subnet_cidr: str
    dns_nameservers: tuple[str, ...]
    image: str
    machines: tuple[Machine, ...]
    orchestrator: str
    admin: tuple[str, ...]
    public_key: str
    ssh_user: str
    zone: str = ""
    placement: str = "soft"
    config_drive: bool = False
    ports: Mapping[str, str | int] = field(default_factory=dict)
    timeout: int = 600

    @property
    def subnet(self) -> IPv4Network:
        return IPv4Network(self.subnet_cidr)

    @property
    def pool(self) -> tuple[str, str]:
        """First and last of the addresses which the network may give out by itself: the end of the subnet."""
        last = int(self.subnet.broadcast_address) - 1
        return str(IPv4Address(last - _POOL + 1)), str(IPv4Address(last))

    def name(self, part: str) -> str:
        """The name of a thing of this environment."""
        return f"{self.env}-{part}"

    def check(self, *, check_mode: bool = False) -> None:
        """Refuse what can't be right wherever it would be made.

        Raises:
            OpenStackInputError: with the key, what was found, what is allowed.
            FirewallError: the same, for a port or a network of the administrator's.
        """
        check_env(self.env)
        if self.orchestrator not in ORCHESTRATORS:
            raise OpenStackInputError("orchestrator", self.orchestrator, ", ".join(ORCHESTRATORS))
        spec.check_admin(self.admin, OpenStackInputError)
        # Refuses ports and networks that are none.
        rules([self.orchestrator], admin=self.admin, ports=self.ports)
        for key, value, kind in (
            ("external_network_name", self.external_network, "network"),
            ("image", self.image, "image"),
            *(("flavor", machine.flavor, "flavor") for machine in self.machines),
        ):
            if not value:
                external = " --external" if kind == "network" else ""
                raise OpenStackInputError(key, value, f"a name that `openstack {kind} list{external}` shows")
        spec.check_login(self.ssh_user, OpenStackInputError)
        self._check_network()
        spec.check_placement("cloud_openstack_placement", self.placement, OpenStackInputError)
        if not (check_mode and not self.public_key) and self.public_key.split(" ")[0] not in _KEY_TYPES:
            shown = self.public_key.split(" ")[0][:40]
            raise OpenStackInputError("public_key", shown, f"a public key of type {', '.join(_KEY_TYPES)}")

    def _check_network(self) -> None:
        try:
            subnet = self.subnet
        except ValueError:
            raise OpenStackInputError("subnet_cidr", self.subnet_cidr, "an IPv4 network, as 192.168.0.0/24") from None
        for server in self.dns_nameservers:
            try:
                ip_address(server)
            except ValueError:
                raise OpenStackInputError("dns_nameservers", server, "an address, as 8.8.8.8") from None
        first, last = (IPv4Address(one) for one in self.pool)
        for machine in self.machines:
            address = IPv4Address(machine.address)
            if address not in subnet or first <= address <= last:
                raise OpenStackInputError("subnet_cidr", self.subnet_cidr, f"a network with {address} before {first}")


def check_env(env: str) -> None:
    """Refuse a name that would not do as a tag's value, a host's name, a folder."""
    spec.check_env(env, OpenStackInputError)
