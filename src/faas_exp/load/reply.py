"""What a request came to: an answer, or the reason why there was none."""

from __future__ import annotations

from faas_exp.load.http1 import Head


class HttpError(Exception):
    """An answer whose status is not 2xx."""

    def __init__(self, status: int) -> None:
        self.status_code = status
        super().__init__(f"HTTP {status}")


class NoAnswer(Exception):
    """No HTTP answer, or only a part of one; ``str(error)`` says why."""


class Reply:
    """One request's end, as Locust's ``request`` event carries it under ``response``.

    Attributes:
        status_code: HTTP status; 0 when there was no complete answer.
        error: why there was none, else empty.
        start_ns, end_ns: monotonic clock, nanoseconds. In an open loop the start is the intended one.
        size: bytes of the body that came.
        content: the first 64 KiB of the body.
        user: number of the user that sent the request.
        replica, replica_start: which replica answered and since when it has been running (Unix ms, -1: not said).
        exhausted: it failed because this machine had no socket or port left, not because of the server.
    """

    __slots__ = (
        "content",
        "end_ns",
        "error",
        "exhausted",
        "raw_head",
        "replica",
        "replica_start",
        "size",
        "start_ns",
        "status_code",
        "user",
    )

    def __init__(self, start_ns: int, end_ns: int, head: Head, content: bytes, size: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.status_code = head.status
        self.error = ""
        self.raw_head = head.raw
        self.content = content
        self.size = size
        self.replica = head.replica
        self.replica_start = head.replica_start
        self.user = -1
        self.exhausted = False

    @classmethod
    def none(cls, start_ns: int, end_ns: int, error: str, size: int = 0, *, exhausted: bool = False) -> Reply:
        """A request without a complete answer."""
        reply = cls.__new__(cls)
        reply.start_ns = start_ns
        reply.end_ns = end_ns
        reply.status_code = 0
        reply.error = error
        reply.raw_head = reply.content = reply.replica = b""
        reply.size = size
        reply.replica_start = reply.user = -1
        reply.exhausted = exhausted
        return reply

    @property
    def ok(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer, names in lower case; of a repeated one the last."""
        lines = self.raw_head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}
