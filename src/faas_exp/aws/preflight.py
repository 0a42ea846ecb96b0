"""Everything that can be known to fail, found out before the first resource is made, with the choices that exist."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from faas_exp.aws.errors import FAILURES, AwsError, AwsInputError, code_of, explain
from faas_exp.aws.placement import seats
from faas_exp.aws.session import Cloud, region_of
from faas_exp.aws.spec import Image, Wish
from faas_exp.aws.survey import Found

# EC2's words for an architecture, and those of Debian's (and most others') image names.
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
# Service Quotas: virtual CPUs of running on-demand standard (A, C, D, H, I, M, R, T, Z) machines.
_STANDARD_VCPUS = "L-1216C47A"
_STANDARD_FAMILIES = {"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"}
_ADDRESSES_NEEDED = 2


@dataclass(frozen=True)
class Size:
    """What is known of one instance type."""

    name: str
    architecture: str
    vcpus: int


@dataclass(frozen=True)
class ImageFound:
    """An image that machines can start from.

    Attributes:
        root_device: the name under which its root volume is attached.
        size: GB that its root volume has at least; 0 where the image does not say.
    """

    id: str
    name: str
    root_device: str
    size: int


@dataclass(frozen=True)
class Checked:
    """What preflight learned: sizes by type, images by architecture."""

    sizes: dict[str, Size]
    images: dict[str, ImageFound]

    def image_of(self, instance_type: str) -> ImageFound:
        return self.images[self.sizes[instance_type].architecture]


def check(cloud: Cloud, wish: Wish, found: Found) -> Checked:
    """Ask AWS whether all of it can be had.

    Args:
        found: what there is of this environment already.

    Raises:
        AwsInputError: an input that AWS does not know, or another than the environment was made with.
        AwsError: a quota that does not suffice, or a name that somebody else uses.
    """
    try:
        _zone(cloud, wish)
        _same_as_before(wish, found)
        key_pair(cloud, wish, found)
        _placement_groups(cloud, wish, found)
        present = {one.name for one in found.of("instance")}
        missing = [one for one in wish.machines if f"{wish.env}-{one.name}" not in present]
        sizes = _sizes(cloud, wish.zone, {one.instance_type for one in missing})
        images = {size.architecture: _image(cloud, wish.image, size) for size in sizes.values()}
        checked = Checked(sizes, images)
        for machine in missing:
            image = checked.image_of(machine.instance_type)
            if machine.volume_size < image.size:
                raise AwsInputError("volume_size", machine.volume_size, f"at least the image's {image.size} (GB)")
        _addresses(cloud, wish, found)
        _vcpus(cloud, sum(sizes[one.instance_type].vcpus for one in missing if _standard(one.instance_type)))
    except FAILURES as error:
        raise explain(error, "check the inputs") from error
    return checked


def _zone(cloud: Cloud, wish: Wish) -> None:
    zones = cloud.ec2.describe_availability_zones(AllAvailabilityZones=True)["AvailabilityZones"]
    opted_out = {zone["ZoneName"] for zone in zones if zone.get("OptInStatus") == "not-opted-in"}
    usable = sorted({zone["ZoneName"] for zone in zones if zone["State"] == "available"} - opted_out)
    if wish.zone not in usable:
        allowed = f"of region {cloud.region}: {', '.join(usable)}"
        elsewhere = region_of(wish.zone)
        if elsewhere and elsewhere != cloud.region:
            allowed += f" (or set AWS_DEFAULT_REGION={elsewhere})"
        raise AwsInputError("availability_zone", wish.zone, allowed)


def _same_as_before(wish: Wish, found: Found) -> None:
    """What can't be changed afterwards must be what it was."""
    for kind, name, key, value in (
        ("vpc", "vpc", "vpc_cidr", wish.vpc_cidr),
        ("subnet", "public", "public_subnet_cidr", wish.public_subnet_cidr),
        ("subnet", "private", "private_subnet_cidr", wish.private_subnet_cidr),
    ):
        there = found.one(kind, f"{wish.env}-{name}")
        if there is not None and there.raw["CidrBlock"] != value:
            raise AwsInputError(key, value, f"{there.raw['CidrBlock']} (so {there} was made; tear down to change it)")
        if there is not None and there.raw.get("AvailabilityZone", wish.zone) != wish.zone:
            zone = there.raw["AvailabilityZone"]
            raise AwsInputError("availability_zone", wish.zone, f"{zone} (where {there} is; tear down to change it)")


