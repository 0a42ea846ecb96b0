"""What a proxy changes of a message's head on its way to the replica and back."""

from __future__ import annotations

from random import getrandbits
from typing import TYPE_CHECKING

from faas_exp.gateway.http import wire

if TYPE_CHECKING:
    from faas_exp.gateway.http.request import Request
    from faas_exp.gateway.routing import ReplicaRoute


def new_call_id() -> bytes:
    """A version 4 UUID; it names a request and guards nothing, so it need not be unguessable."""
    digits = f"{(getrandbits(128) & ~(0xF << 76) | (4 << 76)) & ~(3 << 62) | (2 << 62):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".encode()


def request_head(
    request: Request, replica: ReplicaRoute, path: bytes, call_id: bytes, arrived: bytes, peer: bytes
) -> list[bytes]:
    """Head of the request to a replica, in pieces.

    Args:
        path: path and query as the function sees them.
        call_id: for X-Call-Id, unless the client sent one.
        arrived: Unix time in ns, for X-Start-Time.
        peer: the client's address and port, for X-Forwarded-For unless there is one (so does upstream).
    """
    out = [request.method, b" ", path, b" HTTP/1.1\r\n", replica.host_line]
    out += request.forward
    if request.chunked:
        out.append(b"Transfer-Encoding: chunked\r\n")
    elif request.length is not None:
        out.append(b"Content-Length: %d\r\n" % request.length)
    if request.call_id is None:
        out += (b"X-Call-Id: ", call_id, wire.CRLF)
    out += (b"X-Start-Time: ", arrived, wire.CRLF)
    if not request.has_forwarded_for:
        out += (b"X-Forwarded-For: ", peer, wire.CRLF)
    if not request.has_forwarded_host and request.host:
        out += (b"X-Forwarded-Host: ", request.host, wire.CRLF)
    out.append(wire.CRLF)
    return out


def response_lines(
    status: int, headers: list[tuple[bytes, bytes]], own: dict[bytes, bytes]
) -> tuple[list[bytes], bool]:
    """Status line and header lines to the client, in pieces and without the end of the head.

    Args:
        headers: as the replica sent them.
        own: lines by lower-case name, for those that the replica did not send.

    Returns:
        the pieces, and whether the replica's body came in chunks.
    """
    out = [wire.status_line(status)]
    chunked = False
    named: list[bytes] = []
    for name, value in headers:
        lower = name.lower()
        if lower in own:
            del own[lower]
        elif lower in wire.HOP_BY_HOP:
            if lower == b"transfer-encoding":
                chunked = True
            elif lower == b"connection" and value.strip().lower() not in (b"keep-alive", b"close"):
                named += wire.connection_tokens(value)
            continue
        elif lower == b"content-length" and status == 204:
            continue
        out += (name, b": ", value, wire.CRLF)
    if named:
        kept = out[:1]
        for start in range(1, len(out), 4):
            if out[start].lower() not in named:
                kept += out[start : start + 4]
        out = kept
    out += own.values()
    return out, chunked
