"""The listening side: accepts connections, watches their deadlines, ends them in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

from faas_exp.gateway.http.connection import ClientConnection
from faas_exp.gateway.http.exchange import Exchange
from faas_exp.gateway.http.request import Request

_log = logging.getLogger(__name__)

_TICK = 0.1
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask of us. Times in seconds, sizes in bytes.

    Attributes:
        read_timeout: from a request's first byte to its last.
        idle_timeout: between two requests of a connection.
        max_head: request line and headers.
        max_connections: open at once; more are answered 503.
    """

    read_timeout: float = 305.0
    idle_timeout: float = 75.0
    max_head: int = 65536
    max_connections: int = 8192


class Server:
    """All client connections of one listening socket.

    Args:
        route: chooses the exchange for a request; may raise ``BadRequestError``.
        limits: see there.
    """

    def __init__(self, route: Callable[[ClientConnection, Request], Exchange], limits: Limits) -> None:
        self.route = route
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.connections: set[ClientConnection] = set()
        self.closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def bind(self, host: str, port: int) -> int:
        """Reserves the address; nobody is served before ``serve``.

        Returns:
            the port, which differs from the argument when that was 0.

        Raises:
            OSError: the address can't be had.
        """
        self._listener = await self.loop.create_server(
            lambda: ClientConnection(self), host, port, backlog=_BACKLOG, start_serving=False
        )
        return int(self._listener.sockets[0].getsockname()[1])

    async def serve(self) -> None:
        """Starts to accept.

        Raises:
            OSError: somebody else listens on the address by now.
        """
        assert self._listener is not None  # noqa: S101 - bound before
        await self._listener.start_serving()
        self._sweeper = self.loop.create_task(self._sweep())

    def admit(self, connection: ClientConnection) -> bool:
        """Counts a new connection; False when there are too many."""
        full = len(self.connections) >= self.limits.max_connections
        self.connections.add(connection)
        return not full

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine which nobody awaits, and keeps it from being collected."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, grace: float) -> None:
        """Accepts no more, waits up to ``grace`` seconds for pending responses, then drops what is left."""
        self.closing = True
        if self._listener is not None:
            self._listener.close()
        end = monotonic() + grace
        while self.connections and monotonic() < end:
            for connection in list(self.connections):
                connection.shut()
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in list(self._tasks):
            task.cancel()

    async def _sweep(self) -> None:
        # One timer for all instead of one per request: precise to a tick, and free on the request's path.
        while True:
            await asyncio.sleep(_TICK)
            now = monotonic()
            for connection in list(self.connections):
                try:
                    self._check(connection, now)
                except Exception:  # the sweep must outlive any single connection
                    _log.exception("a connection's deadline could not be kept")
                    connection.abort()

    @staticmethod
    def _check(connection: ClientConnection, now: float) -> None:
        if connection.read_deadline <= now:
            connection.expire_reading()
        exchange = connection.current
        if exchange is not None and exchange.deadline <= now:
            exchange.deadline = inf
            exchange.expire()
