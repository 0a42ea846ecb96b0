"""Tags: the only state there is."""

from __future__ import annotations

from typing import Any

ENV = "faas-exp:env"
MACHINE = "faas-exp:machine"
GROUPS = "faas-exp:groups"
HOST_KEY = "faas-exp:host-key"
CREATED = "faas-exp:created"


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 takes them, in a stable order."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def specification(kind: str, tags: dict[str, str]) -> dict[str, Any]:
    """Tags for the call that makes something: it never exists without them."""
    return {"ResourceType": kind, "Tags": tag_list(tags)}


def tag_dict(raw: dict[str, Any]) -> dict[str, str]:
    """Tags as EC2 lists them, as a dict; network interfaces call them ``TagSet``."""
    return {tag["Key"]: tag["Value"] for tag in raw.get("Tags") or raw.get("TagSet") or []}
