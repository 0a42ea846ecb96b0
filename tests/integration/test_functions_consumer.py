"""consumerfunction through an HTTP gateway: a small stand-in that passes requests on to the real matrixfunction."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from functionhost import Running, ask, free_port, running


class Gateway(ThreadingHTTPServer):
    """Routes ``/function/matrixfunction`` to a replica and remembers what it saw."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = port
        self.seen: list[tuple[str, str]] = []
        self.connections = 0
        # Set by tests: hang up when a connection is used again, as if it had gone stale just then.
        self.hang_up = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is not worth a traceback here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self.answered = 0

    def do_POST(self) -> None:
        if self.server.hang_up and self.answered:
            self.close_connection = True
            return
        self.answered += 1
        self.server.seen.append((self.command, self.path))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=20)
        try:
            answer = ask(connection, "POST", "/" + self.path.removeprefix("/function/matrixfunction"), b"")
            status, content_type, body = answer.status, answer.headers["Content-Type"], answer.body
        except OSError:
            status, content_type, body = 503, "text/plain", b"no replica"
        finally:
            connection.close()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(gateway: Gateway) -> Iterator[Gateway]:
    thread = threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        gateway.shutdown()
        gateway.server_close()
        thread.join()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running("matrixfunction") as matrix, serving(Gateway(matrix.port)) as server:
        yield server


def consumer(endpoint: str, **env: str) -> AbstractContextManager[Running]:
    return running("consumerfunction", {"gateway_endpoint": endpoint, **env})


def error_of(replica: Running, target: str = "/?param=3") -> tuple[int, str]:
    answer = replica.request("POST", target)
    return answer.status, json.loads(answer.body)["error"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_returns_what_matrixfunction_returns(gateway: Gateway, slash: str) -> None:
    with consumer(gateway.url + slash) as replica:
        answer = replica.request("POST", "/?param=4")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    # 14 = 1 + 4 + 9
    assert json.loads(answer.body) == {"result": [[i * j * 14 for j in range(4)] for i in range(4)]}
    assert answer.headers["X-Replica-Id"] == "consumerfunction-1"
    assert gateway.seen == [("POST", "/function/matrixfunction?param=4")]


def test_param_defaults_to_one(gateway: Gateway) -> None:
    with consumer(gateway.url) as replica:
        assert json.loads(replica.request("POST", "/").body) == {"result": [[0]]}


def test_bad_param_never_reaches_the_gateway(gateway: Gateway) -> None:
    with consumer(gateway.url) as replica:
        status, error = error_of(replica, "/?param=three")
    assert status == 400
    assert error.startswith('param: found "three"')
    assert gateway.seen == []


def test_refusal_of_matrixfunction_is_passed_on(gateway: Gateway) -> None:
    with consumer(gateway.url) as replica:
        status, error = error_of(replica, "/?param=5000")
    assert (status, error) == (400, 'param: found "5000", allowed: a whole number from 1 to 1000')


def test_connection_to_the_gateway_is_kept(gateway: Gateway) -> None:
    with consumer(gateway.url) as replica:
        for _ in range(10):
            assert replica.request("POST", "/?param=2").status == 200
    assert gateway.connections == 1


def test_stale_connections_are_no_failures(gateway: Gateway) -> None:
    gateway.hang_up = True
    with consumer(gateway.url) as replica:
        assert [replica.request("POST", "/?param=2").status for _ in range(20)] == [200] * 20
    assert gateway.connections == 20


def test_failure_behind_the_gateway_is_502() -> None:
    with serving(Gateway(free_port())) as gateway, consumer(gateway.url) as replica:
        assert error_of(replica) == (502, "matrixfunction answered 503")


def test_unreachable_gateway_is_502() -> None:
    port = free_port()
    with consumer(f"http://127.0.0.1:{port}") as replica:
        assert error_of(replica) == (502, f"no answer from 127.0.0.1:{port}: ECONNREFUSED")
        assert replica.request("GET", "/_/health").status == 200


def test_gateway_that_takes_too_long_is_504() -> None:
    # Connections are taken by the kernel, and nobody ever reads from them.
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with consumer(f"http://127.0.0.1:{port}", upstream_timeout="1") as replica:
            assert error_of(replica) == (504, f"no answer from 127.0.0.1:{port} within 1 s")


def test_missing_endpoint_is_500() -> None:
    with running("consumerfunction") as replica:
        assert error_of(replica) == (
            500,
            "environment: gateway_endpoint: found nothing, allowed: the URL of the gateway",
        )


@pytest.mark.parametrize("endpoint", ["gateway:8080", "ftp://gateway", "not a url"])
def test_endpoint_that_is_no_url_is_500(endpoint: str) -> None:
    with consumer(endpoint) as replica:
        status, error = error_of(replica)
    assert status == 500
    assert error.startswith("environment: gateway_endpoint: ")
