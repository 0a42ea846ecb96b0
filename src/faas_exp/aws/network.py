"""The network: VPC, subnets, ways out, routes.

CreateNatGateway knows a client token. CreateRouteTable does too, but wants all of a repeated request to be the same,
tags and their time included; it and the others are sent by :func:`create_once`, which looks before it sends again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from faas_exp.aws.errors import AwsError, code_of
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.patience import create_once, until_known, wait_until
from faas_exp.aws.spec import Wish
from faas_exp.aws.survey import Found, Resource, survey
from faas_exp.aws.tags import specification
from faas_exp.clouds.ledger import PLANNED

EVERYWHERE = "0.0.0.0/0"


@dataclass
class Network:
    """Ids of what the machines stand on."""

    vpc: str
    public_subnet: str
    private_subnet: str
    internet_gateway: str
    nat_gateway: str
    public_routes: str
    private_routes: str


class NetworkMaker:
    """Brings the network of one environment to what is wished; knows what there was when it began."""

    def __init__(self, ledger: Ledger, wish: Wish, found: Found) -> None:
        self._ledger, self._wish, self._found = ledger, wish, found
        self._ec2, self._once = ledger.cloud.ec2, ledger.cloud.ec2_once

    def make(self) -> Network:
        """All of it; the NAT gateway may still be on its way (see :meth:`finish`)."""
        wish = self._wish
        vpc = self._vpc()
        gateway = self._internet_gateway(vpc)
        public = self._subnet("public", vpc, wish.public_subnet_cidr)
        private = self._subnet("private", vpc, wish.private_subnet_cidr)
        nat = self._nat_gateway(public)
        public_routes = self._route_table("public", vpc, public)
        self._route(public_routes, "GatewayId", gateway)
        private_routes = self._route_table("private", vpc, private)
        return Network(vpc, public, private, gateway, nat, public_routes, private_routes)

    def finish(self, network: Network) -> None:
        """Wait for the NAT gateway (about two minutes; machines start meanwhile) and lead the private subnet to it."""
        if not self._ledger.check:
            self._wait_for_nat(network.nat_gateway)
        self._route(network.private_routes, "NatGatewayId", network.nat_gateway)

    def _name(self, part: str) -> str:
        return f"{self._wish.env}-{part}"

    def _look(self, kind: str, name: str) -> Callable[[], dict[str, Any] | None]:
        """For :func:`create_once`: what there is by now, in the shape of a create's answer."""

        def look() -> dict[str, Any] | None:
            there = survey(self._ledger.cloud, self._wish.env, (kind,)).one(kind, name)
            return None if there is None else there.raw

        return look

    def _make(self, kind: str, name: str, create: Callable[[], dict[str, Any]], id_key: str) -> str:
        there = self._found.one(kind, name)
        if there is not None:
            return there.id
        planned = {id_key: PLANNED}
        made = self._ledger.do(f"create {kind} {name}", lambda: create_once(create, self._look(kind, name)), planned)
        return str(made[id_key])

    def _vpc(self) -> str:
        name = self._name("vpc")
        tag = specification("vpc", self._ledger.tags(name, timed=True))
        vpc = self._make(
            "vpc",
            name,
            lambda: self._once.create_vpc(CidrBlock=self._wish.vpc_cidr, TagSpecifications=[tag])["Vpc"],
            "VpcId",
        )
        # Names need support first. A new VPC has support, but not names.
        for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
            if vpc == PLANNED:
                is_on = attribute == "enableDnsSupport"
            else:
                look = partial(self._ec2.describe_vpc_attribute, VpcId=vpc, Attribute=attribute)
                is_on = until_known(look)[key]["Value"]
            if not is_on:
                change = partial(self._ec2.modify_vpc_attribute, VpcId=vpc, **{key: {"Value": True}})
                self._ledger.do(f"set {attribute} of vpc {name}", partial(until_known, change))
        return vpc

    def _internet_gateway(self, vpc: str) -> str:
        name = self._name("internet")
        tag = specification("internet-gateway", self._ledger.tags(name, timed=True))
        gateway = self._make(
            "internet gateway",
            name,
            lambda: self._once.create_internet_gateway(TagSpecifications=[tag])["InternetGateway"],
            "InternetGatewayId",
        )
        there = self._found.one("internet gateway", name)
        attached = [one["VpcId"] for one in there.raw.get("Attachments", [])] if there else []
        if vpc not in attached:
            self._ledger.do(f"attach internet gateway {name}", lambda: self._attach(gateway, vpc))
        return gateway

    def _attach(self, gateway: str, vpc: str) -> None:
        try:
            until_known(lambda: self._ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc))
        except ClientError as error:
            # The answer to an earlier try was lost.
            if code_of(error) != "Resource.AlreadyAssociated":
                raise

    def _subnet(self, part: str, vpc: str, cidr: str) -> str:
        name = self._name(part)
        tag = specification("subnet", self._ledger.tags(name, timed=True))
        return self._make(
            "subnet",
            name,
            lambda: until_known(
                lambda: self._once.create_subnet(
                    VpcId=vpc, CidrBlock=cidr, AvailabilityZone=self._wish.zone, TagSpecifications=[tag]
                )
            )["Subnet"],
            "SubnetId",
        )

    def address(self, part: str) -> tuple[str, dict[str, Any]]:
        """An elastic address: its allocation id, and how EC2 describes it."""
        name = self._name(part)
        tag = specification("elastic-ip", self._ledger.tags(name, timed=True))
        allocation = self._make(
            "elastic address",
            name,
            lambda: self._once.allocate_address(Domain="vpc", TagSpecifications=[tag]),
            "AllocationId",
        )
        there = self._found.one("elastic address", name)
        return allocation, there.raw if there else {}

    def _nat_gateway(self, subnet: str) -> str:
        name = self._name("nat")
        allocation, _ = self.address("nat-address")
        gateways = [one for one in self._found.of("nat gateway") if one.name == name]
        for broken in [one for one in gateways if one.state in ("failed", "deleting")]:
            self._replace_nat(broken)
            gateways.remove(broken)
        if len(gateways) > 1:
            raise AwsError(f"nat gateway {name}: there are {len(gateways)}; delete the wrong one, or tear down")
        if gateways:
            return gateways[0].id
        # The same wish, the same token: a request that is sent twice makes one gateway. Those that came before count,
        # for a token remembers them.
        before = sorted(
            one.id for one in [*self._found.gone, *self._found.of("nat gateway")] if one.kind == "nat gateway"
        )
        token = hashlib.sha256("/".join([self._wish.env, subnet, allocation, *before]).encode()).hexdigest()
        made = self._ledger.do(
            f"create nat gateway {name}",
            lambda: until_known(
                lambda: self._ec2.create_nat_gateway(
                    SubnetId=subnet,
                    AllocationId=allocation,
                    ClientToken=token,
                    TagSpecifications=[specification("natgateway", self._ledger.tags(name))],
                )
            )["NatGateway"],
            {"NatGatewayId": PLANNED},
        )
        return str(made["NatGatewayId"])

    def _replace_nat(self, broken: Resource) -> None:
        if broken.state == "failed":
            self._ledger.do(
                f"delete {broken}, which failed", lambda: self._ec2.delete_nat_gateway(NatGatewayId=broken.id)
            )
        if not self._ledger.check:
            # Its address is free only then.
            wait_until(
                lambda: self._nat_state(broken.id) in ("deleted", "failed"), f"delete {broken}", self._wish.timeout
            )

    def _nat_state(self, nat: str) -> str:
        answer = until_known(lambda: self._ec2.describe_nat_gateways(NatGatewayIds=[nat]))["NatGateways"]
        if answer and answer[0]["State"] == "failed":
            raise AwsError(
                f"nat gateway {nat}: {answer[0].get('FailureCode', 'failed')}: {answer[0].get('FailureMessage', '')}. "
                "What to do: run it again, it is replaced"
            )
        return str(answer[0]["State"]) if answer else "deleted"

    def _wait_for_nat(self, nat: str) -> None:
        name = self._name("nat")
        wait_until(
            lambda: self._nat_state(nat) == "available", f"nat gateway {name} becomes available", self._wish.timeout
        )

    def _route_table(self, part: str, vpc: str, subnet: str) -> str:
        name = self._name(part)
        there = self._found.one("route table", name)
        tag = specification("route-table", self._ledger.tags(name, timed=True))
        table = self._make(
            "route table",
            name,
            lambda: until_known(lambda: self._once.create_route_table(VpcId=vpc, TagSpecifications=[tag]))[
                "RouteTable"
            ],
            "RouteTableId",
        )
        associated = [one.get("SubnetId") for one in there.raw.get("Associations", [])] if there else []
        if subnet not in associated:
            self._ledger.do(f"use route table {name} in subnet {name}", lambda: self._associate(table, subnet))
        return table

    def _associate(self, table: str, subnet: str) -> None:
        try:
            until_known(lambda: self._ec2.associate_route_table(RouteTableId=table, SubnetId=subnet))
        except ClientError as error:
            # The answer to an earlier try was lost; or somebody gave the subnet another table: that is not overruled.
            if code_of(error) != "Resource.AlreadyAssociated":
                raise
            if subnet not in [one.get("SubnetId") for one in self._table(table).get("Associations", [])]:
                raise

    def _table(self, table: str) -> dict[str, Any]:
        tables = until_known(lambda: self._ec2.describe_route_tables(RouteTableIds=[table]))["RouteTables"]
        return dict(tables[0])

    def _route(self, table: str, target_key: str, target: str) -> None:
        """The default route of a table."""
        routes = [] if PLANNED in (table, target) else self._table(table)["Routes"]
        default = [one for one in routes if one.get("DestinationCidrBlock") == EVERYWHERE]
        if default and default[0].get(target_key) == target and default[0].get("State") != "blackhole":
            return
        kind = "nat gateway" if target_key == "NatGatewayId" else "internet gateway"
        route = {"RouteTableId": table, "DestinationCidrBlock": EVERYWHERE, target_key: target}
        self._ledger.do(
            f"route {self._name('private' if kind == 'nat gateway' else 'public')} to the {kind}",
            lambda: until_known(lambda: self._set_route(route, is_there=bool(default))),
        )

    def _set_route(self, route: dict[str, str], *, is_there: bool) -> None:
        if not is_there:
            try:
                self._ec2.create_route(**route)
                return
            except ClientError as error:
                # The answer to an earlier try was lost.
                if code_of(error) != "RouteAlreadyExists":
                    raise
        self._ec2.replace_route(**route)