def key_pair(cloud: Cloud, wish: Wish, found: Found) -> None:
    """The key pair at AWS, where there is one, must be ours and hold the key that we have."""
    ours = found.one("key pair", wish.env)
    if ours is not None:
        public = ours.raw.get("PublicKey", "")
        if public and public.split()[:2] != wish.public_key.split()[:2] and wish.public_key:
            raise AwsInputError(
                "public_key",
                " ".join(wish.public_key.split()[2:3]) or wish.public_key.split()[0],
                f"the key that {wish.env} was made with (its key pair at AWS holds another): give that private_key",
            )
        return
    try:
        taken = cloud.ec2.describe_key_pairs(KeyNames=[wish.env])["KeyPairs"]
    except ClientError as error:
        if code_of(error) != "InvalidKeyPair.NotFound":
            raise
        return
    if taken:
        raise AwsInputError(
            "env_name", wish.env, f"another name (a key pair {wish.env} exists which is not of this environment)"
        )


def _placement_groups(cloud: Cloud, wish: Wish, found: Found) -> None:
    """Their names are unique in account and region: those that are not ours must be free."""
    names = sorted(set(seats(wish).values()) - {one.name for one in found.of("placement group")})
    if not names:
        return
    taken = cloud.ec2.describe_placement_groups(Filters=[{"Name": "group-name", "Values": names}])["PlacementGroups"]
    for one in taken:
        name = one["GroupName"]
        raise AwsInputError(
            "env_name", wish.env, f"another name (a placement group {name} exists which is not of this environment)"
        )


def _sizes(cloud: Cloud, zone: str, types: set[str]) -> dict[str, Size]:
    if not types:
        return {}
    offers = cloud.ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=[{"Name": "location", "Values": [zone]}]
    )
    offered = {one["InstanceType"] for one in offers.build_full_result()["InstanceTypeOfferings"]}
    for name in sorted(types - offered):
        raise AwsInputError("instance_type", name, f"one that {zone} offers: {_like(name, offered)}")
    described = cloud.ec2.describe_instance_types(InstanceTypes=sorted(types))["InstanceTypes"]
    sizes = {}
    for raw in described:
        known = [one for one in raw["ProcessorInfo"]["SupportedArchitectures"] if one in _ARCHITECTURES]
        if not known:
            raise AwsInputError(
                "instance_type", raw["InstanceType"], f"one with {' or '.join(_ARCHITECTURES)} processors"
            )
        sizes[raw["InstanceType"]] = Size(raw["InstanceType"], known[0], raw["VCpuInfo"]["DefaultVCpus"])
    return sizes


def _like(name: str, offered: set[str]) -> str:
    """The ten that look most like it, and how many more there are."""
    near = difflib.get_close_matches(name, sorted(offered), n=10, cutoff=0.4) or sorted(offered)[:10]
    more = len(offered) - len(near)
    return ", ".join(near) + (f" and {more} more" if more > 0 else "")


