"""The request path: what is passed on, how bodies are framed, what is refused, and which limits hold."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from gateway_tools import PATIENCE, RunningGateway, receive, running_gateway, until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    env = {"read_timeout": "1s", "max_body_size": "1Mi", "max_header_size": "8192", "idle_timeout": "2s"}
    env["stop_timeout"] = "1s"  # a function may still be at work for a client that went away
    with running_gateway(tmp_path_factory.mktemp("gateway"), **env) as running:
        running.deploy("echo")
        yield running


def request(method: str, path: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: gw.test", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def bodies(answer: bytes) -> list[bytes]:
    """Bodies of responses which all have a Content-Length."""
    found = []
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        found.append(answer[:length])
        answer = answer[length:]
    return found


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# what is passed on


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/function/echo", "/"),
        ("/function/echo/", "/"),
        ("/function/echo?a=1&b=%20", "/?a=1&b=%20"),
        ("/function/echo/x/../y%2Fz?q=/function/", "/x/../y%2Fz?q=/function/"),
        ("/function/echo.openfaas-fn/x", "/x"),
    ],
)
def test_method_path_and_query(gateway: RunningGateway, method: str, path: str, seen: str) -> None:
    answer = gateway.call(method, path).json()
    assert (answer["method"], answer["target"]) == (method, seen)


def test_headers_towards_the_function(gateway: RunningGateway) -> None:
    headers = {
        "X-Own": "kept",
        "Authorization": "Bearer kept",
        "Connection": "X-Dropped, keep-alive",
        "X-Dropped": "1",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "Proxy-Authorization": "secret",
        "X-Start-Time": "forged",
        "Host": "gateway.openfaas.local",
    }
    seen = gateway.call("POST", "/function/echo", b"x", headers).json()["headers"]
    assert seen["x-own"] == "kept"
    assert seen["authorization"] == "Bearer kept"
    assert not {"x-dropped", "keep-alive", "te", "proxy-authorization", "connection"} & seen.keys()
    assert seen["x-forwarded-host"] == "gateway.openfaas.local"
    assert re.fullmatch(r"127\.0\.0\.1:\d+", seen["x-forwarded-for"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", seen["x-call-id"])
    assert abs(int(seen["x-start-time"]) / 1e9 - time.time()) < PATIENCE
    given = {"X-Forwarded-For": "198.18.0.9", "X-Forwarded-Host": "first", "X-Call-Id": "mine"}
    seen = gateway.call("POST", "/function/echo", b"x", given).json()["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-host"], seen["x-call-id"]) == ("198.18.0.9", "first", "mine")


def test_headers_towards_the_client(gateway: RunningGateway) -> None:
    answer = gateway.call("GET", "/function/echo?sleep=0.05", headers={"X-Call-Id": "mine"})
    assert answer.headers["x-call-id"] == "mine"
    assert float(answer.headers["x-duration-seconds"]) >= 0.05
    assert int(answer.headers["x-start-time"]) > 1.7e18
    own = (answer.headers["x-replica-id"], answer.headers["x-replica-start-time"])
    # A function that names itself is believed; for one that does not, the gateway does.
    plain = gateway.call("GET", "/function/echo?plain=1").headers
    assert plain["x-replica-id"] == own[0]
    assert abs(int(plain["x-replica-start-time"]) - int(own[1])) < PATIENCE * 1000


@pytest.mark.parametrize("code", [200, 201, 204, 304, 400, 404, 418, 500, 503, 599])
def test_status_codes_pass(gateway: RunningGateway, code: int) -> None:
    assert gateway.call("GET", f"/function/echo?status={code}").status == code


# framing


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", [1, 70_000, 5_000_000])
def test_responses_of_every_framing(gateway: RunningGateway, framing: str, size: int) -> None:
    connection = http.client.HTTPConnection(gateway.info.host, gateway.info.port, timeout=PATIENCE)
    for _ in range(3):
        connection.request("GET", f"/function/echo?framing={framing}&size={size}")
        response = connection.getresponse()
        assert hashlib.md5(response.read()).digest() == hashlib.md5(b"x" * size).digest()
        assert not response.will_close, "the client's connection lives on whatever the function does with its own"
    connection.close()
    old = gateway.raw(request("GET", f"/function/echo?framing={framing}&size={size}", version="1.0"))
    assert old.partition(b"\r\n\r\n")[2] == b"x" * size
    assert b"chunked" not in old.partition(b"\r\n\r\n")[0]


def test_request_bodies(gateway: RunningGateway) -> None:
    for body in (b"", b"a", bytes(range(256)) * 2000):
        assert gateway.call("POST", "/function/echo", body).json()["body"].encode("latin-1") == body
    connection = http.client.HTTPConnection(gateway.info.host, gateway.info.port, timeout=PATIENCE)
    for _ in range(2):
        connection.request("POST", "/function/echo", iter([b"a" * 10, b"b" * 70_000, b"c"]), encode_chunked=True)
        seen = json.loads(connection.getresponse().read())
        assert seen["body"] == "a" * 10 + "b" * 70_000 + "c"
        assert seen["headers"]["transfer-encoding"] == "chunked"
    connection.close()


def test_body_in_many_packets(gateway: RunningGateway) -> None:
    message = request("POST", "/function/echo", "Transfer-Encoding: chunked", "Connection: close")
    message += b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        for place in range(len(message)):
            sock.sendall(message[place : place + 1])
            time.sleep(0.001)
        assert b'"body": "hello world"' in receive(sock, PATIENCE)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_head_has_no_body(gateway: RunningGateway, framing: str) -> None:
    two = request("HEAD", f"/function/echo?framing={framing}") + request("GET", "/function/echo", "Connection: close")
    answer = gateway.raw(two)
    assert answer.count(b"HTTP/1.1 200") == 2
    first, _, rest = answer.partition(b"\r\n\r\n")
    assert rest.startswith(b"HTTP/1.1 200"), "nothing stands between the first head and the second response"
    assert b"ransfer-" not in first


def test_no_content_has_no_length(gateway: RunningGateway) -> None:
    for code in (204, 304):
        answer = gateway.raw(request("GET", f"/function/echo?status={code}&framing=chunked", "Connection: close"))
        assert status(answer) == code
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b""
        assert b"chunked" not in head


def test_expect_continue(gateway: RunningGateway) -> None:
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        sock.sendall(
            request("POST", "/function/echo", "Expect: 100-continue", "Content-Length: 2", "Connection: close")
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hi")
        answer = receive(sock, PATIENCE)
        assert b'"body": "hi"' in answer
        assert b'"expect"' not in answer
    assert status(gateway.raw(request("POST", "/function/echo", "Expect: more", "Content-Length: 0"))) == 417
    too_much = request("POST", "/function/echo", "Expect: 100-continue", "Content-Length: 9999999")
    assert status(gateway.raw(too_much)) == 413, "refused before the body is sent"


def test_pipelined_requests_are_answered_in_order(gateway: RunningGateway) -> None:
    many = b"".join(
        request(
            "POST", f"/function/echo?n={n}&sleep={0.02 if n % 3 == 0 else 0}", f"Content-Length: {n}", body=b"x" * n
        )
        for n in range(30)
    )
    many += request("GET", "/healthz") + request("GET", "/function/echo?last", "Connection: close")
    answers = bodies(gateway.raw(many))
    assert len(answers) == 32
    for n, answer in enumerate(answers[:30]):
        seen = json.loads(answer)
        assert (seen["target"].split("&")[0], len(seen["body"])) == (f"/?n={n}", n)
    assert answers[30] == b"OK\n"


def test_thousands_of_pipelined_requests(gateway: RunningGateway) -> None:
    answer = gateway.raw(request("GET", "/healthz") * 5000 + request("GET", "/healthz", "Connection: close"))
    assert answer.count(b"HTTP/1.1 200 OK") == 5001


def test_upgrade_is_declined(gateway: RunningGateway) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP")
    two = request("GET", "/function/echo?first", *upgrade) + request(
        "GET", "/function/echo?second", "Connection: close"
    )
    first, second = (json.loads(body) for body in bodies(gateway.raw(two)))
    assert not {"upgrade", "connection", "http2-settings"} & first["headers"].keys()
    assert (first["target"], second["target"]) == ("/?first", "/?second")


def test_absolute_target(gateway: RunningGateway) -> None:
    answer = gateway.raw(request("GET", "http://gw.test/function/echo/x?y", "Connection: close"))
    assert json.loads(bodies(answer)[0])["target"] == "/x?y"


def test_connections_to_the_function_are_kept(gateway: RunningGateway) -> None:
    before = gateway.call("GET", "/function/echo").json()["connections"]
    for method, query in (("GET", ""), ("HEAD", ""), ("POST", "?framing=chunked"), ("GET", "?status=204")) * 10:
        gateway.call(method, f"/function/echo{query}")
    # Health checks come on connections of their own.
    assert gateway.call("GET", "/function/echo").json()["connections"] - before <= 3


# what is refused

SMUGGLED = b"GET /function/echo?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (request("POST", "/function/echo", "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Content-Length: 1", "Content-Length: 1", body=b"x"), 400),
        (request("POST", "/function/echo", "Content-Length: 1, 1", body=b"x"), 400),
        (request("POST", "/function/echo", "Content-Length: +1", body=b"x"), 400),
        (request("POST", "/function/echo", "Content-Length: -1", body=b"x"), 400),
        (request("POST", "/function/echo", "Content-Length: 0x1", body=b"x"), 400),
        (request("POST", "/function/echo", "Content-Length : 1", body=b"x"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
        (request("POST", "/function/echo", "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
        (request("POST", "/function/echo", "Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked", body=b"0\r\n\r\n", version="1.0"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked", body=b"zz\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked", body=b"-1\r\nx\r\n0\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked", body=b"1\r\nxx\r\n0\r\n\r\n"), 400),
        (request("POST", "/function/echo", "Transfer-Encoding: chunked", body=b"1\nx\n0\n\n"), 400),
        (request("GET", "/function/echo", " folded: 1"), 400),
        (request("GET", "/function/echo", "X: a\0b"), 400),
        (request("GET", "/function/echo", "X: a\rb"), 400),
        (request("GET", "/function/echo", "Host: second"), 400),
        (b"GET /function/echo HTTP/1.1\r\n\r\n", 400),
        (b"GET /function/echo HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /function/echo HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET function/echo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (request("CONNECT", "echo:80"), 405),
        (request("POST", "/function/echo", "Connection: upgrade", "Upgrade: x", "Content-Length: 3", body=b"abc"), 400),
    ],
)
def test_ambiguous_requests_are_refused(gateway: RunningGateway, message: bytes, code: int) -> None:
    served = gateway.metric('gateway_function_invocation_total{code="200",function_name="echo"}')
    answer = gateway.raw(message + SMUGGLED)
    assert status(answer) == code, answer
    assert answer.count(b"HTTP/1.1") == 1, "what follows is not taken for a request"
    assert b"onnection: close" in answer
    assert gateway.metric('gateway_function_invocation_total{code="200",function_name="echo"}') == served


def test_refusal_comes_after_earlier_responses(gateway: RunningGateway) -> None:
    answer = gateway.raw(request("GET", "/function/echo?sleep=0.1") + request("POST", "/", "Content-Length: x"))
    assert status(answer) == 200, "the good request is answered although the next one is bad"


def test_bytes_after_the_last_request_are_ignored(gateway: RunningGateway) -> None:
    answer = gateway.raw(request("GET", "/function/echo", "Connection: close") + b"garbage")
    assert (status(answer), answer.count(b"HTTP/1.1")) == (200, 1)


# limits


def test_body_too_large(gateway: RunningGateway) -> None:
    limit = 1024**2
    assert gateway.call("POST", "/function/echo", b"x" * limit).status == 200
    assert gateway.call("POST", "/function/echo", b"x" * (limit + 1)).status == 413
    message = request("POST", "/function/echo", "Transfer-Encoding: chunked")
    answer = gateway.raw(message + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 20)
    assert status(answer) == 413
    assert status(gateway.raw(request("POST", "/async-function/echo", f"Content-Length: {limit + 1}"))) == 413


def test_head_too_large(gateway: RunningGateway) -> None:
    assert gateway.call("GET", "/function/echo", headers={"X": "x" * 7000}).status == 200
    assert gateway.call("GET", "/function/echo", headers={"X": "x" * 9000}).status == 431
    assert gateway.call("GET", "/function/echo?" + "x" * 9000).status == 431
    # One that never ends is cut off as well, and so is one of many small headers.
    assert status(gateway.raw(b"GET /function/echo HTTP/1.1\r\nX: " + b"x" * 100_000)) == 431
    many = [f"H{n}: {n}" for n in range(2000)]
    assert status(gateway.raw(request("GET", "/function/echo", *many))) == 431


@pytest.mark.parametrize(
    "start",
    [
        b"GET /func",
        request("GET", "/function/echo")[:-2],
        request("POST", "/function/echo", "Content-Length: 10", body=b"12345"),
        request("POST", "/system/functions", "Content-Length: 10", body=b"12345"),
        request("POST", "/function/echo", "Transfer-Encoding: chunked", body=b"5\r\n12"),
    ],
)
def test_slow_client(gateway: RunningGateway, start: bytes) -> None:
    if b"/system/" in start:
        start = start.replace(b"/system/functions", b"/async-function/echo")
    began = time.monotonic()
    answer = gateway.raw(start, wait=PATIENCE)
    assert status(answer) == 408
    assert time.monotonic() - began > 0.9


@pytest.mark.parametrize(
    "start", [b"GET /func", request("POST", "/function/echo", "Content-Length: 10", body=b"12345")]
)
def test_slow_in_the_second_request(gateway: RunningGateway, start: bytes) -> None:
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        sock.sendall(request("GET", "/healthz"))
        assert status(sock.recv(1000)) == 200
        began = time.monotonic()
        sock.sendall(start)
        assert status(receive(sock, PATIENCE)) == 408
        assert time.monotonic() - began > 0.9


def test_dripping_client(gateway: RunningGateway) -> None:
    """A byte now and then does not extend the time: it counts for the whole request."""
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        sock.sendall(request("POST", "/function/echo", "Content-Length: 1000"))
        began = time.monotonic()
        answer = b""
        while time.monotonic() - began < 60 and not answer:
            try:
                sock.sendall(b"x")
                sock.settimeout(0.1)
                answer = sock.recv(1000)
            except TimeoutError:
                continue
        assert status(answer) == 408


def test_idle_connections_end_silently(gateway: RunningGateway) -> None:
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        sock.sendall(request("GET", "/healthz"))
        began = time.monotonic()
        assert receive(sock, PATIENCE).count(b"HTTP/1.1") == 1
        assert time.monotonic() - began > 1.5


def test_client_that_goes_away_ends_the_functions_work(gateway: RunningGateway) -> None:
    served = gateway.metric('gateway_function_invocation_total{code="499",function_name="echo"}')
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        sock.sendall(request("GET", "/function/echo?sleep=30"))
        until(lambda: gateway.metric("gateway_requests_in_flight") == 1, 5)
    until(lambda: gateway.metric("gateway_requests_in_flight") == 0, 5)
    assert gateway.metric('gateway_function_invocation_total{code="499",function_name="echo"}') == served + 1


def test_slow_reader_is_waited_for_without_buffering_it_all(gateway: RunningGateway) -> None:
    before = gateway.metric("process_resident_memory_bytes")
    size = 60_000_000
    with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
        sock.sendall(request("GET", f"/function/echo?size={size}", "Connection: close"))
        time.sleep(1.5)
        assert gateway.metric("process_resident_memory_bytes") - before < 20e6
        assert len(receive(sock, PATIENCE).partition(b"\r\n\r\n")[2]) == size


def test_many_connections_at_once(gateway: RunningGateway) -> None:
    done: list[int] = []

    def one() -> None:
        done.append(gateway.call("POST", "/function/echo?sleep=0.2", b"x" * 1000).status)

    threads = [threading.Thread(target=one) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [200] * 200
