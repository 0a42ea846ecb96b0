"""Which replica gets the next request: the one with the fewest in flight.

The table is a copy of what the provider says, kept by its changes; the request's path reads nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from faas_exp.gateway.model import FunctionSpec, FunctionState, Replica, ScaleRules

if TYPE_CHECKING:
    from faas_exp.gateway.http.upstream import UpstreamConnection

# A replica that refused a connection is left alone this long, unless there is no other.
SUSPECT_FOR = 0.25
# Between two looks at replicas that refused.
RETRY_AFTER = 0.05


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Waiter(Protocol):
    """A request that no replica can take yet."""

    def wake(self) -> None:
        """A replica may have come."""


class ReplicaRoute:
    """One replica and the connections to it.

    Attributes:
        in_flight: requests it has now, those that still connect included.
        idle: connections free for the next request, the latest used last.
        drained: set when it takes no more requests and has none left.
    """

    __slots__ = (
        "_registry",
        "drained",
        "draining",
        "headers",
        "host",
        "host_line",
        "id",
        "idle",
        "in_flight",
        "port",
        "suspect_until",
    )

    def __init__(self, replica: Replica, registry: dict[str, ReplicaRoute]) -> None:
        self._registry = registry
        registry[replica.id] = self
        self.id = replica.id
        self.host = replica.host
        self.port = replica.port
        self.draining = replica.draining
        self.in_flight = 0
        self.idle: deque[UpstreamConnection] = deque()
        self.suspect_until = 0.0
        self.drained = asyncio.Event()
        # X-Replica-Id and X-Replica-Start-Time for functions that don't send them.
        self.host_line = f"Host: {_bracketed(replica.host)}:{replica.port}\r\n".encode()
        self.headers = (
            f"X-Replica-Id: {replica.id}\r\n".encode(),
            f"X-Replica-Start-Time: {replica.started_ms}\r\n".encode(),
        )

    def release(self) -> None:
        """One request less."""
        self.in_flight -= 1
        if self.draining and not self.in_flight:
            self.gone()

    def drain(self) -> None:
        """No new requests from now on."""
        self.draining = True
        if not self.in_flight:
            self.gone()

    def gone(self) -> None:
        """Nothing is left of it: it has finished its requests, or died with them."""
        self.draining = True
        self.drained.set()
        if self._registry.get(self.id) is self:
            del self._registry[self.id]
        while self.idle:
            self.idle.pop().close()


class FunctionRoute:
    """A function's replicas and the requests that wait for one.

    Attributes:
        last_used: monotonic time of the last request's begin or end.
        in_flight: requests taken and not answered, waiting ones included.
        exec_timeout: seconds by the function's own environment.
        autoscaled: whether an autoscaler asked for the number of replicas.
    """

    def __init__(self, state: FunctionState, registry: dict[str, ReplicaRoute]) -> None:
        self.name = state.spec.name
        self._registry = registry
        self.replicas: list[ReplicaRoute] = []
        self.in_flight = 0
        self.last_used = monotonic()
        self.spec: FunctionSpec = state.spec
        self.rules: ScaleRules = state.spec.scale
        self.exec_timeout = inf
        self.wanted = 0
        self.autoscaled = False
        self.deleted = False
        self._waiting: dict[Waiter, None] = {}
        self._turn = 0
        self._alarm: asyncio.TimerHandle | None = None
        self.apply(state)

    def apply(self, state: FunctionState) -> None:
        """Takes over what the provider says."""
        if state.spec is not self.spec:
            self.rules = state.spec.scale
        self.spec = state.spec
        self.exec_timeout = state.spec.exec_timeout
        self.wanted = state.wanted
        self.autoscaled = state.autoscaled
        known = {replica.id: replica for replica in self.replicas}
        routes: list[ReplicaRoute] = []
        fresh = False
        for replica in state.replicas:
            route = known.get(replica.id)
            if route is not None and (route.host, route.port) == (replica.host, replica.port):
                del known[replica.id]
            else:
                route = ReplicaRoute(replica, self._registry)
                fresh = True
            if replica.draining and not route.draining:
                route.drain()
            routes.append(route)
        self.replicas = routes
        for route in known.values():
            route.gone()
        if fresh:
            self.wake()

    def pick(self) -> ReplicaRoute | None:
        """The replica with the fewest requests, the next in turn among equals; None when there is none to ask."""
        replicas = self.replicas
        count = len(replicas)
        if count == 1:
            only = replicas[0]
            return None if only.draining or (only.suspect_until and only.suspect_until > monotonic()) else only
        if not count:
            return None
        turn = self._turn = (self._turn + 1) % count
        best: ReplicaRoute | None = None
        fewest = 1 << 60
        for place in range(turn - count, turn):
            replica = replicas[place]
            if replica.in_flight < fewest and not replica.draining:
                if replica.suspect_until and replica.suspect_until > monotonic():
                    continue
                best = replica
                fewest = replica.in_flight
                if not fewest:
                    break
        return best

    def wait(self, waiter: Waiter) -> None:
        """Queues a request until ``wake``."""
        self._waiting[waiter] = None

    def forget(self, waiter: Waiter) -> None:
        """A queued request needs no replica any more."""
        self._waiting.pop(waiter, None)

    @property
    def waiting(self) -> int:
        """Requests without a replica."""
        return len(self._waiting)

    def wake_soon(self) -> None:
        """Lets the queued requests try again after a moment; asking again before that changes nothing."""
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(RETRY_AFTER, self.wake)

    def wake(self) -> None:
        """Lets the queued requests try again, in their order."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            waiter.wake()


class RouteTable:
    """All functions, by name; the request's path looks them up by the name's bytes."""

    def __init__(self) -> None:
        self.functions: dict[bytes, FunctionRoute] = {}
        self._replicas: dict[str, ReplicaRoute] = {}

    def apply(self, name: str, state: FunctionState | None) -> None:
        """Takes over a change; None means that the function is deleted."""
        key = name.encode()
        route = self.functions.get(key)
        if state is None:
            if route is not None:
                del self.functions[key]
                route.deleted = True
                for replica in route.replicas:
                    replica.drain()
                route.wake()
        elif route is None:
            self.functions[key] = FunctionRoute(state, self._replicas)
        else:
            route.apply(state)

    def in_flight(self, replica_id: str) -> int:
        """Requests that a replica has now; 0 for one that is not known."""
        replica = self._replicas.get(replica_id)
        return replica.in_flight if replica is not None else 0

    async def drained(self, replica_id: str, timeout: float) -> bool:
        """Waits until a draining replica has no request left; False when that took more than ``timeout`` seconds."""
        replica = self._replicas.get(replica_id)
        if replica is None:
            return True
        try:
            await asyncio.wait_for(replica.drained.wait(), timeout)
        except TimeoutError:
            return False
        return True
