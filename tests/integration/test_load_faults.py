"""Servers and disks that misbehave: recorded as data, or one clear error."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections import Counter

import pytest
from load_server import message, refusing, reset, says, serving
from test_load_run import rows_of

from faas_exp.errors import ConfigError, LoadError
from faas_exp.load import LoadSpec, run_load

# Longer than anything takes on the slowest machine; nothing waits that long when all is well.
PATIENCE = 120


def reasons(folder) -> Counter:
    return Counter((row["responseCode"], row["responseMessage"]) for row in rows_of(folder))


def test_a_server_that_is_down_gives_rows_and_little_work(tmp_path):
    with refusing() as url:
        stats = run_load(LoadSpec(url=url, users=5, number_of_requests=60), tmp_path)
    assert reasons(tmp_path) == {("0", "connection refused"): 60}
    assert stats.errors == 60
    assert stats.error_pct == 100.0
    assert stats.elapsed_ms["p50"] is None
    assert stats.throughput == 0.0
    # Twelve requests per user with pauses of 5, 10, 20, … at most 100 ms between them.
    assert stats.wall_s > 0.6
    assert stats.generator.cpu_pct < 50


def test_errors_of_the_server_are_data(tmp_path):
    with serving(says(message(b"no", "500 Internal Server Error"))) as server:
        stats = run_load(LoadSpec(url=server.url, users=3, number_of_requests=90), tmp_path)
    assert reasons(tmp_path) == {("500", ""): 90}
    assert stats.errors == 90
    assert {row["success"] for row in rows_of(tmp_path)} == {"false"}


def test_redirects_are_not_followed(tmp_path):
    with serving(says(message(b"", "302 Found", "Location: /other"))) as server:
        run_load(LoadSpec(url=server.url, number_of_requests=5), tmp_path)
    assert reasons(tmp_path) == {("302", ""): 5}
    assert len(server.requests) == 5


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
)


@pytest.mark.parametrize(
    ("data", "keep", "expected", "size"),
    [
        (CHUNKED, True, ("200", ""), 11),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil close", False, ("200", ""), 11),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False, ("200", ""), 2),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + message(b"abc"), True, ("200", ""), 3),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, ("204", ""), 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short", False, ("0", "body cut short"), 9),
        (CHUNKED[:-12], False, ("0", "body cut short"), 11),
        (b"HTTP/1.1 200 OK\r\nContent-", False, ("0", "closed within the head"), 0),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, ("0", "not an HTTP/1.1 answer"), 0),
        (b"\x00" * 5000, False, ("0", "not an HTTP/1.1 answer"), 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", False, ("0", "bad Content-Length"), 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, ("0", "bad chunk"), 0),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, False, ("0", "head too long"), 0),
        (b"", False, ("0", "closed without an answer"), 0),
    ],
)
def test_answers_of_every_shape(tmp_path, data, keep, expected, size):
    with serving(says(data, keep=keep)) as server:
        run_load(LoadSpec(url=server.url, users=2, number_of_requests=8, timeout=5), tmp_path)
    assert reasons(tmp_path) == {expected: 8}
    assert {row["bytes"] for row in rows_of(tmp_path)} == {str(size)}


def test_answers_that_come_in_drops(tmp_path):
    def answer(connection, request, number):
        for byte in CHUNKED:
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        return True

    with serving(answer) as server:
        run_load(LoadSpec(url=server.url, users=2, number_of_requests=6), tmp_path)
    assert reasons(tmp_path) == {("200", ""): 6}
    assert {row["bytes"] for row in rows_of(tmp_path)} == {"11"}
    assert server.accepted == 2


def test_surplus_bytes_do_not_become_the_next_answer(tmp_path):
    with serving(says(message() + message(b"", "500 Oops"))) as server:
        run_load(LoadSpec(url=server.url, number_of_requests=10), tmp_path)
    assert reasons(tmp_path) == {("200", ""): 10}
    assert server.accepted == 10


def test_a_server_that_closes_after_each_answer(tmp_path):
    with serving(says(message(b"", "200 OK", "Connection: close"), keep=False)) as server:
        stats = run_load(LoadSpec(url=server.url, users=3, number_of_requests=60), tmp_path)
    assert stats.errors == 0
    assert stats.generator.connections == 60
    assert stats.generator.resent == 0


def test_idle_connections_closed_by_the_server_are_no_errors(tmp_path):
    # The server closes without a word after each answer, long before the next request.
    with serving(says(message(), keep=False)) as server:
        stats = run_load(LoadSpec(url=server.url, number_of_requests=4, rate=4), tmp_path)
    assert stats.errors == 0
    assert stats.generator.resent == 3
    assert len(server.requests) == 4


def test_a_request_that_was_answered_by_a_close_is_sent_again_once_at_most(tmp_path):
    def answer(connection, request, number):
        if number == 0:
            connection.sendall(message())
            return True
        return False

    with serving(answer) as server:
        stats = run_load(LoadSpec(url=server.url, number_of_requests=2), tmp_path)
    assert reasons(tmp_path) == {("200", ""): 1, ("0", "closed without an answer"): 1}
    assert stats.generator.resent == 1
    assert len(server.requests) == 3


def test_resets(tmp_path):
    def answer(connection, request, number):
        reset(connection)
        return False

    with serving(answer) as server:
        run_load(LoadSpec(url=server.url, users=2, number_of_requests=6), tmp_path)
    assert reasons(tmp_path) == {("0", "connection reset by peer"): 6}


def test_a_server_that_accepts_and_never_answers(tmp_path):
    over = threading.Event()

    def answer(connection, request, number):
        over.wait(PATIENCE)
        return False

    with serving(answer) as server:
        stats = run_load(LoadSpec(url=server.url, users=4, number_of_requests=8, timeout=0.3), tmp_path)
        over.set()
    assert reasons(tmp_path) == {("0", "timed out"): 8}
    assert all(float(row["elapsed"]) >= 300 for row in rows_of(tmp_path))
    assert not stats.void


def test_a_server_that_does_not_accept(tmp_path):
    # A full backlog drops the handshake, so connecting itself hangs.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fill = []
        for _ in range(4):
            probe = socket.socket()
            probe.setblocking(False)
            probe.connect_ex(("127.0.0.1", port))
            fill.append(probe)
        time.sleep(0.1)
        run_load(LoadSpec(url=f"http://127.0.0.1:{port}", users=2, number_of_requests=2, timeout=0.3), tmp_path)
        for probe in fill:
            probe.close()
    assert reasons(tmp_path) == {("0", "timed out"): 2}


def test_a_server_that_dies_in_mid_run(tmp_path):
    died = threading.Event()
    with serving(says(message())) as server:

        def answer(connection, request, number):
            if number > 500:
                # However quick the client is: nothing is answered once the end has begun.
                died.wait(PATIENCE)
                return False
            connection.sendall(message())
            if number == 500:
                server.close()
                died.set()
            return True

        server.answer = answer
        stats = run_load(LoadSpec(url=server.url, users=4, number_of_requests=560), tmp_path)
    found = reasons(tmp_path)
    assert stats.count == 560
    assert found[("200", "")] >= 500
    assert found[("0", "connection refused")] > 0


def test_an_early_answer_to_a_large_body(tmp_path):
    # Speaks after the head and leaves the body unread. It closes when all is over: a close with bytes unread is a
    # reset, which may overtake the answer.
    connections = []

    def serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(1000)
            connection.sendall(message(b"too big", "413 Too Large", "Connection: close"))
            connections.append(connection)

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        spec = LoadSpec(url=url, method="POST", data="x" * 30_000_000, number_of_requests=3, timeout=PATIENCE)
        run_load(spec, tmp_path)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for each in (listener, *connections):
            each.close()
    assert reasons(tmp_path) == {("413", ""): 3}


def test_the_guard_stops_a_run_and_marks_it_void(tmp_path):
    def answer(connection, request, number):
        time.sleep(0.05)
        connection.sendall(message())
        return True

    with serving(answer) as server:
        # Unhindered it would take four minutes.
        spec = LoadSpec(url=server.url, users=2, number_of_requests=10_000, duration=0.6, processes=2)
        stats = run_load(spec, tmp_path)
    assert stats.count < 10_000
    assert stats.count == len(rows_of(tmp_path))
    assert stats.void
    assert any(reason.startswith("duration:") for reason in stats.void_reasons)


def test_the_guard_stops_requests_under_way(tmp_path):
    over = threading.Event()

    def answer(connection, request, number):
        over.wait(PATIENCE)
        return False

    with serving(answer) as server:
        stats = run_load(LoadSpec(url=server.url, users=3, number_of_requests=3, duration=0.3), tmp_path)
        # Nothing but the guard can have ended it.
        assert not over.is_set()
        over.set()
    assert stats.count == 0
    assert stats.void
    assert rows_of(tmp_path) == []


def test_a_name_that_does_not_resolve(tmp_path):
    with pytest.raises(LoadError, match=r"can't resolve no-such-host\.invalid"):
        run_load(LoadSpec(url="http://no-such-host.invalid"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_calibration_file_that_is_none(tmp_path):
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"c\.json: calibration: found"):
        run_load(LoadSpec(url="http://127.0.0.1:1", calibration=tmp_path / "c.json"), tmp_path)


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadError, match="not a directory"):
        run_load(LoadSpec(url="http://127.0.0.1:1"), tmp_path / "file" / "out")


def fill(file):
    """Take what is left of the disk."""
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(b"x" * 512):
            pass


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_too_small_is_known_before_the_load(small_disk):
    with serving(says(message())) as server:
        with pytest.raises(LoadError, match=r"^disk full: "):
            run_load(LoadSpec(url=server.url, number_of_requests=5000), small_disk / "out")
        assert server.requests == []
    assert list((small_disk / "out").iterdir()) == []


def test_a_disk_that_fills_up_during_the_run(small_disk):
    # Rows longer than what was reserved for them.
    data = message(b"", "200 OK", "X-Replica-Id: " + "r" * 300)
    with serving(says(data)) as server:

        def answer(connection, request, number):
            if number == 10:
                fill(small_disk / "ballast")
            connection.sendall(data)
            return True

        server.answer = answer
        with pytest.raises(LoadError, match=r"^disk full: "):
            run_load(LoadSpec(url=server.url, number_of_requests=40), small_disk / "out")
        assert len(server.requests) == 40
    assert list((small_disk / "out").iterdir()) == []


def test_results_of_an_earlier_run_do_not_survive_a_failed_one(small_disk):
    with serving(says(message())) as server:
        run_load(LoadSpec(url=server.url, number_of_requests=5), small_disk / "out")
        with pytest.raises(LoadError):
            run_load(LoadSpec(url=server.url, number_of_requests=5000), small_disk / "out")
    assert list((small_disk / "out").iterdir()) == []
