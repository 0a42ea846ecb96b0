"""Everything that can be known to fail, found out before the first resource is made, with the choices that exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from faas_exp.openstack import marks
from faas_exp.openstack.errors import FAILURES, OpenStackInputError, explain
from faas_exp.openstack.patience import again
from faas_exp.openstack.session import Cloud
from faas_exp.openstack.spec import Wish
from faas_exp.openstack.survey import KEY_PAIR, NETWORK, ROUTER, SUBNET, Found

_GIB = 1024**3


@dataclass(frozen=True)
class Checked:
    """What preflight learned: ids by name, and flavors as compute describes them."""

    external_network: str
    image: str
    flavors: dict[str, Any]


def check(cloud: Cloud, wish: Wish, found: Found) -> Checked:
    """Ask OpenStack whether all of it can be had.

    Args:
        found: what there is of this environment already.

    Raises:
        OpenStackInputError: an input that OpenStack does not know, or another than the environment was made with.
    """
    try:
        network = cloud.api.network
        external = _one(
            "external_network_name",
            wish.external_network,
            again(lambda: list(network.networks(is_router_external=True))),
        )
        image = _image(cloud, wish)
        flavors = _flavors(cloud, wish, image)
        _zone(cloud, wish)
        _key_pair(cloud, wish, found)
        _same_as_before(wish, found, external)
    except FAILURES as error:
        raise explain(error, "check the inputs") from error
    return Checked(str(external.id), str(image.id), flavors)


def _one(key: str, wanted: str, choices: Iterable[Any]) -> Any:
    """The one of this id or name."""
    listed = list(choices)
    matching = [one for one in listed if one.id == wanted] or [one for one in listed if one.name == wanted]
    if len(matching) > 1:
        ids = ", ".join(sorted(one.id for one in matching))
        raise OpenStackInputError(key, wanted, f"the id of one of the {len(matching)} of this name: {ids}")
    if not matching:
        raise OpenStackInputError(key, wanted, _like(wanted, {one.name or one.id for one in listed}))
    return matching[0]


def _like(name: str, offered: set[str]) -> str:
    """The ten that look most like it, and how many more there are."""
    if not offered:
        return "none exists in this project and region"
    near = difflib.get_close_matches(name, sorted(offered), n=10, cutoff=0.4)
    near += [one for one in sorted(offered) if one not in near][: 10 - len(near)]
    more = len(offered) - len(near)
    return ", ".join(near) + (f" and {more} more" if more > 0 else "")


def _image(cloud: Cloud, wish: Wish) -> Any:
    # By name first: public clouds have images by the thousand, which are listed only to tell what may be chosen.
    named = again(lambda: list(cloud.api.image.images(name=wish.image)))
    images = named or again(lambda: list(cloud.api.image.images()))
    image = _one("image", wish.image, [one for one in images if one.status in ("active", "deactivated", "queued")])
    if image.status != "active":
        raise OpenStackInputError("image", f"{wish.image} ({image.status})", "an image whose status is active")
    return image


def _flavors(cloud: Cloud, wish: Wish, image: Any) -> dict[str, Any]:
    offered = again(lambda: list(cloud.api.compute.flavors()))
    flavors = {}
    for name in sorted({machine.flavor for machine in wish.machines}):
        flavor = _one("flavor", name, offered)
        if not flavor.disk:
            allowed = "a flavor with a disk of its own: " + _like(name, {one.name for one in offered if one.disk})
            raise OpenStackInputError("flavor", f"{name} (no disk)", allowed)
        disk = max(image.min_disk or 0, -(-(getattr(image, "virtual_size", None) or image.size or 0) // _GIB))
        if flavor.disk < disk or flavor.ram < (image.min_ram or 0):
            is_a = f"{name} ({flavor.ram} MB memory, {flavor.disk} GB disk)"
            needs = f"image {image.name} needs {image.min_ram or 0} MB memory and {disk} GB disk"
            fits = {one.name for one in offered if one.disk >= disk and one.ram >= (image.min_ram or 0)}
            raise OpenStackInputError("flavor", is_a, f"{_like(name, fits)} ({needs})")
        flavors[name] = flavor
    return flavors


def _zone(cloud: Cloud, wish: Wish) -> None:
    if not wish.zone:
        return
    zones = again(lambda: list(cloud.api.compute.availability_zones()))
    usable = {one.name for one in zones if (one.state or {}).get("available")}
    if wish.zone not in usable:
        raise OpenStackInputError("availability_zone", wish.zone, _like(wish.zone, usable))


def _key_pair(cloud: Cloud, wish: Wish, found: Found) -> None:
    """The key pair at OpenStack, where there is one, must be ours and hold the key that we have."""
    name = marks.key_pair_name(wish.env)
    ours = found.one(KEY_PAIR, name)
    if ours is None:
        if any(one.name == name for one in again(lambda: list(cloud.api.compute.keypairs()))):
            taken = f"another name (a key pair {name} exists which is not of this environment)"
            raise OpenStackInputError("env_name", wish.env, taken)
    elif wish.public_key and ours.raw.public_key.split()[:2] != wish.public_key.split()[:2]:
        allowed = f"the key that {wish.env} was made with (key pair {name} holds another): give that private_key"
        shown = " ".join(wish.public_key.split()[2:3]) or wish.public_key.split()[0]
        raise OpenStackInputError("public_key", shown, allowed)


def _same_as_before(wish: Wish, found: Found, external: Any) -> None:
    """What can't be changed afterwards must be what it was."""
    found.one(NETWORK, wish.name("network"))
    subnet = found.one(SUBNET, wish.name("subnet"))
    if subnet is not None and subnet.raw.cidr != str(wish.subnet):
        was = f"{subnet.raw.cidr} (so {subnet} was made; tear down to change it)"
        raise OpenStackInputError("subnet_cidr", wish.subnet_cidr, was)
    router = found.one(ROUTER, wish.name("router"))
    gateway = (router.raw.external_gateway_info or {}).get("network_id") if router else None
    if gateway and gateway != external.id:
        was = f"the network {gateway} (where {router} leads; tear down to change it)"
        raise OpenStackInputError("external_network_name", wish.external_network, was)
