"""The client's side: one connection, requests in order, one response at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, cast

import httptools

from faas_exp.gateway.http import wire
from faas_exp.gateway.http.exchange import TEXT, Exchange
from faas_exp.gateway.http.request import BadRequestError, Request

if TYPE_CHECKING:
    from faas_exp.gateway.http.server import Server

_log = logging.getLogger(__name__)

_LINGER = 2.0
_FLUSH = 30.0

# Why reading from the client is paused; it goes on when no reason is left.
PAUSE_PIPELINE = 1
PAUSE_UPSTREAM = 2


class _Ahead:
    """A request which was parsed while an earlier one has no response yet."""

    __slots__ = ("body", "complete", "exchange")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.body: list[bytes] = []
        self.complete = False


class ClientConnection(asyncio.Protocol):
    """Parses requests, hands each to its exchange, keeps order and limits.

    Attributes:
        current: the exchange whose response is next on the wire.
        blocked: the client reads slower than we write.
        parsing: input is being taken apart; ``flush`` follows.
        read_deadline: when the client has waited or dawdled too long, on the monotonic clock.
    """

    __slots__ = (
        "_ahead",
        "_closing",
        "_deaf",
        "_head_bytes",
        "_headers",
        "_in_head",
        "_parser",
        "_paused",
        "_reading",
        "_refusal",
        "_transport",
        "_turned",
        "_url",
        "blocked",
        "current",
        "parsing",
        "peer",
        "read_deadline",
        "server",
    )

    def __init__(self, server: Server) -> None:
        self.server = server
        self.current: Exchange | None = None
        self.blocked = False
        self.parsing = False
        self.read_deadline = inf
        self.peer = b""
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser = httptools.HttpRequestParser(self)
        self._reading: Exchange | _Ahead | None = None  # whose body the parser is in
        self._ahead: deque[_Ahead] = deque()
        self._refusal: tuple[int, str] | None = None  # answered after what came before it
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = False
        self._head_bytes = 0
        self._turned = False  # a request has ended within the bytes at hand
        self._deaf = False  # what comes in is thrown away
        self._closing = False
        self._paused = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.read_deadline = monotonic() + self.server.limits.read_timeout
        peer = transport.get_extra_info("peername") or ("", 0)
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        self.peer = f"{host}:{peer[1]}".encode()
        if not self.server.admit(self):
            self._refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self.read_deadline = inf
        self._deaf = self._closing = True
        self._ahead.clear()
        exchange, self.current, self._reading = self.current, None, None
        if exchange is not None:
            exchange.client_lost()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._head_bytes += len(data)
        self._turned = False
        self.parsing = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # The upgrade is declined by answering in HTTP/1.1; what follows is the next request.
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
        except httptools.HttpParserCallbackError as error:
            _log.error("a request's handling failed", exc_info=error.__context__ or error)
            self.abort()
        except httptools.HttpParserError as error:
            self._bad(400, f"bad request: {error}")
        self.parsing = False
        if self.current is not None:
            self.current.flush()
        if self._in_head:
            if self._turned:
                # Most of these bytes were earlier requests; of this head we know what is parsed.
                self._head_bytes = self._head_known()
            if self._head_bytes > self.server.limits.max_head:
                self._bad(431, f"the request's head is larger than {self.server.limits.max_head} bytes")
        else:
            self._head_bytes = 0

    def pause_writing(self) -> None:
        self.blocked = True
        if self.current is not None:
            self.current.client_blocked(True)

    def resume_writing(self) -> None:
        self.blocked = False
        if self.current is not None:
            self.current.client_blocked(False)

    # httptools

    def on_message_begin(self) -> None:
        if self._deaf:
            return
        self._url = b""
        self._headers = []
        self._in_head = True
        self.read_deadline = monotonic() + self.server.limits.read_timeout

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come here too; they end at this hop (RFC 9110 §6.5.1).
        if self._in_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._deaf:
            return
        self._in_head = False
        parser = self._parser
        try:
            if self._head_bytes > self.server.limits.max_head:
                self._check_head()
            request = Request(
                parser.get_method(), self._url, parser.get_http_version(), self._headers, parser.should_keep_alive()
            )
            exchange = self.server.route(self, request)
        except BadRequestError as error:
            self._bad(error.status, str(error))
            return
        if self.current is None and not self._ahead:
            self._reading = self.current = exchange
            exchange.begin()
        else:
            ahead = _Ahead(exchange)
            self._reading = ahead
            self._ahead.append(ahead)
            self.pause_reading(PAUSE_PIPELINE)

    def on_body(self, body: bytes) -> None:
        if self._deaf:
            return
        reading = self._reading
        if reading is None:
            return
        if isinstance(reading, _Ahead):
            reading.body.append(body)
        else:
            reading.feed(body)

    def on_message_complete(self) -> None:
        if self._deaf:
            return
        reading, self._reading = self._reading, None
        self._turned = True
        self.read_deadline = inf
        if isinstance(reading, _Ahead):
            reading.complete = True
        elif reading is not None:
            reading.complete()

    # for exchanges

    def write(self, data: bytes) -> None:
        """Queues bytes for the client; ``client_blocked`` tells when it can't follow."""
        if not self._closing:
            self._transport.write(data)

    def may_stay_open(self, request: Request) -> bool:
        """Whether another request may follow this one's response."""
        return request.keep_alive and not self.server.closing and not self._refusal

    def finished(self, exchange: Exchange, close: bool) -> None:
        """The response of ``exchange`` is written."""
        if exchange is not self.current:
            return
        unread = self._reading is exchange
        self.current = None
        if unread:
            self._reading = None
        if self._paused & PAUSE_UPSTREAM:
            self.resume_reading(PAUSE_UPSTREAM)
        if close or unread or not exchange.request.keep_alive:
            self._close(linger=unread or self._paused != 0)
        elif self._ahead or self._refusal:
            # Through the loop: thousands of pipelined requests must not become thousands of stack frames.
            self.server.loop.call_soon(self._next)
        elif not self._in_head:
            self.read_deadline = monotonic() + self.server.limits.idle_timeout

    def abort(self) -> None:
        """Drops the connection, so that a client sees that its response is cut short."""
        self._transport.abort()

    def pause_reading(self, reason: int) -> None:
        """Lets the kernel hold back what the client sends."""
        if not self._paused and not self._closing:
            self._transport.pause_reading()
        self._paused |= reason

    def resume_reading(self, reason: int) -> None:
        """Takes a reason to pause away."""
        if self._paused:
            self._paused &= ~reason
            if not self._paused and not self._closing:
                self._transport.resume_reading()

    # for the server

    def expire_reading(self) -> None:
        """The client was idle or slow for too long."""
        self.read_deadline = inf
        if self._closing:
            self._transport.abort()
        elif self._paused & PAUSE_UPSTREAM:
            # It is we who don't read, because the replica doesn't.
            self.read_deadline = monotonic() + self.server.limits.read_timeout
        elif self._reading is None and not self._in_head:
            self._close(linger=False)
        else:
            self._bad(408, "the request took too long to arrive")

    def shut(self) -> None:
        """The server stops: an idle connection ends now, a busy one after its response."""
        if self.current is None and not self._ahead and self._reading is None:
            self._close(linger=False)

    # inner

    def _next(self) -> None:
        if self._closing or self.current is not None:
            return
        if not self._ahead:
            if self._refusal:
                self._refuse(*self._refusal)
            return
        ahead = self._ahead.popleft()
        exchange = self.current = ahead.exchange
        if self._reading is ahead:
            self._reading = exchange
        if not self._ahead:
            self.resume_reading(PAUSE_PIPELINE)
        exchange.begin()
        for piece in ahead.body:
            if self.current is not exchange:
                return
            exchange.feed(piece)
        if ahead.complete and self.current is exchange:
            exchange.complete()

    def _head_known(self) -> int:
        return len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)

    def _check_head(self) -> None:
        limit = self.server.limits.max_head
        if self._head_known() > limit:
            raise BadRequestError(431, f"the request's head is larger than {limit} bytes")

    def _bad(self, status: int, reason: str) -> None:
        """Nothing after this point of the input can be trusted."""
        if self._deaf:
            return
        self._deaf = True
        self._in_head = False
        self.read_deadline = inf
        reading = self._reading
        if reading is not None and reading is self.current:
            self.current.fail(status, reason)
        elif self.current is None and not self._ahead:
            self._refuse(status, reason)
        elif self.current is not None and not self._ahead and not self.current.request.keep_alive:
            return  # bytes after a request that closes the connection: ignored (RFC 9112 §9.6)
        else:
            if isinstance(reading, _Ahead):
                self._ahead.remove(reading)
            self._refusal = (status, reason)

    def _refuse(self, status: int, reason: str) -> None:
        body = reason.encode() + b"\n"
        self._transport.write(wire.plain_head(status, len(body), TEXT, [], close=True) + body)
        self._close(linger=True)

    def _close(self, linger: bool) -> None:
        if self._closing:
            return
        self._deaf = True
        if not linger:
            self._closing = True
            self.read_deadline = monotonic() + _FLUSH
            self._transport.close()
            return
        # Closing with unread input makes the kernel send a reset, which may reach the client before the response.
        self.resume_reading(PAUSE_PIPELINE | PAUSE_UPSTREAM)
        self._closing = True
        self.read_deadline = monotonic() + _LINGER
        self._transport.write_eof()
