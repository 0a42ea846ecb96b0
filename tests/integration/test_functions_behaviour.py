"""What each function does, asked of the real thing; the numbers come from formulas, not from the same loops."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functionhost import Running, running


@pytest.fixture(scope="module")
def matrix() -> Iterator[Running]:
    with running("matrixfunction") as replica:
        yield replica


@pytest.fixture(scope="module")
def fib() -> Iterator[Running]:
    with running("fibfunction") as replica:
        yield replica


@pytest.fixture(scope="module")
def warm() -> Iterator[Running]:
    with running("warmfunction") as replica:
        yield replica


@pytest.mark.parametrize(
    ("name", "content_type", "body"),
    [
        ("gofunction", "text/plain; charset=utf-8", b"Hello From Go Serverless Function"),
        ("javafunction", "text/plain; charset=utf-8", b"Hello From Java Serverless Function"),
        ("pythonfunction", "text/plain; charset=utf-8", b"Hello From Python Serverless Function"),
        ("nodefunction", "application/json", b'{"status":"Hello From NodeJS Serverless Function"}'),
    ],
)
def test_hello(name: str, content_type: str, body: bytes) -> None:
    with running(name) as replica:
        answer = replica.request("POST", "/", b"anything")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, content_type, body)


@pytest.mark.parametrize("size", [1, 2, 9, 10, 11, 57, 200])
def test_matrix_corner(matrix: Running, size: int) -> None:
    answer = matrix.request("POST", f"/?param={size}")
    # Row i times column j: the sum over k of (i k)(k j) = i j (n - 1) n (2n - 1) / 6.
    squares = (size - 1) * size * (2 * size - 1) // 6
    shown = min(size, 10)
    assert answer.status == 200
    assert json.loads(answer.body) == {"result": [[i * j * squares for j in range(shown)] for i in range(shown)]}


def test_matrix_without_param_is_of_size_one(matrix: Running) -> None:
    assert json.loads(matrix.request("POST", "/").body) == {"result": [[0]]}


@pytest.mark.parametrize("param", ["0", "-3", "ten", "", "1.5", "1e3", "1001", "99999999999999999999", "%00"])
def test_matrix_refuses(matrix: Running, param: str) -> None:
    answer = matrix.request("POST", f"/?param={param}")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    error = json.loads(answer.body)["error"]
    assert error.startswith("param: found ") and error.endswith("allowed: a whole number from 1 to 1000")


def test_matrix_limit_is_a_setting() -> None:
    with running("matrixfunction", {"matrix_max": "20"}) as replica:
        assert replica.request("GET", "/?param=20").status == 200
        assert replica.request("GET", "/?param=21").status == 400


@pytest.mark.parametrize(("n", "value"), [(0, 1), (1, 1), (2, 2), (3, 3), (10, 89), (25, 121393)])
def test_fib_counts_from_one(fib: Running, n: int, value: int) -> None:
    answer = fib.request("POST", f"/?param={n}")
    assert (answer.status, json.loads(answer.body)) == (200, {"result": value})


def test_fib_reads_over_a_line_end(fib: Running) -> None:
    assert json.loads(fib.request("POST", "/?param=10%0A").body) == {"result": 89}


@pytest.mark.parametrize("target", ["/", "/?param=", "/?param=x", "/?param=-1", "/?param=46", "/?param=2.5", "/?a=3"])
def test_fib_refuses(fib: Running, target: str) -> None:
    answer = fib.request("POST", target)
    assert answer.status == 400
    assert "allowed: a whole number from 0 to 45" in json.loads(answer.body)["error"]


def test_fib_limit_is_a_setting() -> None:
    with running("fibfunction", {"fib_max": "10"}) as replica:
        assert replica.request("GET", "/?param=10").status == 200
        assert replica.request("GET", "/?param=11").status == 400


def test_fib_finishes_what_it_computes_at_sigterm() -> None:
    with running("fibfunction") as replica, ThreadPoolExecutor(1) as pool:
        pending = pool.submit(replica.request, "GET", "/?param=38")
        time.sleep(0.1)
        os.kill(replica.process.pid, signal.SIGTERM)
        assert json.loads(pending.result(30).body) == {"result": 63245986}
        assert replica.process.wait(10) == 0


def test_warm_echoes_text(warm: Running) -> None:
    text = 'Grüße, "quotes"\nand a new line'
    answer = warm.request("POST", "/", text.encode(), {"Content-Type": "text/plain"})
    assert json.loads(answer.body) == {"result": "Received input: " + json.dumps(text, ensure_ascii=False)}


def test_warm_echoes_json(warm: Running) -> None:
    answer = warm.request("POST", "/", b'{ "a": [1, null] }', {"Content-Type": "application/json; charset=utf-8"})
    assert json.loads(answer.body) == {"result": 'Received input: {"a":[1,null]}'}


def test_warm_without_a_body(warm: Running) -> None:
    assert json.loads(warm.request("GET", "/").body) == {"result": "Received input: {}"}


def test_warm_refuses_what_only_says_that_it_is_json(warm: Running) -> None:
    answer = warm.request("POST", "/", b"{", {"Content-Type": "application/json"})
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith("body: found text that is not JSON")


@pytest.mark.parametrize("sync", ["0", "1"])
def test_io_has_written_before_it_answers(tmp_path: Path, sync: str) -> None:
    path = tmp_path / "bodies.txt"
    path.write_bytes(b"before|")
    with running("iofunction", {"io_path": str(path), "io_sync": sync}) as replica:
        expected = b"before|"
        for body in (b"one|", bytes(range(256)), b"", b"x" * 1_000_000):
            answer = replica.request("POST", "/", body)
            expected += body
            assert (answer.status, answer.body) == (200, body)
            assert path.read_bytes() == expected
        replica.terminate()
        replica.process.wait(10)
    assert path.read_bytes() == expected, "a file named by the user stays"


def test_io_keeps_the_content_type(tmp_path: Path) -> None:
    with running("iofunction", {"io_path": str(tmp_path / "bodies")}) as replica:
        answer = replica.request("POST", "/", b"{}", {"Content-Type": "application/json"})
        assert answer.headers["Content-Type"] == "application/json"
        assert replica.request("POST", "/", b"x").headers["Content-Type"].startswith("text/plain")


def test_io_does_not_mix_bodies_of_concurrent_requests(tmp_path: Path) -> None:
    path = tmp_path / "bodies.txt"
    bodies = [letter.encode() * 50_000 + b"\n" for letter in "abcdefghijklmnop"]
    with running("iofunction", {"io_path": str(path)}) as replica, ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda body: replica.request("POST", "/", body), bodies)]
    assert statuses == [200] * len(bodies)
    assert sorted(path.read_bytes().splitlines(keepends=True)) == bodies


def test_io_default_file_is_the_replicas_own_and_goes_with_it(tmp_path: Path) -> None:
    with (
        running("iofunction", {"TMPDIR": str(tmp_path)}) as one,
        running("iofunction", {"TMPDIR": str(tmp_path)}) as two,
    ):
        one.request("POST", "/", b"first")
        two.request("POST", "/", b"second")
        assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"first", b"second"]
        for replica in (one, two):
            replica.terminate()
            replica.process.wait(10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "reason"), [("/dev/full", "ENOSPC"), ("/nowhere/bodies", "ENOENT"), ("/", "EISDIR")])
def test_io_says_why_it_could_not_write(path: str, reason: str) -> None:
    with running("iofunction", {"io_path": path}) as replica:
        answer = replica.request("POST", "/", b"x")
        assert answer.status == 500
        assert json.loads(answer.body) == {"error": f"{path}: can't be written: {reason}"}
        assert replica.request("GET", "/_/health").status == 200
