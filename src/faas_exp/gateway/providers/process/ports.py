"""Ports for replicas, chosen where the kernel does not choose."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from faas_exp.gateway.provider import ProviderError

_LOW = 10240
_TRIES = 200


class Ports:
    """Hands out free TCP ports on one address.

    Between the test and the replica's bind a port could be taken. Outgoing connections can't do that, because the ports
    lie below the kernel's ephemeral range; whoever else does makes the replica fail, and it is started again elsewhere.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._used: set[int] = set()
        try:
            text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
            self._high = max(int(text.split()[0]), _LOW + 1000)
        except (OSError, ValueError):
            self._high = 32768

    def take(self) -> int:
        """A free port, reserved until ``give_back``.

        Raises:
            ProviderError: none was found.
        """
        for _ in range(_TRIES):
            port = random.randrange(_LOW, self._high)  # noqa: S311 - not a secret
            if port in self._used:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self._host, port))
                except OSError:
                    continue
            self._used.add(port)
            return port
        raise ProviderError(f"no free TCP port on {self._host} between {_LOW} and {self._high}")

    def give_back(self, port: int) -> None:
        """The port is free again."""
        self._used.discard(port)
