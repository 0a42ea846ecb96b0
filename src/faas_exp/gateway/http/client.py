"""A small HTTP/1.1 client for what is not on the request's path: health checks, queued invocations, callbacks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

_READ = 65536


class ClientError(Exception):
    """No response, or not a whole one."""


@dataclass
class Reply:
    """A response, read to its end."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, which is given in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class _Collector:
    def __init__(self, limit: int) -> None:
        self.reply = Reply()
        self.done = False
        self.framed = False
        self._body: list[bytes] = []
        self._room = limit
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.done:
                raise ClientError(f"bad response: {error.__context__ or error}") from error
        if self._room < 0:
            raise ClientError("the response is too large")

    def end(self) -> Reply:
        self.reply.body = b"".join(self._body)
        return self.reply

    def on_message_begin(self) -> None:
        self.reply.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self.framed = True
        self.reply.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._room -= len(body)
        if self._room >= 0:
            self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.reply.status = status
            self.done = True

    def on_headers_complete(self) -> None:
        self.reply.status = self._parser.get_status_code()


async def request(
    url: str,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: bytes = b"",
    timeout: float = 30.0,
    limit: int = 64 * 1024**2,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> Reply:
    """One request on a connection of its own.

    Args:
        url: absolute, http or https.
        headers: besides Host, Content-Length and Connection.
        timeout: seconds for the whole exchange.
        limit: bytes of the response's body.
        tls: for https; None is the system's authorities and no certificate of our own.
        server_name: the name that the server's certificate must have; None is the URL's host.

    Raises:
        ClientError: no whole response; the text says why.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ClientError(f"bad URL {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientError(f"bad URL {url!r}: neither http nor https")
    if parts.scheme == "http":
        tls = server_name = None
    elif tls is None:
        tls = ssl.create_default_context()
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(
                parts.hostname, port or (443 if tls else 80), ssl=tls, server_hostname=server_name
            )
            try:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                head = [f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n".encode()]
                head += [b"%b: %b\r\n" % pair for pair in headers]
                if body or method not in ("GET", "HEAD"):
                    head.append(b"Content-Length: %d\r\n" % len(body))
                head.append(b"Connection: close\r\n\r\n")
                writer.write(b"".join(head) + body)
                collector = _Collector(limit)
                while not collector.done:
                    data = await reader.read(_READ)
                    if not data:
                        break
                    collector.feed(data)
            finally:
                writer.close()
    except TimeoutError:
        raise ClientError(f"no answer within {timeout:g} s") from None
    except (OSError, UnicodeError) as error:
        raise ClientError(str(error) or type(error).__name__) from error
    if not collector.done and (collector.framed or not collector.reply.status):
        raise ClientError("the connection was closed before the response was complete")
    return collector.end()
