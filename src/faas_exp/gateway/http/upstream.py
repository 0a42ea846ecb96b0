"""The replica's side: one kept-alive connection, one request at a time."""

from __future__ import annotations

import asyncio
import logging
import socket
from time import monotonic
from typing import TYPE_CHECKING, Protocol, cast

import httptools

if TYPE_CHECKING:
    from faas_exp.gateway.routing import ReplicaRoute

_log = logging.getLogger(__name__)

# Node closes a kept-alive connection after 5 s without a request; a request that meets the close is lost.
IDLE_LIMIT = 4.0

_SILENCE_MS = 5000
_LIVELINESS = (
    ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 2),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), 1),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPCNT), 3),
    ((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), _SILENCE_MS),
)
# A body up to this size fits a socket's first receive window.
_SMALL_BODY = 65536


class ResponseSink(Protocol):
    """Who gets a replica's response."""

    def response_head(self, status: int, headers: list[tuple[bytes, bytes]], framed: bool) -> bool:
        """Status and headers; ``framed`` is False when the body ends with the connection. True: no body follows."""

    def response_body(self, data: bytes) -> None:
        """A piece of the body."""

    def response_end(self) -> None:
        """The response is complete."""

    def response_flush(self) -> None:
        """No more for now: what was gathered may be written, in one go."""

    def request_sent(self) -> bool:
        """Whether the whole request is on its way; if not, the connection can't be used again."""

    def response_lost(self, reason: str) -> None:
        """The response will not come, or not to its end."""

    def upstream_blocked(self, blocked: bool) -> None:
        """The replica reads slower than we write, or has caught up."""


class UpstreamConnection(asyncio.Protocol):
    """A connection to one replica; belongs to a request or lies in the replica's ``idle``."""

    __slots__ = (
        "_done",
        "_headers",
        "_idle_since",
        "_in_head",
        "_keep",
        "_parser",
        "_patient",
        "_paused",
        "_replica",
        "_sink",
        "_stale_parser",
        "_surplus",
        "_transport",
        "_until_close",
    )

    def __init__(self, replica: ReplicaRoute) -> None:
        self._replica = replica
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser = httptools.HttpResponseParser(self)
        self._sink: ResponseSink | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = False
        self._done = False
        self._keep = False
        self._stale_parser = False  # it waits for a body that will not come
        self._surplus = False  # more came than was asked for
        self._until_close = False
        self._paused = False
        self._patient = False  # its silence is tolerated
        self._idle_since = 0.0

    # for the proxy

    @property
    def usable(self) -> bool:
        """Whether a request may be sent on this idle connection."""
        return not self._transport.is_closing() and monotonic() - self._idle_since < IDLE_LIMIT

    def claim(self, sink: ResponseSink, body: int | None) -> None:
        """The next response is for ``sink``.

        Args:
            body: bytes of the request's body, None when that is not known.
        """
        self._sink = sink
        self._done = False
        if body is None or body > _SMALL_BODY:
            # The kernel takes a function that is not reading yet for a dead machine (tcp(7), TCP_USER_TIMEOUT).
            self._patient = True
            self._tolerate_silence(0)

    def write(self, data: bytes) -> None:
        """Queues bytes for the replica."""
        self._transport.write(data)

    def pause_reading(self) -> None:
        """Holds the response back while the client can't follow."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """The client has caught up."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def park(self) -> None:
        """Puts an unused connection among the replica's idle ones."""
        self._sink = None
        if self._replica.draining:
            self._transport.close()
        else:
            self.resume_reading()
            if self._patient:
                self._patient = False
                self._tolerate_silence(_SILENCE_MS)
            self._idle_since = monotonic()
            self._replica.idle.append(self)

    def close(self) -> None:
        """Ends an idle connection."""
        self._transport.close()

    def abort(self) -> None:
        """Drops a connection whose request is of no use any more, so that the function notices."""
        self._sink = None
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._idle_since = monotonic()
        upstream = transport.get_extra_info("socket")
        if upstream is not None:
            # A machine that dies says nothing; its replicas' requests fail after some seconds, not at their time limit.
            for option, value in _LIVELINESS:
                upstream.setsockopt(*option, value)

    def data_received(self, data: bytes) -> None:
        if self._sink is None:
            # Bytes nobody asked for: whatever they are, the next response must not begin with them.
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            _log.error("a response's handling failed", exc_info=error.__context__ or error)
            self._lose("internal error")
            return
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._done:
                self._lose(f"bad response: {error}")
                return
            self._surplus = True
        if self._done:
            self._finish()
        elif self._sink is not None:
            self._sink.response_flush()

    def connection_lost(self, exc: Exception | None) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            try:
                self._replica.idle.remove(self)
            except ValueError:
                return
        elif self._until_close and exc is None:
            sink.response_end()
        else:
            sink.response_lost("the replica closed the connection" if exc is None else f"connection lost: {exc}")

    def pause_writing(self) -> None:
        if self._sink is not None:
            self._sink.upstream_blocked(True)

    def resume_writing(self) -> None:
        if self._sink is not None:
            self._sink.upstream_blocked(False)

    # httptools

    def on_message_begin(self) -> None:
        self._headers = []
        self._in_head = True
        if self._done:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        status = self._parser.get_status_code()
        if status < 200 or self._done or self._sink is None:
            return
        framed = False
        for name, value in self._headers:
            lower = name.lower()
            if lower == b"content-length":
                framed = True
            elif lower == b"transfer-encoding":
                framed = True
                if value.strip().lower() != b"chunked":
                    self._lose("bad response: Transfer-Encoding other than chunked")
                    return
        bodyless = self._sink.response_head(status, self._headers, framed)
        self._until_close = not framed and not bodyless
        if bodyless:
            # The parser can't know that this answers a HEAD and would wait for a body.
            self._done = self._stale_parser = True
            self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if self._done:
            self._surplus = True
        elif self._sink is not None:
            self._sink.response_body(body)

    def on_message_complete(self) -> None:
        if self._sink is not None and not self._done and self._parser.get_status_code() >= 200:
            self._done = True
            # Only now: the parser forgets the message when this returns.
            self._keep = self._parser.should_keep_alive()

    # inner

    def _finish(self) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        keep = self._keep and not self._surplus
        if self._stale_parser:
            self._stale_parser = False
            self._parser = httptools.HttpResponseParser(self)
        self._until_close = False
        if keep and sink.request_sent() and not self._transport.is_closing():
            self.park()
        else:
            self._transport.abort()
        sink.response_end()

    def _tolerate_silence(self, milliseconds: int) -> None:
        upstream = self._transport.get_extra_info("socket")
        if upstream is not None:
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _lose(self, reason: str) -> None:
        sink, self._sink = self._sink, None
        self._transport.abort()
        if sink is not None:
            sink.response_lost(reason)
