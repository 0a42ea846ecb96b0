"""One request as the client sent it, checked for what the parser lets pass and a proxy must not."""

from __future__ import annotations

from faas_exp.gateway.http import wire


class BadRequestError(Exception):
    """The request is refused before anybody sees it.

    Args:
        status: the response's status code.
        reason: one line for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request:
    """Head of a request.

    Attributes:
        method: as sent, e.g. ``b"POST"``.
        target: path and query in origin form, never decoded.
        forward: header lines fit to be passed on, as alternating pieces of bytes.
        length: the Content-Length, None when there is none.
        chunked: the body comes in chunks.
        host, call_id, authorization: those headers, None when absent.
        keep_alive: the client allows the connection to live on.
    """

    __slots__ = (
        "authorization",
        "call_id",
        "callback_url",
        "chunked",
        "content_type",
        "expect",
        "forward",
        "has_forwarded_for",
        "has_forwarded_host",
        "host",
        "http10",
        "keep_alive",
        "length",
        "method",
        "target",
        "upgrade",
    )

    def __init__(
        self, method: bytes, target: bytes, version: str, headers: list[tuple[bytes, bytes]], keep_alive: bool
    ) -> None:
        self.method = method
        self.target = target if target[:1] == b"/" else _origin_form(method, target)
        self.http10 = version == "1.0"
        self.keep_alive = keep_alive
        self.length: int | None = None
        self.chunked = False
        self.expect = False
        self.upgrade = False
        self.host: bytes | None = None
        self.call_id: bytes | None = None
        self.callback_url: bytes | None = None
        self.authorization: bytes | None = None
        self.content_type: bytes | None = None
        self.has_forwarded_for = False
        self.has_forwarded_host = False
        self.forward: list[bytes] = []
        self._read(headers)
        if not self.http10:
            if version != "1.1":
                raise BadRequestError(505, f"HTTP/{version} is not supported")
            if self.host is None:
                raise BadRequestError(400, "Host header missing")
        elif self.chunked:
            raise BadRequestError(400, "Transfer-Encoding in an HTTP/1.0 request")
        if self.upgrade and (self.chunked or self.length):
            # The parser ends such a request at its head and would take the body for the next request.
            raise BadRequestError(400, "a request that asks for an upgrade can't have a body")

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the head."""
        return self.chunked or bool(self.length)

    def _read(self, headers: list[tuple[bytes, bytes]]) -> None:
        forward = self.forward
        named: list[bytes] = []
        for name, value in headers:
            lower = name.lower()
            if lower in _NOTABLE:
                if lower in wire.HOP_BY_HOP:
                    if lower == b"transfer-encoding":
                        if value.strip().lower() != b"chunked" or self.chunked:
                            raise BadRequestError(501, "the only Transfer-Encoding is chunked")
                        self.chunked = True
                    elif lower == b"connection":
                        token = value.strip().lower()
                        if token not in (b"keep-alive", b"close"):
                            named += wire.connection_tokens(token)
                    elif lower == b"upgrade":
                        self.upgrade = True
                    continue
                if self._note(lower, value.strip()):
                    continue
            forward += (name, b": ", value, wire.CRLF)
        if self.upgrade:
            self.upgrade = b"upgrade" in named
        if named:
            self._drop(named)

    def _note(self, lower: bytes, value: bytes) -> bool:
        """Keeps a header that means something to the gateway; True when it is not passed on as it is."""
        if lower == b"host":
            if self.host is not None:
                raise BadRequestError(400, "more than one Host header")
            self.host = value
            return True
        if lower == b"content-length":
            self.length = int(value)
            return True
        if lower == b"expect":
            if value.lower() != b"100-continue":
                raise BadRequestError(417, "the only expectation is 100-continue")
            self.expect = True
            return True
        if lower == b"x-start-time":
            return True
        if lower == b"authorization":
            self.authorization = value
        elif lower == b"content-type":
            self.content_type = value
        elif lower == b"x-call-id":
            if self.call_id is not None:
                return True
            self.call_id = value
        elif lower == b"x-callback-url":
            self.callback_url = value
        elif lower == b"x-forwarded-for":
            self.has_forwarded_for = True
        else:
            self.has_forwarded_host = True
        return False

    def _drop(self, named: list[bytes]) -> None:
        # Host and Content-Length are not in `forward`: a client can't strip the framing by naming it.
        kept: list[bytes] = []
        forward = self.forward
        for start in range(0, len(forward), 4):
            if forward[start].lower() not in named:
                kept += forward[start : start + 4]
        self.forward = kept


_NOTABLE = wire.HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"content-type",
    b"expect",
    b"host",
    b"x-call-id",
    b"x-callback-url",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-start-time",
}


def _origin_form(method: bytes, target: bytes) -> bytes:
    """Path and query of an absolute-form target (RFC 9112 §3.2.2)."""
    if method == b"CONNECT":
        raise BadRequestError(405, "CONNECT is not supported")
    lower = target[:8].lower()
    if lower.startswith((b"http://", b"https://")):
        rest = target.split(b"//", 1)[1]
        ends = [place for place in (rest.find(b"/"), rest.find(b"?")) if place >= 0]
        path = rest[min(ends) :] if ends else b"/"
        return path if path[:1] == b"/" else b"/" + path
    if target == b"*":
        return target
    raise BadRequestError(400, "malformed request target")
