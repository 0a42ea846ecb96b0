"""A lean HTTP/1.1 client on gevent's event loop: one keep-alive connection, one request at a time.

Sockets are the interpreter's own, waiting is a watcher that switches straight back to the greenlet: gevent's own socket
class costs several times the parsing.
"""

from __future__ import annotations

import _socket
import errno
import os
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from gevent import getcurrent

from faas_exp.load.http1 import KEPT_BODY, MAX_HEAD, UNTIL_CLOSE, BadAnswer, Body, Head
from faas_exp.load.loop import Loop
from faas_exp.load.reply import NoAnswer, Reply

_READ, _READ_WRITE, _WRITE = 1, 3, 2
_END_OF_HEAD = b"\r\n\r\n"
_IN_PROGRESS = (errno.EINPROGRESS, errno.EAGAIN)
# This machine's own limits: sockets, local ports, buffers.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True)
class Target:
    """Where to connect: an address, resolved already."""

    family: int
    address: tuple[Any, ...]


class _TimedOut(Exception):
    """Thrown into a greenlet whose request is overdue."""


class _Failed(NoAnswer):
    """No answer on this connection.

    ``untouched``: no byte of an answer had come. A connection that had served before was then closed for idling.
    """

    def __init__(self, reason: str, *, untouched: bool = False, number: int = 0, size: int = 0) -> None:
        self.untouched = untouched
        self.number = number
        self.size = size
        super().__init__(reason)

    @classmethod
    def of(cls, error: OSError, *, untouched: bool = False) -> _Failed:
        number = error.errno or 0
        return cls(os.strerror(number).lower(), untouched=untouched, number=number)


