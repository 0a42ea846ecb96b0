"""Locust's side: its own command line, its distributed mode, its event contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from load_server import free_port, late, message, says, serving
from test_load_run import rows_of

import faas_exp.load

LOCUSTFILE = Path(faas_exp.load.__file__).parent / "locustfile.py"


def locust(*arguments: str, locustfile: Path = LOCUSTFILE, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def spec_file(folder: Path, **fields) -> str:
    (folder / "spec.json").write_text(json.dumps(fields))
    return f"@{folder / 'spec.json'}"


def test_a_plain_locust_command(tmp_path):
    with serving(says(message(b"", "500 No"))) as server:
        spec = spec_file(tmp_path, url=server.url, number_of_requests=301, param=[1, 9])
        popen = locust("-u", "7", "-r", "7", "--faas-spec", spec, "--faas-out", str(tmp_path / "out"))
        said, _ = popen.communicate(timeout=120)
    # Failed requests are data here, so the exit code is 0, which it would not be with Locust's default.
    assert popen.returncode == 0, said
    assert len(rows_of(tmp_path / "out")) == len(server.requests) == 301
    assert "301" in said


def test_distributed_over_two_workers(tmp_path):
    port = str(free_port())
    with serving(late(0.001)) as server:
        spec = spec_file(tmp_path, url=server.url, number_of_requests=503, headers={"X-A": "b"}, label="f")
        out = tmp_path / "out"
        master = locust(
            "-u", "5", "-r", "5", "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
            "--expect-workers", "2", "--faas-spec", spec, "--faas-out", str(out),
        )  # fmt: skip
        where = ("--master-host", "127.0.0.1", "--master-port", port)
        workers = [locust("--worker", *where) for _ in range(2)]
        try:
            said, _ = master.communicate(timeout=120)
            for worker in workers:
                worker.communicate(timeout=120)
        finally:
            for popen in (master, *workers):
                popen.kill()
                popen.communicate()
    assert master.returncode == 0, said
    rows = rows_of(out)
    assert len(rows) == len(server.requests) == 503
    assert len({row["user"] for row in rows}) == 5
    assert all(b"X-A: b" in request for request in server.requests)
    assert json.loads((out / "stats.json").read_text())["processes"] == 2


def test_a_worker_that_dies_ends_the_distributed_run(tmp_path):
    port = str(free_port())
    with serving(late(0.01)) as server:
        spec = spec_file(tmp_path, url=server.url, number_of_requests=100_000)
        master = locust(
            "-u", "4", "-r", "4", "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
            "--expect-workers", "2", "--faas-spec", spec, "--faas-out", str(tmp_path / "out"),
        )  # fmt: skip
        where = ("--master-host", "127.0.0.1", "--master-port", port)
        workers = [locust("--worker", *where) for _ in range(2)]
        try:
            deadline = time.monotonic() + 120
            while len(server.requests) < 20 and time.monotonic() < deadline:
                time.sleep(0.05)
            workers[0].kill()
            said, _ = master.communicate(timeout=120)
        finally:
            for popen in (master, *workers):
                popen.kill()
                popen.communicate()
    assert master.returncode == 1, said
    assert "a Locust worker is gone" in said
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--faas-spec", '{"url": "ftp://x"}'], "load run: url: found 'ftp://x'"),
        (["--faas-spec", "@no-such-file"], "No such file"),
        (["--faas-spec", '{"urll": 1}'], "urll"),
        ([], "--faas-spec is needed"),
    ],
)
def test_a_bad_spec_is_one_line(tmp_path, arguments, said):
    popen = locust(*arguments, cwd=tmp_path)
    output, _ = popen.communicate(timeout=120)
    assert popen.returncode != 0
    assert said in output.splitlines()[-1]


PLUGIN = """
import json, os, sys
sys.path.insert(0, os.path.dirname(os.environ["OURS"]))
from locust import events
from faas_exp.load.locustfile import *

@events.request.add_listener
def listen(request_type, name, response_time, response_length, response, context, exception, start_time, url, **kw):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps([
            request_type, name, response_time, response_length, response.status_code, response.text,
            response.headers.get("x-replica-id"), context, repr(exception), start_time, url, sorted(kw),
        ]) + "\\n")
"""


def test_other_plugins_get_the_request_event(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)

    def answer(connection, request, number):
        kind = number % 3
        if kind < 2:
            status, more = (("200 OK", "X-A: b"), ("404 No", "Connection: close"))[kind]
            connection.sendall(message(b"body", status, "X-Replica-Id: r1", more))
        return kind == 0

    with serving(answer) as server:
        spec = spec_file(tmp_path, url=server.url, path="/f", number_of_requests=6, label="mine")
        environment = {**os.environ, "SEEN": str(tmp_path / "seen"), "OURS": str(LOCUSTFILE)}
        popen = locust(
            "-u", "1", "--faas-spec", spec, "--faas-out", str(tmp_path / "out"),
            locustfile=tmp_path / "mine.py", env=environment,
        )  # fmt: skip
        said, _ = popen.communicate(timeout=120)
    assert popen.returncode == 0, said
    seen = [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]
    rows = rows_of(tmp_path / "out")
    assert len(seen) == len(rows) == 6
    for event, row in zip(seen, rows, strict=True):
        assert event[:2] == ["GET", "mine"]
        assert event[2] == pytest.approx(float(row["elapsed"]), abs=0.001)
        assert event[9] * 1000 == pytest.approx(float(row["timeStamp"]), abs=0.01)
        assert event[4] == int(row["responseCode"])
        assert event[10] == f"{server.url}/f"
        assert event[7] == {}
    good, missing, dropped = seen[:3]
    assert (good[3], good[5], good[6], good[8]) == (4, "body", "r1", "None")
    assert missing[8] == "HttpError('HTTP 404')"
    assert dropped[8] == "NoAnswer('closed without an answer')"
