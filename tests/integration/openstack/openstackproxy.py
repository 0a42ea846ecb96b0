"""A way to one service on which answers get lost, requests are refused, and a client can be killed at an exact point.

Only requests that change something count. The service itself is always real.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_CHANGING = {"POST", "PUT", "DELETE", "PATCH"}
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Faults:
    """What happens to requests that change something; shared by the ways to all services.

    Attributes:
        seen: each such request, in the order of arrival, as ``POST /v2.0/networks``.
        refuse: called with the request's number (from 1) and text before it is passed on; a status other than 0 is
            answered in the service's place.
        after: called when the service has carried it out and nobody has heard of it; True loses the answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._open: set[tuple[str, int]] = set()
        self._before: set[tuple[str, int]] = set()
        self._accepted: set[tuple[str, int]] = set()
        self.ways: list[tuple[str, int]] = []
        self.reset()

    def reset(self) -> None:
        """No faults. Whoever is connected now is not meant by :meth:`quiet`."""
        with self._lock:
            self._before, self._accepted = set(self._open), set()
        self.seen: list[str] = []
        self.refuse: Callable[[int, str], int] = lambda number, text: 0
        self.after: Callable[[int, str], bool] = lambda number, text: False

    def begin(self, text: str) -> int:
        with self._lock:
            self.seen.append(text)
            return len(self.seen)

    def accept(self, client: tuple[str, int]) -> None:
        with self._lock:
            self._open.add(client)
            self._accepted.add(client)
            self._lock.notify_all()

    def finish(self, client: tuple[str, int]) -> None:
        with self._lock:
            self._open.discard(client)
            self._lock.notify_all()

    def quiet(self) -> None:
        """Wait until every request that a process, now dead, has sent since the reset is carried out."""
        for way in self.ways:
            # Connections are accepted in the order in which they were made: those of the dead came before this one.
            with socket.create_connection(way) as probe:
                own = probe.getsockname()
                with self._lock:
                    self._lock.wait_for(lambda own=own: own in self._accepted)  # type: ignore[misc]
        with self._lock:
            self._lock.wait_for(lambda: not self._open - self._before)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    faults: Faults

    def process_request(self, request: Any, client_address: Any) -> None:
        self.faults.accept(client_address)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.faults.finish(client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: str
    faults: Faults

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command not in _CHANGING:
            self._answer(*self._ask(body))
            return
        text = f"{self.command} {urlsplit(self.path).path}"
        number = self.faults.begin(text)
        if status := self.faults.refuse(number, text):
            self._answer(status, [("Content-Type", "application/json")], b'{"error": {"message": "try later"}}')
            return
        answer = self._ask(body)
        if self.faults.after(number, text):
            self.close_connection = True
        else:
            self._answer(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _handle

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        service = http.client.HTTPConnection(self.service, timeout=600)
        try:
            headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
            service.request(self.command, self.path, body or None, headers)
            answer = service.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            service.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        try:
            self.send_response(status)
            for key, value in headers:
                if key.lower() not in _HOP:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError:
            # The client was killed.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def way_to(service: str, faults: Faults) -> Iterator[str]:
    """A way to a service (``127.0.0.1:38774``); gives its own ``http://host:port``."""
    handler = type("Handler", (_Handler,), {"service": service, "faults": faults})
    server = _Server(("127.0.0.1", 0), handler)
    server.faults = faults
    faults.ways.append(server.server_address[:2])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
