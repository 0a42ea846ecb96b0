"""A load run against a real server: how many requests, which bytes, what is written."""

from __future__ import annotations

import csv
import json
import re
import threading
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from load_server import message, says, serving

from faas_exp.load import LoadSpec, run_load

COLUMNS = [
    "timeStamp",
    "elapsed",
    "label",
    "responseCode",
    "responseMessage",
    "success",
    "bytes",
    "user",
    "replica",
    "replicaStart",
]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "requests.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stats_of(folder: Path) -> dict:
    return json.loads((folder / "stats.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("users", "processes", "count"),
    [
        (1, 1, 1),
        (1, 1, 250),
        (7, 1, 1000),
        (50, 1, 49),
        (50, 1, 2003),
        (2, 2, 1001),
        (7, 3, 500),
        (50, 2, 2003),
        (3, 8, 100),
        (20, 4, 3),
        (9, "auto", 333),
    ],
)
@pytest.mark.parametrize("rate", [None, 2000.0])
def test_exactly_n_rows_and_requests(tmp_path, users, processes, count, rate):
    with serving(says(message())) as server:
        spec = LoadSpec(
            url=server.url, users=users, processes=processes, number_of_requests=count, rate=rate, seed=3, label="f"
        )
        stats = run_load(spec, tmp_path)
    rows = rows_of(tmp_path)
    assert len(server.requests) == count
    assert len(rows) == stats.count == count
    assert stats.errors == 0
    assert stats.response_codes == {"200": count}
    assert {int(row["user"]) for row in rows} <= set(range(users))
    assert server.most_at_once <= users
    assert sorted(path.name for path in tmp_path.iterdir()) == ["requests.csv", "stats.json"]


def test_all_users_work_from_the_start(tmp_path):
    with serving(says(message())) as server:
        run_load(LoadSpec(url=server.url, users=30, number_of_requests=3000), tmp_path)
    rows = rows_of(tmp_path)
    first = sorted(rows, key=lambda row: float(row["timeStamp"]))[:30]
    assert {int(row["user"]) for row in first} == set(range(30))
    assert server.accepted == 30


def test_files_are_as_the_contract_says(tmp_path):
    head = ("X-Replica-Id: web, 2", "X-Replica-Start-Time: 1700000000123")
    with serving(says(message(b"12345", "200 OK", *head))) as server:
        stats = run_load(LoadSpec(url=server.url, users=4, number_of_requests=400, label='a "b", c'), tmp_path)
    rows = rows_of(tmp_path)
    assert list(rows[0]) == COLUMNS
    ends = []
    for row in rows:
        assert re.fullmatch(r"\d{13}\.\d{3}", row["timeStamp"])
        assert re.fullmatch(r"\d+\.\d{3}", row["elapsed"])
        assert row["label"] == 'a "b", c'
        assert (row["responseCode"], row["responseMessage"], row["success"]) == ("200", "", "true")
        assert (row["bytes"], row["replica"], row["replicaStart"]) == ("5", "web, 2", "1700000000123")
        ends.append(float(row["timeStamp"]) + float(row["elapsed"]))
    # In order of completion, up to the rounding of the two columns.
    assert all(b - a > -0.002 for a, b in pairwise(ends))
    written = stats_of(tmp_path)
    assert written == stats.to_dict()
    assert written["replicas"] == {"web, 2": 400}
    assert written["start_ms"] == min(float(row["timeStamp"]) for row in rows)
    assert written["end_ms"] == pytest.approx(max(ends), abs=0.002)
    assert set(written) == {
        "count", "errors", "error_pct", "responseCodes", "elapsed_ms", "throughput", "start_ms", "end_ms", "wall_s",
        "users", "processes", "rate", "void", "void_reasons", "generator", "replicas", "generators",
    }  # fmt: skip
    assert {"cpu_pct", "send_lag_ms", "python", "locust", "calibration"} <= set(written["generator"])


def test_statistics_are_those_of_the_rows(tmp_path):
    def answer(connection, request, number):
        status = "503 Busy" if number % 10 == 0 else "200 OK"
        connection.sendall(message(b"x" * (number % 7), status))
        return True

    with serving(answer) as server:
        stats = run_load(LoadSpec(url=server.url, users=5, number_of_requests=1000, processes=2), tmp_path)
    rows = rows_of(tmp_path)
    good = np.array([float(row["elapsed"]) for row in rows if row["success"] == "true"])
    assert len(good) == 900
    assert stats.errors == 100
    assert stats.error_pct == 10.0
    assert stats.response_codes == {"200": 900, "503": 100}
    for name, percent in {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99.9": 99.9, "min": 0, "max": 100}.items():
        assert stats.elapsed_ms[name] == pytest.approx(np.percentile(good, percent), abs=1e-6)
    assert stats.elapsed_ms["mean"] == pytest.approx(good.mean(), abs=1e-6)
    assert stats.throughput == pytest.approx(900 / stats.wall_s, rel=1e-6)


def test_parameters_are_in_range_and_reproducible_per_user(tmp_path):
    def sequences(processes: int, seed: int) -> dict[str, list[str]]:
        """Per user, what it sent: the server tells the row by way of the replica's name."""
        # However the processes are scheduled: the first 48 requests are twelve of each user.
        together = threading.Barrier(4, timeout=120)

        def answer(connection, request, number):
            if number < 48:
                together.wait()
            param = parse_qs(urlsplit(request.split(b" ", 2)[1].decode()).query)["param"][0]
            connection.sendall(message(b"", "200 OK", f"X-Replica-Id: {param}"))
            return True

        with serving(answer) as server:
            spec = LoadSpec(
                url=server.url,
                path="/f?a=b",
                users=4,
                processes=processes,
                number_of_requests=400,
                param=(5, 60),
                seed=seed,
            )
            run_load(spec, tmp_path)
            assert all(b"/f?a=b&param=" in request for request in server.requests)
        found: dict[str, list[str]] = {}
        for row in rows_of(tmp_path):
            found.setdefault(row["user"], []).append(row["replica"])
        return found

    one, two, other = sequences(1, 1), sequences(2, 1), sequences(1, 2)
    values = {int(value) for sequence in one.values() for value in sequence}
    assert min(values) == 5
    assert max(values) == 60
    for user in one:
        common = min(len(one[user]), len(two[user]))
        assert common > 10
        assert one[user][:common] == two[user][:common]
        assert one[user][:10] != other[user][:10]
    assert one["0"][:10] != one["1"][:10]


def test_request_bytes(tmp_path):
    with serving(says(message())) as server:
        spec = LoadSpec(
            url=server.url,
            path="/function/f ü?q=ä",
            method="post",
            data="schön 🙂",
            headers={"Authorization": "Basic xyz", "X-Test": "ü"},
            http_host="gateway.openfaas.local",
        )
        run_load(spec, tmp_path)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /function/f%20%C3%BC?q=%C3%A4 HTTP/1.1"
    assert body == "schön 🙂".encode()
    assert b"Content-Length: %d" % len("schön 🙂".encode()) in lines
    assert b"Host: gateway.openfaas.local" in lines
    assert b"Authorization: Basic xyz" in lines
    assert "X-Test: ü".encode() in lines
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1


def test_credentials_are_in_no_file_and_on_no_command_line(tmp_path):
    seen = set()

    def answer(connection, request, number):
        for entry in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    if b"very-secret" in (entry / name).read_bytes():
                        seen.add((entry.name, name))
                except OSError:
                    continue
        connection.sendall(message())
        return True

    with serving(answer) as server:
        run_load(LoadSpec(url=server.url, headers={"Authorization": "very-secret"}), tmp_path)
    assert b"very-secret" in server.requests[0]
    assert not seen
    assert not any("very-secret" in path.read_text() for path in tmp_path.iterdir())


def test_large_bodies_both_ways(tmp_path):
    big = b"0123456789abcdef" * 200_000
    with serving(says(message(big))) as server:
        stats = run_load(LoadSpec(url=server.url, method="POST", data=big, users=2, number_of_requests=6), tmp_path)
    assert stats.errors == 0
    assert {row["bytes"] for row in rows_of(tmp_path)} == {str(len(big))}
    assert all(request.endswith(big) for request in server.requests)


def test_head_requests_have_no_body_to_wait_for(tmp_path):
    with serving(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as server:
        stats = run_load(LoadSpec(url=server.url, method="HEAD", number_of_requests=20, timeout=5), tmp_path)
    assert stats.errors == 0
    assert server.accepted == 1


def test_a_name_is_resolved_and_sent_as_host(tmp_path):
    with serving(says(message())) as server:
        stats = run_load(LoadSpec(url=f"http://localhost:{server.port}/"), tmp_path)
    assert stats.errors == 0
    assert f"Host: localhost:{server.port}\r\n".encode() in server.requests[0]


def test_a_second_run_replaces_the_first(tmp_path):
    with serving(says(message())) as server:
        run_load(LoadSpec(url=server.url, number_of_requests=10), tmp_path)
        run_load(LoadSpec(url=server.url, number_of_requests=3), tmp_path)
    assert len(rows_of(tmp_path)) == 3
    assert stats_of(tmp_path)["count"] == 3


def test_short_runs_are_not_judged(tmp_path):
    with serving(says(message())) as server:
        stats = run_load(LoadSpec(url=server.url, users=20, number_of_requests=40), tmp_path)
    assert not stats.generator.judged
    assert not stats.void
