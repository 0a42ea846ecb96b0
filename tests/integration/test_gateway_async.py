"""Queued invocations, their callbacks, and a queue that is full."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from gateway_tools import PATIENCE, RunningGateway, running_gateway, until

Result = tuple[str, dict[str, str], bytes]


@pytest.fixture
def callbacks() -> Iterator[tuple[str, queue.Queue[Result]]]:
    got: queue.Queue[Result] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway")) as running:
        running.deploy("echo")
        yield running


def test_result_goes_to_the_callback(gateway: RunningGateway, callbacks: tuple[str, queue.Queue[Result]]) -> None:
    url, got = callbacks
    headers = {"X-Callback-Url": f"{url}/result?x=1", "X-Own": "kept"}
    answer = gateway.call("POST", "/async-function/echo/a/b?status=201", b"hello", headers)
    assert (answer.status, answer.body) == (202, b"")
    path, sent, body = got.get(timeout=PATIENCE)
    seen = json.loads(body)
    assert path == "/result?x=1"
    assert (sent["x-function-status"], sent["x-function-name"]) == ("201", "echo")
    assert sent["x-call-id"] == answer.headers["x-call-id"] == seen["headers"]["x-call-id"]
    assert float(sent["x-duration-seconds"]) > 0
    assert sent["content-type"] == "application/json"
    assert (seen["target"], seen["method"], seen["body"]) == ("/a/b?status=201", "POST", "hello")
    assert seen["headers"]["x-own"] == "kept"
    assert "x-callback-url" not in seen["headers"]


def test_own_call_id_is_kept(gateway: RunningGateway, callbacks: tuple[str, queue.Queue[Result]]) -> None:
    url, got = callbacks
    answer = gateway.call("POST", "/async-function/echo", b"", {"X-Callback-Url": url, "X-Call-Id": "mine"})
    assert answer.headers["x-call-id"] == "mine"
    assert got.get(timeout=PATIENCE)[1]["x-call-id"] == "mine"


def test_a_sleeping_function_is_woken(gateway: RunningGateway, callbacks: tuple[str, queue.Queue[Result]]) -> None:
    url, got = callbacks
    gateway.deploy("sleepy")
    gateway.scale("sleepy", 0)
    gateway.wait_available("sleepy", 0)
    assert gateway.call("POST", "/async-function/sleepy", b"x", {"X-Callback-Url": url}).status == 202
    assert got.get(timeout=PATIENCE)[1]["x-function-status"] == "200"
    gateway.delete("sleepy")


def test_failure_is_reported(gateway: RunningGateway, callbacks: tuple[str, queue.Queue[Result]]) -> None:
    url, got = callbacks
    gateway.call("POST", "/async-function/echo?die=1", b"", {"X-Callback-Url": url})
    assert got.get(timeout=PATIENCE)[1]["x-function-status"] == "502"


def test_unreachable_callback_is_logged(gateway: RunningGateway) -> None:
    answer = gateway.call("POST", "/async-function/echo", b"", {"X-Callback-Url": "http://127.0.0.1:1/x"})
    assert answer.status == 202
    until(lambda: answer.headers["x-call-id"] in gateway.log, 10)
    assert "callback failed" in gateway.log


@pytest.mark.parametrize("url", ["ftp://x/y", "nonsense", "javascript:alert(1)", "http://", "http://x:y/", "http://["])
def test_bad_callback_is_refused(gateway: RunningGateway, url: str) -> None:
    answer = gateway.call("POST", "/async-function/echo", b"", {"X-Callback-Url": url})
    assert (answer.status, "X-Callback-Url" in answer.text) == (400, True)


def test_absent_function(gateway: RunningGateway) -> None:
    assert gateway.call("POST", "/async-function/absent", b"").status == 404


def test_full_queue(tmp_path: Path) -> None:
    with running_gateway(tmp_path, async_queue_size="3", max_inflight="1", async_queue_bytes="10000") as gateway:
        gateway.deploy("echo")
        path = "/async-function/echo?sleep=4"
        assert gateway.call("POST", path, b"").status == 202
        until(lambda: gateway.metric("gateway_requests_in_flight") == 1, 5)
        assert [gateway.call("POST", path, b"").status for _ in range(5)] == [202, 202, 202, 429, 429]
        assert gateway.metric("gateway_async_queue_length") == 3
        until(lambda: gateway.metric("gateway_async_queue_length") == 0, 20)
        # Its bytes are bounded, too.
        sizes = [gateway.call("POST", path, b"x" * 6000).status for _ in range(2)]
        assert sizes == [202, 429]
        assert gateway.call("POST", path, b"x" * 10_001).status == 413
        started = 'gateway_function_invocation_started{function_name="echo"}'
        until(lambda: gateway.metric(started) == 5, 20)
    assert "queued invocations lost" in gateway.log or "stopped" in gateway.log
