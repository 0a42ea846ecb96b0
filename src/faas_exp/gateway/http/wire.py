"""Bytes on the wire: status lines, dates, and which headers end at a hop (RFC 9110 §7.6.1)."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus

CRLF = b"\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# Upgrade is among them: the gateway speaks HTTP/1.1 only, so an upgrade is never offered to a function.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n".encode() for code, phrase in _PHRASES.items()}


def status_line(code: int) -> bytes:
    """The first line of a response, with its line end; unknown codes get an empty phrase as RFC 9112 §4 allows."""
    return _STATUS_LINES.get(code) or b"HTTP/1.1 %d \r\n" % code


def phrase(code: int) -> str:
    """What a status code means, ``""`` when it has no name."""
    return _PHRASES.get(code, "")


class _Date:
    """The Date header changes once a second, so it is written once a second."""

    second = 0
    line = b""


def date_line(now: float | None = None) -> bytes:
    """``Date: …`` with its line end (RFC 9110 §6.6.1)."""
    second = int(time.time() if now is None else now)
    if second != _Date.second:
        _Date.second = second
        _Date.line = b"Date: " + formatdate(second, usegmt=True).encode() + CRLF
    return _Date.line


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked coding; ``data`` is not empty, since an empty chunk is the end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def connection_tokens(value: bytes) -> list[bytes]:
    """The options of a Connection header in lower case: each names a header that ends at this hop too."""
    return [token.strip().lower() for token in value.split(b",")]


def plain_head(code: int, length: int, content_type: bytes, extra: list[tuple[bytes, bytes]], close: bool) -> bytes:
    """Head of a response that the gateway itself gives."""
    parts = [status_line(code), date_line()]
    if code != HTTPStatus.NO_CONTENT:
        parts.append(b"Content-Type: %b\r\nContent-Length: %d\r\n" % (content_type, length))
    parts.extend(b"%b: %b\r\n" % pair for pair in extra)
    if close:
        parts.append(b"Connection: close\r\n")
    parts.append(CRLF)
    return b"".join(parts)
