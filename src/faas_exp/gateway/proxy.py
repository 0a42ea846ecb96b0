"""One invocation: from the client's request to a replica and back, streaming both ways.

It is driven by the callbacks of its two connections; a coroutine runs only where a connection must be made.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from math import inf
from time import monotonic, time_ns
from typing import TYPE_CHECKING

from faas_exp.gateway import log
from faas_exp.gateway.forwarding import new_call_id, request_head, response_lines
from faas_exp.gateway.http import wire
from faas_exp.gateway.http.connection import PAUSE_UPSTREAM, ClientConnection
from faas_exp.gateway.http.exchange import Exchange, Response, text
from faas_exp.gateway.http.request import Request
from faas_exp.gateway.http.upstream import UpstreamConnection
from faas_exp.gateway.routing import SUSPECT_FOR

if TYPE_CHECKING:
    from faas_exp.gateway.metrics import FunctionMetrics
    from faas_exp.gateway.policy import ProxyPolicy
    from faas_exp.gateway.routing import FunctionRoute, ReplicaRoute

# Body kept in memory while there is no replica to send it to.
_HELD_BODY = 65536
_CONNECT_TIMEOUT = 3.0
# How long a request looks for a replica that accepts connections, once one has refused.
_CONNECT_PATIENCE = 10.0


class _Phase(IntEnum):
    LOOKING = 0
    WAITING = 1
    CONNECTING = 2
    SENT = 3
    ENDED = 4


class ProxyExchange(Exchange):
    """A request to ``/function/<name>…``."""

    __slots__ = (
        "_arrived",
        "_bare",
        "_began",
        "_call_id",
        "_complete",
        "_failure",
        "_function",
        "_held",
        "_held_size",
        "_incoming",
        "_metrics",
        "_name",
        "_outgoing",
        "_path",
        "_phase",
        "_policy",
        "_received",
        "_rechunk",
        "_replica",
        "_status",
        "_upstream",
    )

    def __init__(
        self,
        connection: ClientConnection,
        request: Request,
        policy: ProxyPolicy,
        name: bytes,
        path: bytes,
        function: FunctionRoute | None,
    ) -> None:
        super().__init__(connection, request)
        self._policy = policy
        self._name = name
        self._path = path
        self._function = function
        self._metrics: FunctionMetrics | None = None
        self._replica: ReplicaRoute | None = None
        self._upstream: UpstreamConnection | None = None
        self._phase = _Phase.LOOKING
        self._held: list[bytes] = []
        self._held_size = 0
        self._outgoing: list[bytes] = []
        self._incoming: list[bytes] = []
        self._received = 0
        self._complete = False
        self._rechunk = False
        self._bare = False
        self._status = 0
        self._failure = ""
        self._began = 0.0
        self._arrived = b""
        self._call_id = b""

    # from the client

    def begin(self) -> None:
        request = self.request
        self._began = monotonic()
        self._arrived = b"%d" % time_ns()
        self._call_id = request.call_id or new_call_id()
        if request.length is not None and request.length > self._policy.max_body:
            self._refuse_size()
            return
        if request.expect:
            self.connection.write(wire.CONTINUE)
        if self._function is None:
            self.connection.server.spawn(self._look_up())
        else:
            self._enter(self._function)

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._policy.max_body:
            self._refuse_size()
        elif self._phase is _Phase.SENT:
            self._outgoing.append(wire.chunk(data) if self.request.chunked else data)
            if not self.connection.parsing:
                self.flush()
        else:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size > _HELD_BODY:
                self.connection.pause_reading(PAUSE_UPSTREAM)

    def complete(self) -> None:
        self._complete = True
        if self._phase is _Phase.SENT and self.request.chunked:
            self._outgoing.append(wire.LAST_CHUNK)
            if not self.connection.parsing:
                self.flush()

    def flush(self) -> None:
        # Head and body in one write: a system call less, and a packet less to parse for the function.
        if self._outgoing:
            data = b"".join(self._outgoing)
            self._outgoing = []
            if self._upstream is not None:
                self._upstream.write(data)

    def client_lost(self) -> None:
        # 499 as nginx counts it: nobody saw a response.
        self._end(499)

    def client_blocked(self, blocked: bool) -> None:
        if self._upstream is not None:
            if blocked:
                self._upstream.pause_reading()
            else:
                self._upstream.resume_reading()

    def fail(self, status: int, reason: str) -> None:
        self._end(status)
        super().fail(status, reason)

    def expire(self) -> None:
        name = self._name.decode(errors="replace")
        if self._phase is _Phase.SENT:
            self._give_up(504, f"function {name} did not answer in time")
        elif self._failure:
            self._give_up(502, f"no replica of {name} accepts connections: {self._failure}")
        else:
            waited = f"no replica of {name} got ready in {self._policy.ready_timeout:g} s"
            self._give_up(503, f"{waited}; lastError of GET /system/function/{name} may say why")

    # from the routing table

    def wake(self) -> None:
        """A replica may have come: try again."""
        if self._phase is _Phase.WAITING:
            self._dispatch()

    # from the replica

    def response_head(self, status: int, headers: list[tuple[bytes, bytes]], framed: bool) -> bool:
        request = self.request
        replica = self._replica
        assert replica is not None  # noqa: S101 - a response has a replica
        self._status = status
        bodyless = request.method == b"HEAD"
        empty = bodyless or status in (204, 304)
        own = {
            b"x-call-id": b"X-Call-Id: %b\r\n" % self._call_id,
            b"x-start-time": b"X-Start-Time: %b\r\n" % self._arrived,
            b"x-duration-seconds": b"X-Duration-Seconds: %.6f\r\n" % (monotonic() - self._began),
            b"x-replica-id": replica.headers[0],
            b"x-replica-start-time": replica.headers[1],
        }
        out, chunked = response_lines(status, headers, own)
        close = not self.connection.may_stay_open(request)
        self._rechunk = not empty and (chunked or not framed)
        if self._rechunk:
            if request.http10:
                # HTTP/1.0 knows no chunks: the body ends with the connection.
                self._rechunk = False
                close = True
            else:
                out.append(b"Transfer-Encoding: chunked\r\n")
        if not self._complete:
            close = True
        self._bare = close
        if close:
            out.append(b"Connection: close\r\n\r\n")
        elif request.http10:
            out.append(b"Connection: keep-alive\r\n\r\n")
        else:
            out.append(wire.CRLF)
        self.started = True
        self._incoming = out
        return bodyless

    def response_body(self, data: bytes) -> None:
        self._incoming.append(wire.chunk(data) if self._rechunk else data)

    def response_flush(self) -> None:
        if self._incoming:
            data = b"".join(self._incoming)
            self._incoming = []
            self.connection.write(data)

    def response_end(self) -> None:
        self._upstream = None
        self._end(self._status)
        if self._rechunk:
            self._incoming.append(wire.LAST_CHUNK)
        self.response_flush()
        self.connection.finished(self, close=self._bare)

    def request_sent(self) -> bool:
        """Whether the whole request is on its way to the replica."""
        return self._complete

    def response_lost(self, reason: str) -> None:
        self._upstream = None
        self.response_flush()
        self._give_up(502, f"function {self._name.decode(errors='replace')} failed: {reason}")

    def upstream_blocked(self, blocked: bool) -> None:
        if blocked:
            self.connection.pause_reading(PAUSE_UPSTREAM)
        else:
            self.connection.resume_reading(PAUSE_UPSTREAM)

    # inner

    async def _look_up(self) -> None:
        function = await self._policy.look_up(self._name)
        if self._phase is _Phase.ENDED:
            return
        if function is None:
            self._give_up(404, f"function {self._name.decode(errors='replace')} not found")
        else:
            self._function = function
            self._enter(function)

    def _enter(self, function: FunctionRoute) -> None:
        function.in_flight += 1
        function.last_used = self._began
        self._metrics = self._policy.metrics_of(function.name)
        self._metrics.started += 1
        self._dispatch()

    def _dispatch(self) -> None:
        function = self._function
        assert function is not None  # noqa: S101 - only looked-up requests get here
        replica = function.pick()
        if replica is None:
            self._wait(function)
            return
        self._replica = replica
        replica.in_flight += 1
        idle = replica.idle
        while idle:
            upstream = idle.pop()
            if upstream.usable:
                self._send(upstream, replica)
                return
            upstream.close()
        self._phase = _Phase.CONNECTING
        self.connection.server.spawn(self._connect(replica))

    def _wait(self, function: FunctionRoute) -> None:
        if function.deleted:
            self._give_up(404, f"function {function.name} not found")
            return
        reason = self._policy.needs_replica(function)
        if reason:
            self._give_up(503, reason)
            return
        self._phase = _Phase.WAITING
        self.deadline = min(self.deadline, self._began + self._policy.ready_timeout)
        function.wait(self)
        if function.replicas:
            # There are replicas, but none to be reached: the table will hear of it, or they come round.
            function.wake_soon()

    async def _connect(self, replica: ReplicaRoute) -> None:
        loop = self.connection.server.loop
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                _, upstream = await loop.create_connection(
                    lambda: UpstreamConnection(replica), replica.host, replica.port
                )
        except (OSError, TimeoutError) as error:
            if self._phase is _Phase.CONNECTING:
                self._refused(replica, str(error) or type(error).__name__)
        else:
            if self._phase is _Phase.CONNECTING:
                self._send(upstream, replica)
            else:
                upstream.park()

    def _refused(self, replica: ReplicaRoute, reason: str) -> None:
        now = monotonic()
        replica.suspect_until = now + SUSPECT_FOR
        replica.release()
        self._replica = None
        if not self._failure:
            self.deadline = min(self.deadline, now + _CONNECT_PATIENCE)
        self._failure = reason
        self._dispatch()

    def _send(self, upstream: UpstreamConnection, replica: ReplicaRoute) -> None:
        request = self.request
        upstream.claim(self, None if request.chunked else request.length or 0)
        self._upstream = upstream
        self._phase = _Phase.SENT
        function = self._function
        assert function is not None  # noqa: S101 - a replica has a function
        self.deadline = monotonic() + min(self._policy.exec_timeout, function.exec_timeout)
        out = request_head(request, replica, self._path, self._call_id, self._arrived, self.connection.peer)
        if self._held:
            out += [wire.chunk(data) for data in self._held] if request.chunked else self._held
            self._held = []
            self.connection.resume_reading(PAUSE_UPSTREAM)
        if self._complete and request.chunked:
            out.append(wire.LAST_CHUNK)
        self._outgoing = out
        if not self.connection.parsing:
            self.flush()
        if self.connection.blocked:
            upstream.pause_reading()

    def _refuse_size(self) -> None:
        self.fail(413, f"the request body is larger than {self._policy.max_body:g} bytes")

    def _give_up(self, status: int, reason: str) -> None:
        self._end(status)
        if self.started:
            # The status is out: only a broken connection tells the client that the body is not whole.
            self.connection.abort()
        else:
            self.respond(text(status, reason), close=not self._complete)

    def respond(self, response: Response, close: bool = False) -> None:
        own = ((b"X-Call-Id", self._call_id), (b"X-Start-Time", self._arrived))
        super().respond(Response(response.status, response.body, response.content_type, response.headers + own), close)

    def _end(self, status: int) -> None:
        """Gives everything back, once."""
        if self._phase is _Phase.ENDED:
            return
        self._phase = _Phase.ENDED
        self.deadline = inf
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        if self._replica is not None:
            self._replica.release()
        function = self._function
        if function is not None and self._metrics is not None:
            function.forget(self)
            function.in_flight -= 1
            now = function.last_used = monotonic()
            self._metrics.observe(status, now - self._began)
            if self._policy.access_log:
                self._log(status, now - self._began)

    def _log(self, status: int, seconds: float) -> None:
        log.event(
            "request",
            function=self._name.decode(errors="replace"),
            method=self.request.method.decode(),
            path=self._path.partition(b"?")[0].decode(errors="replace"),
            status=status,
            ms=round(seconds * 1000, 3),
            replica=self._replica.id if self._replica is not None else "",
            call_id=self._call_id.decode(errors="replace"),
            client=self.connection.peer.decode(),
        )
