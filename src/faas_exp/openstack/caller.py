"""From which address the cloud sees us, so that SSH can be opened to it alone."""

from __future__ import annotations

import ipaddress
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from faas_exp.openstack.errors import OpenStackError

_ADVICE = "Give admin_cidr: the network from which you come, as 203.0.113.7/32 (0.0.0.0/0 opens SSH to the world)"


def caller_network(auth_url: str, ask: str) -> str:
    """The caller's own address as a network of one.

    Where no address translation is in between (our own address is public, or the cloud's is private too), it is the one
    from which connections to the cloud go out; else a service on the Internet is asked.

    Args:
        auth_url: where the cloud's identity service answers.
        ask: URL that answers with the address it was asked from; empty to ask nobody.

    Raises:
        OpenStackError: it can't be found out.
    """
    parts = urlsplit(auth_url)
    own, cloud = _route(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    if own.is_global or not cloud.is_global:
        return f"{own}/32"
    if not ask:
        raise OpenStackError(f"Our address at the cloud can't be told from {own}, which is private. {_ADVICE}")
    try:
        with urllib.request.urlopen(ask, timeout=10) as answer:  # noqa: S310
            return f"{ipaddress.IPv4Address(answer.read(64).decode().strip())}/32"
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise OpenStackError(f"Our address can't be found out at {ask} ({error}). {_ADVICE}") from error


def _route(host: str, port: int) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """Our address and the other's, on the way there. Nothing is sent."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as way:
            way.connect(address)
            return ipaddress.IPv4Address(way.getsockname()[0]), ipaddress.IPv4Address(str(address[0]))
    except OSError as error:
        raise OpenStackError(f"No way to {host} over IPv4 ({error}). {_ADVICE}") from error
