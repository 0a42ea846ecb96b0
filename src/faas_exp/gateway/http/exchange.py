"""A request and its response: what every kind of them shares, and the kind that the gateway answers itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from faas_exp.gateway.http import wire

if TYPE_CHECKING:
    from faas_exp.gateway.http.connection import ClientConnection
    from faas_exp.gateway.http.request import Request

_log = logging.getLogger(__name__)

TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """A response of the gateway itself, small enough to be held in memory."""

    status: int
    body: bytes = b""
    content_type: bytes = TEXT
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())


def text(status: int, message: str, *headers: tuple[bytes, bytes]) -> Response:
    """One line of plain text, as OpenFaaS's gateway answers."""
    return Response(status, message.encode() + b"\n", TEXT, headers)


class Exchange:
    """What a client connection calls while a request comes in and its response goes out.

    Attributes:
        started: the head of the response is written, so that the status can't change any more.
        deadline: when ``expire`` is called, on the monotonic clock.
    """

    __slots__ = ("connection", "deadline", "request", "started")

    def __init__(self, connection: ClientConnection, request: Request) -> None:
        self.connection = connection
        self.request = request
        self.started = False
        self.deadline = inf

    def begin(self) -> None:
        """The head is there and no earlier response is pending on the connection."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """A piece of the body; not called any more once the response has ended."""

    def complete(self) -> None:
        """The whole request is there."""

    def flush(self) -> None:
        """The client has sent no more for now: what was gathered of the request may be passed on, in one go."""

    def client_lost(self) -> None:
        """The client is gone: nothing can be written, work for it should stop."""

    def client_blocked(self, blocked: bool) -> None:
        """The client reads slower than we write, or has caught up."""

    def expire(self) -> None:
        """The deadline has passed."""

    def fail(self, status: int, reason: str) -> None:
        """The rest of the request can't be had: bad, too large or too slow."""
        if self.started:
            self.connection.abort()
        else:
            self.respond(text(status, reason), close=True)

    def respond(self, response: Response, close: bool = False) -> None:
        """Writes a whole response and ends the exchange."""
        connection = self.connection
        close = close or not connection.may_stay_open(self.request)
        extra = list(response.headers)
        if self.request.http10 and not close:
            extra.append((b"Connection", b"keep-alive"))
        head = wire.plain_head(response.status, len(response.body), response.content_type, extra, close)
        self.started = True
        connection.write(head if self.request.method == b"HEAD" else head + response.body)
        connection.finished(self, close)


Handler = Callable[["Request", bytes], Awaitable[Response]]


class BufferedExchange(Exchange):
    """Reads the whole body, then lets a coroutine answer.

    Args:
        handler: gets the request and its body.
        limit: bytes of body above which the answer is 413.
    """

    __slots__ = ("_body", "_handler", "_limit", "_lost", "_over")

    def __init__(self, connection: ClientConnection, request: Request, handler: Handler, limit: int) -> None:
        super().__init__(connection, request)
        self._handler = handler
        self._limit = limit
        self._body: list[bytes] = []
        self._over = 0
        self._lost = False

    def begin(self) -> None:
        if (self.request.length or 0) > self._limit:
            self.fail(413, f"the request body is larger than {self._limit} bytes")
        elif self.request.expect:
            self.connection.write(wire.CONTINUE)

    def feed(self, data: bytes) -> None:
        self._over += len(data)
        if self._over > self._limit:
            self.fail(413, f"the request body is larger than {self._limit} bytes")
        else:
            self._body.append(data)

    def complete(self) -> None:
        self.connection.server.spawn(self._answer(b"".join(self._body)))

    def client_lost(self) -> None:
        # A deployment that has begun is not undone because its client went away.
        self._lost = True

    async def _answer(self, body: bytes) -> None:
        try:
            response = await self._handler(self.request, body)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("%s %s failed", self.request.method.decode(), self.request.target.decode(errors="replace"))
            response = text(500, "internal error: see the gateway's log")
        if not self._lost:
            self.respond(response)


class ReadyExchange(Exchange):
    """The answer is known when the head is there: health, refused credentials, unknown paths."""

    __slots__ = ("_response",)

    def __init__(self, connection: ClientConnection, request: Request, response: Response) -> None:
        super().__init__(connection, request)
        self._response = response

    def begin(self) -> None:
        # With a body on its way the connection closes after the answer: nobody wants to read it.
        if self.request.has_body:
            self.respond(self._response, close=True)

    def complete(self) -> None:
        self.respond(self._response)
