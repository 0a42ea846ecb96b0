"""From which address the cloud sees this machine, so that SSH can be opened to it alone."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from faas_exp import caller
from faas_exp.openstack.errors import OpenStackError


def caller_network(auth_url: str, service: str = caller.SERVICE) -> str:
    """This machine's address as a network of one, ``203.0.113.7/32``.

    Where no address translation is in between (this machine's address is public, or the cloud's is private too), it is
    the one from which connections to the cloud go out; else a service on the Internet is asked.

    Args:
        auth_url: where the cloud's identity service answers.
        service: an HTTP address that answers with the caller's address in plain text.

    Raises:
        FaasExpError: it can't be found out.
    """
    parts = urlsplit(auth_url)
    own, cloud = _route(parts.hostname or "", parts.port or 443)
    if own.is_global or not cloud.is_global:
        return f"{own}/32"
    return caller.caller_network(service)


def _route(host: str, port: int) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """Our address and the other's, on the way there. Nothing is sent."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as way:
            way.connect(address)
            return ipaddress.IPv4Address(way.getsockname()[0]), ipaddress.IPv4Address(str(address[0]))
    except OSError as error:
        advice = "Set admin_cidr to the network that you come from, as 203.0.113.7/32"
        raise OpenStackError(f"admin_cidr: no way to {host} over IPv4 ({error}). {advice}") from None
