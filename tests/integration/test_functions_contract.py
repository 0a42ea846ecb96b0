"""What every function promises, whatever it does (docs/contracts.md, "A function"), asked of each by real requests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from functionhost import ALL, Running, ask, free_port, running, spawn

# Valid for those that look at it.
TARGET = "/any/path?param=3"
# These two say clearly what they lack when they are started without settings; it is an answer like any other here.
STATUS = {"consumerfunction": 500, "ftpfunction": 500}
LIMIT = 1000


@pytest.fixture(scope="module", params=ALL)
def function(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(request.param, {"max_body_bytes": str(LIMIT)}) as replica:
        yield replica


def expected(replica: Running) -> int:
    return STATUS.get(replica.name, 200)


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side closes; a reset is a failure, not an end."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


def test_ten_functions_are_here() -> None:
    assert [name.removesuffix("function") for name in ALL] == sorted(
        ["go", "java", "node", "python", "io", "matrix", "consumer", "ftp", "warm", "fib"]
    )


def test_health(function: Running) -> None:
    answer = function.request("GET", "/_/health")
    assert (answer.status, answer.body) == (200, b"OK\n")


@pytest.mark.parametrize("path", ["/_/health", TARGET, "/function/deep/er"])
def test_replica_headers(function: Running, path: str) -> None:
    answer = function.request("GET", path)
    assert answer.headers.get_all("X-Replica-Id") == [f"{function.name}-1"]
    (started,) = answer.headers.get_all("X-Replica-Start-Time") or ["absent"]
    # The kernel counts in hundredths of a second; the rest is what lies between fork and exec.
    assert function.spawned_ms - 50 <= int(started) <= time.time() * 1000


def test_get_and_post_give_the_same(function: Running) -> None:
    got = function.request("GET", TARGET)
    posted = function.request("POST", TARGET, b"")
    assert got.status == posted.status == expected(function)
    assert got.body == posted.body
    assert got.headers["Content-Type"] == posted.headers["Content-Type"]


def test_head_is_get_without_the_body(function: Running) -> None:
    with closing(function.connect()) as connection:
        got = ask(connection, "GET", TARGET)
        head = ask(connection, "HEAD", TARGET)
        after = ask(connection, "GET", TARGET)
    assert head.status == got.status
    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(got.body))
    assert after.body == got.body


def test_connection_is_kept(function: Running) -> None:
    with closing(function.connect()) as connection:
        connection.connect()
        first = connection.sock
        for _ in range(20):
            assert ask(connection, "POST", TARGET, b"x").status == expected(function)
        assert connection.sock is first


def test_pipelined_requests_are_answered_in_order(function: Running) -> None:
    with function.raw() as sock:
        health = b"GET /_/health HTTP/1.1\r\nHost: a\r\n\r\n"
        sock.sendall(health + b"POST /?param=3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        sock.sendall(b"GET /_/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = read_all(sock)
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, expected(function), 200]


def test_chunked_body(function: Running) -> None:
    with closing(function.connect()) as connection:
        connection.request("POST", TARGET, body=iter([b"one", b"two" * 100]), encode_chunked=True)
        assert connection.getresponse().status == expected(function)


def test_expect_continue(function: Running) -> None:
    with function.raw() as sock:
        sock.sendall(b"POST /?param=3 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n")
        sock.sendall(b"Connection: close\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"body")
        assert f" {expected(function)} ".encode() in read_all(sock).split(b"\r\n")[0]


def test_body_at_the_limit(function: Running) -> None:
    assert function.request("POST", TARGET, b"x" * LIMIT).status == expected(function)


# The last is more than the kernel's buffers hold: if the server closed at once, the client would fail while it sends.
@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT, 12_000_000])
def test_too_large_a_body_is_413(function: Running, size: int) -> None:
    answer = function.request("POST", TARGET, b"x" * size)
    assert answer.status == 413
    assert str(LIMIT) in json.loads(answer.body)["error"]
    assert answer.headers["X-Replica-Id"]


def test_too_large_a_chunked_body_is_413(function: Running) -> None:
    with closing(function.connect()) as connection:
        connection.request("POST", TARGET, body=iter([b"x" * 600, b"x" * 600]), encode_chunked=True)
        assert connection.getresponse().status == 413


def test_413_does_not_wait_for_the_body(function: Running) -> None:
    with function.raw() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\n\r\n" + b"x" * 5000)
        assert b" 413 " in sock.recv(65536).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: two\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_malformed_request_is_refused(function: Running, head: bytes) -> None:
    with function.raw() as sock:
        sock.sendall(head)
        first = read_all(sock).split(b"\r\n")[0]
    assert first.startswith(b"HTTP/1.1 4") or first.startswith(b"HTTP/1.1 5")
    assert function.request("GET", "/_/health").status == 200


def test_client_that_leaves_in_the_middle_does_no_harm(function: Running) -> None:
    for _ in range(5):
        with function.raw() as sock:
            sock.sendall(b"POST /?param=3 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this")
    assert function.request("POST", TARGET, b"x").status == expected(function)


def test_many_connections_at_once(function: Running) -> None:
    connections = [function.connect() for _ in range(60)]
    try:
        for connection in connections:
            connection.request("POST", TARGET, body=b"x")
        assert {connection.getresponse().status for connection in connections} == {expected(function)}
    finally:
        for connection in connections:
            connection.close()


def test_nothing_is_logged(function: Running) -> None:
    function.request("POST", TARGET, b"x")
    assert function.logged() == ""


@pytest.mark.parametrize("name", ALL)
def test_sigterm_lets_requests_finish(name: str) -> None:
    with running(name) as replica, replica.raw() as busy, replica.raw() as silent, replica.raw() as idle:
        idle.sendall(b"GET /_/health HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while not received.endswith(b"OK\n"):
            received += idle.recv(65536)
        busy.sendall(b"POST /?param=3 HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
        time.sleep(0.1)
        replica.terminate()
        await_refusal(replica.port)
        time.sleep(0.3)
        assert replica.process.poll() is None, "ended while a request was being served"
        busy.sendall(b"rest")
        answer = read_all(busy).decode()
        assert f" {STATUS.get(name, 200)} " in answer.split("\r\n", maxsplit=1)[0]
        assert "\r\nconnection: close\r\n" in answer.lower()
        # A JVM reports the signal itself; the others end as if nothing had been.
        assert replica.process.wait(10) in (0, 128 + signal.SIGTERM)
        # All that was open and idle has been closed, not left hanging.
        assert (read_all(idle), read_all(silent)) == (b"", b"")
        assert replica.logged() == ""


@pytest.mark.parametrize("name", ALL)
def test_sigterm_ends_an_idle_function(name: str) -> None:
    with running(name) as replica:
        replica.terminate()
        assert replica.process.wait(10) in (0, 128 + signal.SIGTERM)


@pytest.mark.parametrize("name", ALL)
def test_requests_on_their_way_at_sigterm_are_answered(name: str) -> None:
    """A kept connection may carry a request at the very moment of the signal."""
    with running(name) as replica:
        for _ in range(3):
            assert replica.request("GET", "/_/health").status == 200
        connections = [replica.connect() for _ in range(10)]
        for connection in connections:
            ask(connection, "GET", "/_/health")
        os.kill(replica.process.pid, signal.SIGTERM)
        for connection in connections:
            connection.request("GET", "/_/health")
        assert [connection.getresponse().status for connection in connections] == [200] * 10
        for connection in connections:
            connection.close()


def await_refusal(port: int) -> None:
    """Return when nobody listens there any more."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("connections are still taken after SIGTERM")