def _image(cloud: Cloud, image: Image, size: Size) -> ImageFound:
    pattern = image.name.format(arch=_ARCHITECTURES[size.architecture])
    if image.id:
        try:
            listed = cloud.ec2.describe_images(ImageIds=[image.id])["Images"]
        except ClientError as error:
            if not code_of(error).startswith("InvalidAMIID"):
                raise
            listed = []
        if not listed:
            names = _names(cloud, image.owner, pattern)
            raise AwsInputError("image_id", image.id, f"an image of region {cloud.region}{names}")
        if listed[0].get("Architecture", size.architecture) != size.architecture:
            allowed = f"one for {size.architecture}, the architecture of {size.name}"
            raise AwsInputError("image_id", f"{image.id} ({listed[0]['Architecture']})", allowed)
    else:
        listed = _of_owner(cloud, image.owner, pattern)
        if not listed:
            names = _names(cloud, image.owner, "*")
            raise AwsInputError(
                "cloud_aws_image_name", pattern, f"a name of owner {image.owner} in {cloud.region}{names}"
            )
    newest = max(listed, key=lambda one: one.get("CreationDate", ""))
    root = newest.get("RootDeviceName", "/dev/xvda")
    disks = [one for one in newest.get("BlockDeviceMappings", []) if one.get("DeviceName") == root]
    size_gb = int(disks[0].get("Ebs", {}).get("VolumeSize", 0)) if disks else 0
    return ImageFound(newest["ImageId"], newest.get("Name", ""), root, size_gb)


def _of_owner(cloud: Cloud, owner: str, pattern: str) -> list[dict[str, Any]]:
    listed = cloud.ec2.describe_images(
        Owners=[owner], Filters=[{"Name": "name", "Values": [pattern]}, {"Name": "state", "Values": ["available"]}]
    )["Images"]
    return list(listed)


def _names(cloud: Cloud, owner: str, pattern: str) -> str:
    newest = sorted(_of_owner(cloud, owner, pattern), key=lambda one: one.get("CreationDate", ""), reverse=True)
    named = [f"{one['ImageId']} {one.get('Name', '')}".strip() for one in newest[:5]]
    return f", as {', '.join(named)}" if named else f" ({owner} has none there)"


def _addresses(cloud: Cloud, wish: Wish, found: Found) -> None:
    """Elastic addresses: the bastion's and the NAT gateway's."""
    needed = _ADDRESSES_NEEDED - len(found.of("elastic address"))
    if needed <= 0:
        return
    wanted = "vpc-max-elastic-ips"
    attributes = cloud.ec2.describe_account_attributes(AttributeNames=[wanted])["AccountAttributes"]
    limits = [one["AttributeValues"][0]["AttributeValue"] for one in attributes if one["AttributeName"] == wanted]
    used = len(cloud.ec2.describe_addresses()["Addresses"])
    if limits and used + needed > int(limits[0]):
        raise AwsError(
            f"quota: {wish.env} needs {needed} more elastic addresses; {used} of {limits[0]} are used. "
            "Release one, or ask for more (Service Quotas, EC2)"
        )


def _standard(instance_type: str) -> bool:
    """Whether the quota of the standard families counts it (g, p, inf and the like have their own)."""
    letters = re.match(r"[a-z]+", instance_type)
    return letters is not None and letters[0] in _STANDARD_FAMILIES


def _vcpus(cloud: Cloud, needed: int) -> None:
    if not needed:
        return
    try:
        quotas = cloud.client("service-quotas")
        quota = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=_STANDARD_VCPUS)["Quota"]["Value"]
    except FAILURES:
        # Not everybody may read quotas. RunInstances then says it, for the machine it is about.
        return
    used = 0
    pages = cloud.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    for page in pages:
        for one in (raw for reservation in page["Reservations"] for raw in reservation["Instances"]):
            cpu = one.get("CpuOptions", {})
            # Spot machines have a quota of their own.
            if _standard(one["InstanceType"]) and one.get("InstanceLifecycle") != "spot":
                used += cpu.get("CoreCount", 1) * cpu.get("ThreadsPerCore", 2)
    if used + needed > quota:
        raise AwsError(
            f"quota: missing machines need {needed} vCPUs; {used} of {quota:.0f} in {cloud.region} are used. "
            "Ask for fewer or smaller machines, or for a higher quota (Service Quotas, EC2, "
            "Running On-Demand Standard instances)"
        )
