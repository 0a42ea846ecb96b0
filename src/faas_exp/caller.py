"""The address under which the world sees this machine: who may reach the bastion when nobody says otherwise."""

from __future__ import annotations

import urllib.error
import urllib.request
from ipaddress import IPv4Address

from faas_exp.errors import FaasExpError

SERVICE = "https://checkip.amazonaws.com"
"""Answers with the caller's address in plain text; run by AWS."""


class CallerError(FaasExpError):
    """The address could not be found out."""


def caller_network(service: str = SERVICE, timeout: float = 10) -> str:
    """This machine's public IPv4 address as a network of one, ``203.0.113.7/32``.

    Args:
        service: an HTTP address that answers with the caller's address in plain text.
        timeout: seconds.

    Raises:
        CallerError: no answer, or another one.
    """
    advice = "Set admin_cidr to the network that you come from, as 203.0.113.7/32"
    if not service.startswith(("https://", "http://")):
        raise CallerError(f"inputs: own address service: found {service!r}, allowed: an http or https address")
    try:
        with urllib.request.urlopen(service, timeout=timeout) as answer:  # noqa: S310
            text = answer.read(100).decode("ascii", "replace").strip()
    except (OSError, urllib.error.URLError) as error:
        raise CallerError(f"admin_cidr: {service} does not tell this machine's address ({error}). {advice}") from None
    try:
        return f"{IPv4Address(text)}/32"
    except ValueError:
        raise CallerError(f"admin_cidr: {service} answered {text[:40]!r}, no IPv4 address. {advice}") from None
