"""What the real EC2 refuses and moto lets pass.

Sources: the API reference's error codes, and what EC2 answers when things are deleted out of order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from ec2placement import Placement

Refusal = tuple[str, str]


class Rules:
    """Looks at moto's books, behind the back of whoever is tested."""

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2
        self.placement = Placement()
        # Things that were deleted but are still on their way out, and things that are not ready yet.
        self.dying: dict[str, int] = {}
        self.young: dict[str, int] = {}
        # Security groups of each machine's interface, as asked for: moto forgets them.
        self.groups_of: dict[str, str] = {}

    def refuse(self, action: str, params: dict[str, str]) -> Refusal | None:
        rule: Callable[[dict[str, str]], Refusal | None] | None = getattr(self, f"_{action}", None)
        refusal = rule(params) if rule else None
        return refusal or self.placement.refuse(action, params, lambda: {one["InstanceId"] for one in self.instances()})

    def instances(self) -> list[dict[str, Any]]:
        """Those that still hold their address and their groups."""
        found = self.ec2.describe_instances()["Reservations"]
        every = [one for reservation in found for one in reservation["Instances"]]
        return [one for one in every if one["State"]["Name"] != "terminated" or one["InstanceId"] in self.dying]

    def gateways(self) -> list[dict[str, Any]]:
        found = self.ec2.describe_nat_gateways()["NatGateways"]
        return [one for one in found if one["State"] != "deleted" or one["NatGatewayId"] in self.dying]

    def _RunInstances(self, params: dict[str, str]) -> Refusal | None:
        checks = (
            ("InvalidAMIID.NotFound", lambda: self.ec2.describe_images(ImageIds=[params["ImageId"]])["Images"]),
            (
                "InvalidInstanceType",
                lambda: self.ec2.describe_instance_types(InstanceTypes=[params["InstanceType"]])["InstanceTypes"],
            ),
            (
                "InvalidKeyPair.NotFound",
                lambda: self.ec2.describe_key_pairs(KeyNames=[params["KeyName"]])["KeyPairs"],
            ),
        )
        for code, look in checks:
            try:
                known = bool(look())
            except ClientError:
                known = False
            if not known:
                return code, f"there is no such thing: {params}"
        wanted = params.get("NetworkInterface.1.PrivateIpAddress")
        subnet = params.get("NetworkInterface.1.SubnetId")
        for one in self.instances():
            if one.get("SubnetId") == subnet and one.get("PrivateIpAddress") == wanted:
                return "InvalidIPAddress.InUse", f"Address {wanted} is in use."
        return None

    def _AssociateAddress(self, params: dict[str, str]) -> Refusal | None:
        if params.get("InstanceId") in self.young:
            return "IncorrectInstanceState", "The pending instance is not in a valid state for this operation."
        return None

    def _CreateRoute(self, params: dict[str, str]) -> Refusal | None:
        if params.get("NatGatewayId") in self.young:
            return "InvalidNatGatewayID.NotFound", "The gateway is not there yet."
        return None

    def _ReleaseAddress(self, params: dict[str, str]) -> Refusal | None:
        allocation = params["AllocationId"]
        for gateway in self.gateways():
            if allocation in [one.get("AllocationId") for one in gateway["NatGatewayAddresses"]]:
                return "InvalidIPAddress.InUse", f"{allocation} is used by {gateway['NatGatewayId']}."
        living = {one["InstanceId"] for one in self.instances()}
        for address in self.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]:
            if address.get("InstanceId") in living:
                return "InvalidIPAddress.InUse", f"{allocation} is used by {address['InstanceId']}."
        return None

    def _DetachInternetGateway(self, params: dict[str, str]) -> Refusal | None:
        vpc = params["VpcId"]
        if any(one["VpcId"] == vpc for one in self.gateways()):
            return "DependencyViolation", f"Network {vpc} has some mapped public address(es)."
        mapped = {one.get("InstanceId") for one in self.ec2.describe_addresses()["Addresses"]}
        if any(one.get("VpcId") == vpc and one["InstanceId"] in mapped for one in self.instances()):
            return "DependencyViolation", f"Network {vpc} has some mapped public address(es)."
        return None

    def _DeleteInternetGateway(self, params: dict[str, str]) -> Refusal | None:
        found = self.ec2.describe_internet_gateways(InternetGatewayIds=[params["InternetGatewayId"]])
        if found["InternetGateways"][0].get("Attachments"):
            return "DependencyViolation", "The internet gateway is attached."
        return None

    def _DeleteSubnet(self, params: dict[str, str]) -> Refusal | None:
        subnet = params["SubnetId"]
        if any(one.get("SubnetId") == subnet for one in [*self.instances(), *self.gateways()]):
            return "DependencyViolation", f"The subnet {subnet} has dependencies and cannot be deleted."
        return None

    def _DeleteRouteTable(self, params: dict[str, str]) -> Refusal | None:
        table = self.ec2.describe_route_tables(RouteTableIds=[params["RouteTableId"]])["RouteTables"][0]
        if any(not one.get("Main") for one in table["Associations"]):
            return "DependencyViolation", "The route table has dependencies and cannot be deleted."
        return None

    def _DeleteSecurityGroup(self, params: dict[str, str]) -> Refusal | None:
        group = params["GroupId"]
        for one in self.instances():
            if group == self.groups_of.get(one["InstanceId"]):
                return "DependencyViolation", f"resource {group} has a dependent object"
        for other in self.ec2.describe_security_groups()["SecurityGroups"]:
            named = [pair["GroupId"] for rule in other["IpPermissions"] for pair in rule["UserIdGroupPairs"]]
            if other["GroupId"] != group and group in named:
                return "DependencyViolation", f"resource {group} has a dependent object"
        return None

    def _DeleteVpc(self, params: dict[str, str]) -> Refusal | None:
        vpc = params["VpcId"]
        here = [{"Name": "vpc-id", "Values": [vpc]}]
        left = [
            *self.ec2.describe_subnets(Filters=here)["Subnets"],
            *[one for one in self.ec2.describe_security_groups(Filters=here)["SecurityGroups"]
              if one["GroupName"] != "default"],
            *[one for one in self.ec2.describe_route_tables(Filters=here)["RouteTables"]
              if not any(its.get("Main") for its in one["Associations"])],
            *self.ec2.describe_internet_gateways(
                Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"],
            *[one for one in [*self.instances(), *self.gateways()] if one.get("VpcId") == vpc],
        ]  # fmt: skip
        if left:
            return "DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted."
        return None
