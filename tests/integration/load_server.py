"""A small threaded HTTP server on 127.0.0.1 whose behaviour a test chooses, faults included."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

Answer = Callable[[socket.socket, bytes, int], bool]
"""Takes the connection, the request and its number on this server; says whether the connection stays open."""


def message(body: bytes = b"hello", status: str = "200 OK", *headers: str) -> bytes:
    """A response with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(data: bytes, *, keep: bool = True) -> Answer:
    """Always the same bytes."""

    def answer(connection: socket.socket, request: bytes, number: int) -> bool:
        connection.sendall(data)
        return keep

    return answer


def late(seconds: float, data: bytes = message()) -> Answer:
    """An answer after a while."""

    def answer(connection: socket.socket, request: bytes, number: int) -> bool:
        time.sleep(seconds)
        connection.sendall(data)
        return True

    return answer


def reset(connection: socket.socket) -> None:
    """Close so that the peer sees a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Server:
    """Accepts until closed; one thread per connection.

    Attributes:
        requests: every request as it came, in order of arrival.
        accepted: connections accepted.
        most_at_once: highest number of requests under way.
    """

    def __init__(self, answer: Answer, *, idle: float = 60.0, backlog: int = 512) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.accepted = 0
        self.most_at_once = 0
        self._at_once = 0
        self._idle = idle
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.accepted += 1
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(self._idle)
        try:
            while request := self._read(connection):
                with self._lock:
                    number = len(self.requests)
                    self.requests.append(request)
                    self._at_once += 1
                    self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    keep = self.answer(connection, request, number)
                finally:
                    with self._lock:
                        self._at_once -= 1
                if not keep:
                    break
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            more = connection.recv(65536)
            if not more:
                return b""
            body += more
        return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def serving(answer: Answer, **options: float) -> Iterator[Server]:
    """A server for the length of a block."""
    server = Server(answer, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """URL of a port that refuses connections, and that nobody else can take meanwhile: bound, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
