"""HTTP/1.1 answers, no more of them than a load generator needs (RFC 9112).

Pure parsing: no sockets, no waiting.
"""

from __future__ import annotations

import re
from enum import Enum

MAX_HEAD = 64 * 1024
# How much of a body is kept for listeners that want to look at it; the rest is counted and dropped.
KEPT_BODY = 64 * 1024
_MAX_CHUNK_LINE = 4096

UNTIL_CLOSE = -1
CHUNKED = -2

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?(?:\r\n|\Z)")
_FIELDS = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|x-replica-id|x-replica-start-time)[ \t]*:[ \t]*([^\r\n]*)",
    re.IGNORECASE,
)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\Z", re.DOTALL)


class BadAnswer(Exception):
    """What came is not a complete HTTP/1.1 answer; ``str(error)`` is the reason that goes into the row."""


class Head:
    """The head of an answer.

    Attributes:
        status: status code.
        length: of the body in bytes, or ``UNTIL_CLOSE`` or ``CHUNKED``.
        keep_alive: the server lets the connection live.
        replica: ``X-Replica-Id``, empty when absent.
        replica_start: ``X-Replica-Start-Time`` in Unix milliseconds, -1 when absent or no number.
        raw: the head's bytes.
    """

    __slots__ = ("keep_alive", "length", "raw", "replica", "replica_start", "status")

    def __init__(self, raw: bytes, *, no_body: bool = False) -> None:
        """Parse a head (without the empty line that ends it).

        Args:
            raw: bytes from the status line to the last header.
            no_body: the request was HEAD.

        Raises:
            BadAnswer: it is none, or its framing is contradictory.
        """
        match = _STATUS.match(raw)
        if match is None:
            raise BadAnswer("not an HTTP/1.1 answer")
        self.raw = raw
        self.status = status = int(match[2])
        self.keep_alive = match[1] == b"1"
        self.replica = b""
        self.replica_start = -1
        length = UNTIL_CLOSE
        encoding = b""
        for name, value in _FIELDS.findall(raw):
            size = len(name)
            if size == 14:
                length = _content_length(value, length)
            elif size == 12:
                self.replica = value.rstrip()
            elif size == 20:
                value = value.rstrip()  # noqa: PLW2901
                if value.isdigit() and len(value) < 19:
                    self.replica_start = int(value)
            elif size == 17:
                encoding = value.strip().lower()
            else:
                options = value.lower()
                if b"close" in options:
                    self.keep_alive = False
                elif b"keep-alive" in options:
                    self.keep_alive = True
        if no_body or status in (204, 304) or status < 200:
            length = 0
        elif encoding:
            # Transfer-Encoding overrides Content-Length; any other last coding ends with the connection.
            length = CHUNKED if encoding.rpartition(b",")[2].strip() == b"chunked" else UNTIL_CLOSE
        if length == UNTIL_CLOSE:
            self.keep_alive = False
        self.length = length


def _content_length(value: bytes, known: int) -> int:
    sizes = {part.strip() for part in value.split(b",")}
    size = sizes.pop()
    if sizes or not size.isdigit() or len(size) > 18:
        raise BadAnswer("bad Content-Length")
    number = int(size)
    if known not in (UNTIL_CLOSE, number):
        raise BadAnswer("contradictory Content-Length")
    return number


class _Step(Enum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3


class Body:
    """Takes a body piece by piece.

    Attributes:
        size: bytes of the body so far, chunk framing not counted.
        kept: its first ``KEPT_BODY`` bytes.
        done: the body is complete.
        surplus: bytes came after its end: the connection can't be used again.
    """

    def __init__(self, length: int) -> None:
        self.size = 0
        self.kept = b""
        self.done = length == 0
        self.surplus = False
        self._length = length
        self._step = _Step.SIZE
        self._left = 0
        self._line = b""

    def feed(self, data: bytes) -> bool:
        """Take what came; true when the body is complete.

        Raises:
            BadAnswer: the chunk framing is broken.
        """
        if self.done:
            self.surplus = self.surplus or bool(data)
        elif self._length == CHUNKED:
            self._feed_chunks(data)
        elif self._length == UNTIL_CLOSE:
            self._take(data)
        else:
            missing = self._length - self.size
            self._take(data[:missing])
            self.done = self.size == self._length
            self.surplus = len(data) > missing
        return self.done

    def end(self) -> None:
        """The connection has ended.

        Raises:
            BadAnswer: the body was not complete.
        """
        if self._length == UNTIL_CLOSE:
            self.done = True
        if not self.done:
            raise BadAnswer("body cut short")

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        if len(self.kept) < KEPT_BODY:
            self.kept += data[: KEPT_BODY - len(self.kept)]

    def _feed_chunks(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self.done:
            if self._step is _Step.DATA:
                piece = data[at : at + self._left]
                self._take(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._step = _Step.DATA_END
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                at = len(data)
            else:
                line, self._line = self._line + data[at:end], b""
                at = end + 1
                self._end_line(line)
            if len(self._line) > _MAX_CHUNK_LINE:
                raise BadAnswer("bad chunk")
        self.surplus = self.done and at < len(data)

    def _end_line(self, line: bytes) -> None:
        if not line.endswith(b"\r") or len(line) > _MAX_CHUNK_LINE:
            raise BadAnswer("bad chunk")
        line = line[:-1]
        if self._step is _Step.SIZE:
            match = _CHUNK_SIZE.match(line)
            if match is None:
                raise BadAnswer("bad chunk")
            self._left = int(match[1], 16)
            self._step = _Step.DATA if self._left else _Step.TRAILER
        elif self._step is _Step.DATA_END:
            if line:
                raise BadAnswer("bad chunk")
            self._step = _Step.SIZE
        else:
            self.done = not line
