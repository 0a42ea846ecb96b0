"""Placement groups, which moto does not know: kept here as EC2 keeps them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

Refusal = tuple[str, str]
_XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"
MOST = 7
"""Machines of one spread group in one zone."""


@dataclass(frozen=True)
class Group:
    """One of them."""

    id: str
    name: str
    strategy: str
    region: str
    tags: dict[str, str]


class Placement:
    """The groups there are, and which machine was started in which."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.groups: dict[str, Group] = {}
        self.members: dict[str, str] = {}
        self._made = 0

    def of(self, name: str, living: set[str]) -> list[str]:
        """The machines of a group that are still there."""
        return sorted(one for one, group in self.members.items() if group == name and one in living)

    def refuse(self, action: str, params: dict[str, str], living: Callable[[], set[str]]) -> Refusal | None:
        """What EC2 says to a request that can't be carried out."""
        name = params.get("Placement.GroupName", "") if action == "RunInstances" else params.get("GroupName", "")
        if action == "CreatePlacementGroup" and name in self.groups:
            return "InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists."
        if not name or action not in ("RunInstances", "DeletePlacementGroup"):
            return None
        if name not in self.groups:
            return "InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown."
        members = self.of(name, living())
        if action == "DeletePlacementGroup" and members:
            return "InvalidPlacementGroup.InUse", f"The placement group {name} is in use and may not be deleted."
        if action == "RunInstances" and len(members) >= MOST:
            return "InsufficientInstanceCapacity", f"There is no more room in placement group {name}."
        return None

    def answer(self, action: str, params: dict[str, str], authorization: str) -> bytes | None:
        """EC2's answer to a request about placement groups; None to any other.

        Args:
            authorization: the header; a signature is made for one region.
        """
        region = "".join(re.findall(r"Credential=[^/]+/\d+/([^/]+)/", authorization))
        if action == "CreatePlacementGroup":
            self._made += 1
            keys = {key[: -len(".Key")]: value for key, value in params.items() if re.search(r"\.Tag\.\d+\.Key$", key)}
            tags = {value: params[f"{stem}.Value"] for stem, value in keys.items()}
            group = Group(f"pg-{self._made:017x}", params["GroupName"], params["Strategy"], region, tags)
            self.groups[group.name] = group
            return _xml(action, f"<return>true</return><placementGroup>{_fields(group)}</placementGroup>")
        if action == "DeletePlacementGroup":
            del self.groups[params["GroupName"]]
            return _xml(action, "<return>true</return>")
        if action == "DescribePlacementGroups":
            fitting = [one for one in self.groups.values() if one.region == region and _fits(one, params)]
            items = "".join(f"<item>{_fields(one)}</item>" for one in fitting)
            return _xml(action, f"<placementGroupSet>{items}</placementGroupSet>")
        return None

    def tell(self, instance: str, item: ElementTree.Element) -> None:
        """Add to EC2's description of a machine which group it is in."""
        place = item.find("{*}placement")
        if place is None or instance not in self.members:
            return
        for known in place.findall("{*}groupName"):
            place.remove(known)
        ElementTree.SubElement(place, f"{{{_XMLNS}}}groupName").text = self.members[instance]


def _xml(action: str, content: str) -> bytes:
    return f'<{action}Response xmlns="{_XMLNS}"><requestId>0</requestId>{content}</{action}Response>'.encode()


def _fields(group: Group) -> str:
    tags = "".join(f"<item><key>{key}</key><value>{escape(value)}</value></item>" for key, value in group.tags.items())
    return (
        f"<groupName>{group.name}</groupName><groupId>{group.id}</groupId><strategy>{group.strategy}</strategy>"
        f"<state>available</state><spreadLevel>rack</spreadLevel><tagSet>{tags}</tagSet>"
    )


def _fits(group: Group, params: dict[str, str]) -> bool:
    for number in range(1, 10):
        name = params.get(f"Filter.{number}.Name")
        if name is None:
            return True
        wanted = {value for key, value in params.items() if key.startswith(f"Filter.{number}.Value.")}
        if name == "tag-key":
            has = set(group.tags)
        elif name.startswith("tag:"):
            has = {group.tags.get(name.removeprefix("tag:"), "")}
        else:
            has = {"group-name": {group.name}}[name]
        if not has & wanted:
            return False
    return True