class Client:
    """One user's connection. Belongs to the greenlet that makes it."""

    __slots__ = (
        "_fd",
        "_greenlet",
        "_hub_switch",
        "_loop",
        "_no_body",
        "_reader",
        "_sock",
        "_switch",
        "_target",
        "_waiting",
        "deadline_ns",
    )

    def __init__(self, target: Target, loop: Loop, *, head_request: bool = False) -> None:
        self._target = target
        self._loop = loop
        self._no_body = head_request
        self._greenlet = getcurrent()
        self._switch = self._greenlet.switch
        self._hub_switch = loop.hub.switch
        self._sock: Any = None
        self._reader: Any = None
        self._waiting: Any = None
        self._fd = -1
        self.deadline_ns = 0
        loop.add(self)

    def exchange(self, request: bytes, start_ns: int) -> Reply:
        """Send a request and wait for its answer.

        A failure is an answer too: status 0 and the reason. A request is sent a second time only when the connection
        had served before and the server closed it without a byte of an answer: it had idled too long for the server.

        An answer ends when the event loop learns of its last piece, not when its turn comes to be parsed: that others
        are before it in the queue is the generator's business, and shows as send lag.

        Args:
            request: the whole message.
            start_ns: since when the request counts, monotonic clock.
        """
        self.deadline_ns = perf_counter_ns() + self._loop.timeout_ns
        reused = self._sock is not None
        try:
            while True:
                try:
                    if self._sock is None:
                        self._connect()
                    sent = self._send(request)
                    reply = self._receive(start_ns)
                    if not sent:
                        self.close()
                    return reply
                except _Failed as failure:
                    self.close()
                    if reused and failure.untouched:
                        reused = False
                        self._loop.resent += 1
                        continue
                    now = perf_counter_ns()
                    exhausted = failure.number in _EXHAUSTED
                    return Reply.none(start_ns, now, str(failure), failure.size, exhausted=exhausted)
                except _TimedOut:
                    self.close()
                    return Reply.none(start_ns, perf_counter_ns(), "timed out")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._reader is not None:
            self._reader.stop()
            self._reader.close()
            self._reader = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def release(self) -> None:
        """Close and leave the loop: this client is used no more."""
        self.close()
        self._loop.discard(self)

    def expire(self, now_ns: int) -> None:
        """Called by the loop every so often: end the request when it is overdue."""
        if self._waiting is not None and now_ns > self.deadline_ns:
            self._greenlet.throw(_TimedOut)

    def _wait(self, watcher: Any) -> None:
        self._waiting = watcher
        watcher.start(self._switch)
        try:
            self._hub_switch()
        finally:
            watcher.stop()
            self._waiting = None

    def _wait_for(self, events: int) -> None:
        watcher = self._loop.hub.loop.io(self._fd, events)
        try:
            self._wait(watcher)
        finally:
            watcher.close()

    def _connect(self) -> None:
        try:
            sock = _socket.socket(self._target.family, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK)
        except OSError as error:
            raise _Failed.of(error) from None
        self._sock = sock
        self._fd = sock.fileno()
        sock.setblocking(False)
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        number = sock.connect_ex(self._target.address)
        if number in _IN_PROGRESS:
            self._wait_for(_WRITE)
            number = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if number:
            raise _Failed(os.strerror(number).lower(), number=number)
        self._loop.connections += 1
        self._reader = self._loop.hub.loop.io(self._fd, _READ)

    def _send(self, request: bytes) -> bool:
        """Send it; false when the server answers before it has taken everything."""
        try:
            sent = self._sock.send(request)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise _Failed.of(error, untouched=True) from None
        return sent == len(request) or self._send_rest(memoryview(request)[sent:])

    def _send_rest(self, rest: memoryview) -> bool:
        while rest:
            self._wait_for(_READ_WRITE)
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                # Readable, not writable: an early answer.
                return False
            except OSError:
                # It closed on us in the middle; whatever it said before that is the answer.
                return False
        return True

    def _receive(self, start_ns: int) -> Reply:
        self._wait(self._reader)
        loop = self._loop
        try:
            count = self._sock.recv_into(loop.buffer)
        except OSError as error:
            raise _Failed.of(error, untouched=True) from None
        if not count:
            raise _Failed("closed without an answer", untouched=True)
        # Nearly every answer comes in one piece: parse it where it lies.
        at = loop.buffer.find(_END_OF_HEAD, 0, count)
        if at > 0:
            head = self._parse(bytes(loop.view[:at]))
            body = at + 4
            if head.length == count - body and head.status >= 200:
                if not head.keep_alive:
                    self.close()
                content = bytes(loop.view[body : min(count, body + KEPT_BODY)])
                return Reply(start_ns, loop.wake_ns, head, content, head.length)
        return self._receive_pieces(start_ns, bytes(loop.view[:count]))

    def _receive_pieces(self, start_ns: int, data: bytes) -> Reply:
        head, data = self._receive_head(data)
        body = Body(head.length)
        try:
            body.feed(data)
            while not body.done:
                data = self._more(body.size)
                if data:
                    body.feed(data)
                else:
                    body.end()
        except BadAnswer as error:
            raise _Failed(str(error), size=body.size) from None
        if body.surplus or not head.keep_alive or head.length == UNTIL_CLOSE:
            self.close()
        return Reply(start_ns, self._loop.wake_ns, head, body.kept, body.size)

    def _receive_head(self, data: bytes) -> tuple[Head, bytes]:
        """The final head (interim ones are passed over) and what came after it."""
        while True:
            at = data.find(_END_OF_HEAD)
            if at >= 0:
                head = self._parse(data[:at])
                data = data[at + 4 :]
                if head.status == 101:
                    raise _Failed("switched protocols unasked")
                if head.status >= 200:
                    return head, data
                continue
            if data and not b"HTTP/1.".startswith(data[:7]):
                raise _Failed("not an HTTP/1.1 answer")
            if len(data) > MAX_HEAD:
                raise _Failed("head too long")
            more = self._more()
            if not more:
                raise _Failed("closed within the head")
            data += more

    def _more(self, size: int = 0) -> bytes:
        self._wait(self._reader)
        try:
            count = self._sock.recv_into(self._loop.buffer)
        except OSError as error:
            failure = _Failed.of(error)
            failure.size = size
            raise failure from None
        return bytes(self._loop.view[:count])

    def _parse(self, raw: bytes) -> Head:
        try:
            return Head(raw, no_body=self._no_body)
        except BadAnswer as error:
            raise _Failed(str(error)) from None
