"""What the connections of one process share: the event loop's clock, the receive buffer, the timeouts."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from gevent import get_hub

if TYPE_CHECKING:
    from faas_exp.load.client import Client

_BUFFER = 256 * 1024
_MAX_PRIORITY = 2


class Loop:
    """One per process.

    Attributes:
        wake_ns: when the event loop last came back from waiting (monotonic clock): the end of every answer that was
            ready then. From here to the next send is what the generator itself adds: answers before it, parsing,
            recording.
        buffer: where ``recv_into`` puts what comes. One is enough for all connections: nothing switches to another
            greenlet between receiving and copying out.
        connections: TCP connections opened.
        resent: requests sent again because the server had closed an idle connection.
    """

    def __init__(self, timeout: float) -> None:
        """Args: timeout: seconds for one request; decides how often the deadlines are looked at."""
        self.hub: Any = get_hub()
        self.timeout_ns = int(timeout * 1e9)
        self.buffer = bytearray(_BUFFER)
        self.view = memoryview(self.buffer)
        self.wake_ns = perf_counter_ns()
        self.connections = 0
        self.resent = 0
        self._clients: set[Client] = set()
        # A timer per request would cost more than the parser does. One sweep is late by 2 % of the timeout at most.
        self._tick = min(max(timeout / 50, 0.002), 0.5)
        self._check: Any = None
        self._timer: Any = None

    def start(self) -> None:
        loop = self.hub.loop
        self._check = loop.check(ref=False)
        self._check.priority = _MAX_PRIORITY
        self._check.start(self._woke)
        self._timer = loop.timer(self._tick, self._tick, ref=False)
        self._timer.start(self._sweep)

    def stop(self) -> None:
        for watcher in (self._check, self._timer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._check = self._timer = None

    def add(self, client: Client) -> None:
        self._clients.add(client)

    def discard(self, client: Client) -> None:
        self._clients.discard(client)

    def _woke(self) -> None:
        self.wake_ns = perf_counter_ns()

    def _sweep(self) -> None:
        now = perf_counter_ns()
        for client in list(self._clients):
            client.expire(now)
