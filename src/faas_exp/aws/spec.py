"""What is wanted: the inputs of one environment, checked as far as they can be without asking AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from faas_exp.aws.errors import AwsInputError
from faas_exp.clouds import spec
from faas_exp.firewall import Rule, rules
from faas_exp.machines import GENERATORS

_KEY_TYPES = ("ssh-ed25519", "ssh-rsa")


@dataclass(frozen=True)
class Machine(spec.Machine):
    """One machine to be; the first of its groups decides its security group.

    Attributes:
        volume_size: GB.
    """

    instance_type: str
    volume_size: int


@dataclass(frozen=True)
class Image:
    """Which image machines start from: ``id``, or the newest of ``owner`` whose name fits ``name``.

    ``{arch}`` in the name stands for ``amd64`` or ``arm64``, as the machine's type needs it.
    """

    id: str = ""
    owner: str = "136693071363"
    name: str = "debian-12-{arch}-*"


@dataclass(frozen=True)
class Wish:
    """One environment as it shall be.

    Attributes:
        env: its name, and the value of the tag.
        public_key: the login's public key, one line; empty only in a check that comes before it is made.
        ssh_user: the login that cloud-init makes.
        orchestrators: whose clusters this wish is about.
        admin: networks from which the bastion's SSH may be reached.
        ports: what differs from :data:`faas_exp.firewall.DEFAULT_PORTS`.
        placement: keep machines of a role on different racks: ``soft`` where that is possible, ``strict`` always,
            ``none`` not at all.
        timeout: seconds for machines and NAT gateway to be there, or gone.
    """

    env: str
    zone: str
    vpc_cidr: str
    public_subnet_cidr: str
    private_subnet_cidr: str
    machines: tuple[Machine, ...]
    orchestrators: tuple[str, ...]
    admin: tuple[str, ...]
    public_key: str
    ssh_user: str
    ports: Mapping[str, str | int] = field(default_factory=dict)
    image: Image = field(default_factory=Image)
    placement: str = "soft"
    timeout: int = 600

    def rules(self, standing: Iterable[str] = (), *, generators: bool = False) -> list[Rule]:
        """Who may talk to whom.

        Args:
            standing: orchestrators whose clusters are there already; they keep their rules.
            generators: machines that make load may be there already.
        """
        generators = generators or any(machine.role == GENERATORS for machine in self.machines)
        return rules({*self.orchestrators, *standing}, admin=self.admin, ports=self.ports, generators=generators)

    def check(self, *, key_optional: bool = False) -> None:
        """Refuse what can't be right wherever it would be made.

        Args:
            key_optional: the public key may be missing still.

        Raises:
            AwsInputError: with the key, what was found, what is allowed.
            FirewallError: the same, for a port or a network of the administrator's.
        """
        check_env(self.env)
        spec.check_admin(self.admin, AwsInputError)
        self.rules()
        spec.check_login(self.ssh_user, AwsInputError)
        spec.check_placement("cloud_aws_placement", self.placement, AwsInputError)
        vpc = _network("vpc_cidr", self.vpc_cidr)
        if not 16 <= vpc.prefixlen <= 28:
            raise AwsInputError("vpc_cidr", self.vpc_cidr, "a network from /16 to /28")
        public = _network("public_subnet_cidr", self.public_subnet_cidr)
        private = _network("private_subnet_cidr", self.private_subnet_cidr)
        for key, subnet in (("public_subnet_cidr", public), ("private_subnet_cidr", private)):
            if not subnet.subnet_of(vpc):
                raise AwsInputError(key, str(subnet), f"a network inside vpc_cidr {vpc}")
        if public.overlaps(private):
            raise AwsInputError(
                "private_subnet_cidr", str(private), f"a network apart from public_subnet_cidr {public}"
            )
        for machine in self.machines:
            subnet = public if machine.public else private
            if IPv4Address(machine.address) not in subnet:
                raise AwsInputError(f"machines.{machine.name}.address", machine.address, f"an address in {subnet}")
            if not 8 <= machine.volume_size <= 16384:
                raise AwsInputError("volume_size", machine.volume_size, "8 to 16384 (GB)")
        if key_optional and not self.public_key:
            return
        if not self.public_key.startswith(tuple(f"{one} " for one in _KEY_TYPES)):
            shown = self.public_key.split(" ")[0][:40]
            raise AwsInputError(
                "public_key", shown, f"a public key of type {' or '.join(_KEY_TYPES)} (EC2 knows no others)"
            )


def check_env(env: str) -> None:
    """Refuse a name that would not do as a tag's value, a group's name, a folder."""
    spec.check_env(env, AwsInputError)


def _network(key: str, text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError:
        raise AwsInputError(key, text, "an IPv4 network, as 10.0.0.0/16") from None
