# Copyright the faas.exp authors
# Apache-2.0 (see LICENSE)
"""Filter ``faas.exp.overlapping``: which of some networks share addresses with one."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

from ansible.errors import AnsibleFilterError


def overlapping(networks: list[str], network: str) -> list[str]:
    """Those of ``networks`` (IPv4; others are passed over) which share an address with ``network``."""
    try:
        wanted = IPv4Network(network)
    except ValueError as error:
        raise AnsibleFilterError(f"overlapping: found {network!r}, allowed: an IPv4 network ({error})") from error
    return [one for one in networks if ":" not in one and IPv4Network(one, strict=False).overlaps(wanted)]


class FilterModule:
    """What Ansible asks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"overlapping": overlapping}