def end_of(process: subprocess.Popen[bytes], log: Path) -> tuple[int, list[str]]:
    try:
        code = process.wait(20)
    finally:
        process.kill()
        process.wait()
    return code, log.read_text().splitlines()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("key", "value"), [("PORT", "http"), ("PORT", "70000"), ("max_body_bytes", "-1"), ("max_body_bytes", "lots")]
)
def test_bad_setting_is_one_line(name: str, key: str, value: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code, lines = end_of(spawn(name, {"HOST": "127.0.0.1", "PORT": str(free_port()), key: value}, log), log)
    assert code == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"environment: {key}: found {value}, allowed: ")


@pytest.mark.parametrize("name", ALL)
def test_taken_port_is_one_line(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, lines = end_of(spawn(name, {"HOST": "127.0.0.1", "PORT": port}, log), log)
    assert code == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"can't listen on port {port}: ")


@pytest.mark.parametrize("name", ALL)
def test_listens_on_every_address_without_host(name: str) -> None:
    with running(name, {"HOST": ""}) as replica, closing(replica.connect()) as connection:
        connection.host = "127.0.0.2"
        assert ask(connection, "GET", "/_/health").status == 200


@pytest.mark.parametrize("name", ALL)
def test_replica_id_defaults_to_the_host_name(name: str) -> None:
    with running(name, {"REPLICA_ID": ""}) as replica:
        assert replica.request("GET", "/").headers["X-Replica-Id"] == socket.gethostname()
