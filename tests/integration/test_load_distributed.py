"""Load from several generators: real processes on 127.0.0.1, one of them with a clock of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from load_server import free_port, late, message, says, serving
from test_load_run import rows_of, stats_of

import faas_exp
from faas_exp.errors import ConfigError, LoadError
from faas_exp.load import Fleet, GeneratorLost, LoadSpec, run_load

# What a shared and busy machine may take; nothing waits that long when all is well.
PATIENCE = 120.0
CLOCK_AHEAD = 4321


@dataclass
class Machines:
    """Generators as other machines would have them."""

    folder: Path
    port: int = field(default_factory=free_port)
    started: dict[str, subprocess.Popen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = self.folder / "key"
        self.key.write_text(secrets.token_hex(32))

    def start(self, name: str, *, before: tuple[str, ...] = (), key: Path | None = None, **environment: str) -> None:
        command = [*before, sys.executable, "-m", "faas_exp.load.generator", "--name", name, "--master", "127.0.0.1"]
        command += ["--port", str(self.port), "--key-file", str(key or self.key)]
        self.started[name] = subprocess.Popen(command, env={**os.environ, **environment})

    def kill(self, name: str) -> None:
        self.started[name].kill()
        self.started.pop(name).wait()

    def fleet(self, *names: str, **change) -> Fleet:
        given = {"bind": "127.0.0.1", "port": self.port, "key_file": self.key, "ready_timeout": PATIENCE, **change}
        return Fleet(names=names, **given)


@pytest.fixture
def machines(tmp_path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    try:
        yield made
    finally:
        for name in list(made.started):
            made.kill(name)


def exact(folder: Path, spec: LoadSpec) -> dict:
    """What must hold for every run of several generators; its statistics."""
    rows, stats = rows_of(folder), stats_of(folder)
    assert len(rows) == stats["count"] == spec.number_of_requests
    assert sum(one["requests"] for one in stats["generators"]) == spec.number_of_requests
    assert sum(one["users"] for one in stats["generators"]) == stats["users"] == spec.users
    assert {int(row["user"]) for row in rows} <= set(range(spec.users))
    ends = [float(row["timeStamp"]) + float(row["elapsed"]) for row in rows]
    assert all(a <= b + 0.002 for a, b in pairwise(ends))
    assert sorted(path.name for path in folder.iterdir()) == ["requests.csv", "stats.json"]
    return stats


@pytest.mark.parametrize(
    ("names", "users", "count", "processes", "rate"),
    [
        (("g1", "g2"), 5, 1003, 1, None),
        (("g1", "g2", "g3"), 7, 500, 1, None),
        (("g1", "g2"), 5, 301, 2, None),
        (("g1", "g2"), 2, 1, 1, None),
        (("g1", "g2"), 20, 401, 1, 400.0),
    ],
)
def test_exactly_n_requests_from_all_together(tmp_path, machines, names, users, count, processes, rate):
    for name in names[1:]:
        machines.start(name)
    with serving(late(0.002)) as server:
        spec = LoadSpec(
            url=server.url, users=users, number_of_requests=count, processes=processes, rate=rate, headers={"X-A": "b"}
        )
        run_load(spec, tmp_path / "out", machines.fleet(*names))
        assert len(server.requests) == count
        assert server.most_at_once <= users
        assert all(b"X-A: b" in request for request in server.requests)
    stats = exact(tmp_path / "out", spec)
    assert [one["name"] for one in stats["generators"]] == list(names)
    shares = [one["users"] for one in stats["generators"]]
    assert max(shares) - min(shares) <= 1
    if count >= users:
        rows = rows_of(tmp_path / "out")
        # A user without a number of its own would leave one out. (An open loop need not need all of its users.)
        assert rate is not None or {int(row["user"]) for row in rows} == set(range(users))
    if rate is None and processes == 1:
        for one in stats["generators"]:
            assert abs(one["requests"] - count * one["users"] / users) < 1
    for one in stats["generators"][1:]:
        for reading in one["clock"].values():
            assert abs(reading["offset_ms"]) <= reading["uncertainty_ms"] + 0.001


def test_an_open_loop_keeps_one_schedule(tmp_path, machines):
    """Every n-th arrival of the schedule that one machine alone would keep."""
    machines.start("g2")
    with serving(says(message())) as server:
        spec = LoadSpec(url=server.url, users=10, number_of_requests=201, rate=200.0, arrivals="poisson", seed=4)
        run_load(spec, tmp_path / "two", machines.fleet("g1", "g2"))
        run_load(spec, tmp_path / "one")
    exact(tmp_path / "two", spec)
    gaps = []
    for folder in ("one", "two"):
        starts = sorted(float(row["timeStamp"]) for row in rows_of(tmp_path / folder))
        gaps.append([at - starts[0] for at in starts])
    # Time stamps of an open loop are the intended ones; the clocks are compared to within the limit of 5 ms.
    assert gaps[1] == pytest.approx(gaps[0], abs=5.1)


def test_the_next_run_finds_the_same_generators(tmp_path, machines):
    machines.start("g2")
    pid = machines.started["g2"].pid
    with serving(says(message())) as server:
        for number in ("1", "2", "3"):
            spec = LoadSpec(url=server.url, users=2, number_of_requests=50)
            run_load(spec, tmp_path / number, machines.fleet("g1", "g2"))
            exact(tmp_path / number, spec)
    assert machines.started["g2"].poll() is None
    assert machines.started["g2"].pid == pid


def test_a_generator_that_is_not_asked_has_no_part(tmp_path, machines):
    for name in ("g2", "g3"):
        machines.start(name)
    with serving(says(message())) as server:
        spec = LoadSpec(url=server.url, users=6, number_of_requests=120)
        run_load(spec, tmp_path / "out", machines.fleet("g1", "g3"))
    stats = exact(tmp_path / "out", spec)
    assert [one["name"] for one in stats["generators"]] == ["g1", "g3"]


def test_one_generator_is_a_run_as_ever(tmp_path, machines):
    with serving(says(message())) as server:
        stats = run_load(LoadSpec(url=server.url, number_of_requests=9), tmp_path / "out", machines.fleet("g1"))
    assert stats.generators == []
    assert len(rows_of(tmp_path / "out")) == 9


def test_clocks_that_differ_are_put_together(tmp_path, machines):
    """The other machine's monotonic clock is more than an hour ahead: a time namespace of Linux."""
    ahead = ("unshare", "--time", "--fork", "--kill-child", "--monotonic", str(CLOCK_AHEAD))
    if subprocess.run([*ahead, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel lets us have no time namespace: clocks that differ were NOT tested")
    machines.start("g2", before=ahead)
    begun = time.time() * 1000
    with serving(late(0.002)) as server:
        spec = LoadSpec(url=server.url, users=4, number_of_requests=400)
        run_load(spec, tmp_path / "out", machines.fleet("g1", "g2"))
    over = time.time() * 1000
    stats = exact(tmp_path / "out", spec)
    other = stats["generators"][1]
    for reading in other["clock"].values():
        assert abs(reading["offset_ms"] - CLOCK_AHEAD * 1000) <= reading["uncertainty_ms"] + 0.001
        assert reading["uncertainty_ms"] <= 5
        assert abs(reading["wall_offset_ms"]) < 1000
    rows = rows_of(tmp_path / "out")
    assert all(begun <= float(row["timeStamp"]) <= over for row in rows)
    by_user = {number: [float(r["timeStamp"]) for r in rows if int(r["user"]) == number] for number in range(4)}
    # Users 0 and 1 are the first machine's, 2 and 3 the second's: all began together.
    firsts = [min(times) for times in by_user.values()]
    assert max(firsts) - min(firsts) < over - begun
    assert not [reason for reason in stats["void_reasons"] if "clock" in reason]


def held() -> tuple[threading.Event, object]:
    """An answer that does not come before the event: the run can't be over by then, however quick the machine."""
    release = threading.Event()

    def answer(connection, _request, _number):
        release.wait(PATIENCE)
        connection.sendall(message())
        return True

    return release, answer


@contextmanager
def in_background(spec: LoadSpec, folder: Path, fleet: Fleet) -> Iterator[list[BaseException]]:
    """A run in a thread; what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            run_load(spec, folder, fleet)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_generator_lost_in_mid_run(tmp_path, machines, comes_back):
    machines.start("g2")
    release, answer = held()
    with serving(answer) as server:
        spec = LoadSpec(url=server.url, users=4, number_of_requests=1000)
        with in_background(spec, tmp_path / "out", machines.fleet("g1", "g2")) as raised:
            until(lambda: len(server.requests) == 4, "all users wait for an answer")
            machines.kill("g2")
            if comes_back:
                machines.start("g2")
            until(lambda: raised, "the loss is seen")
        release.set()
        assert isinstance(raised[0], GeneratorLost)
        why = "it has begun anew" if comes_back else "no heartbeat for 10 s"
        assert str(raised[0]).startswith(f"load generator g2 was lost in mid-run: {why}")
        assert list((tmp_path / "out").iterdir()) == []
        # The same again is a run.
        if not comes_back:
            machines.start("g2")
        again = LoadSpec(url=server.url, users=4, number_of_requests=100)
        run_load(again, tmp_path / "out", machines.fleet("g1", "g2"))
    exact(tmp_path / "out", again)


# Whoever started the tests in the background may have had Ctrl-C ignored, for them and all their children.
RUN = """
import signal
import sys
from pathlib import Path
from faas_exp.load import Fleet, LoadSpec, run_load
signal.signal(signal.SIGINT, signal.default_int_handler)
url, folder, port, key = sys.argv[1:]
fleet = Fleet(names=("g1", "g2"), bind="127.0.0.1", port=int(port), key_file=Path(key), ready_timeout=120)
run_load(LoadSpec(url=url, users=4, number_of_requests=10_000_000), Path(folder), fleet)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_load_ends_on_all_machines_with_the_run(tmp_path, machines, number):
    machines.start("g2")
    with serving(late(0.002)) as server:
        command = [sys.executable, "-c", RUN, server.url, str(tmp_path / "out"), str(machines.port), str(machines.key)]
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until(lambda: len(server.requests) > 20, "the load is on")
            run.send_signal(number)
            run.wait(PATIENCE)
            until(lambda: not server._connections, "nobody sends any more")
        finally:
            run.kill()
            run.wait()
        seen = len(server.requests)
        spec = LoadSpec(url=server.url, users=2, number_of_requests=30)
        run_load(spec, tmp_path / "next", machines.fleet("g1", "g2"))
        assert len(server.requests) == seen + 30
    exact(tmp_path / "next", spec)


def test_the_guard_ends_a_run_everywhere(tmp_path, machines):
    machines.start("g2")
    with serving(late(0.005)) as server:
        spec = LoadSpec(url=server.url, users=4, number_of_requests=1_000_000, duration=0.5)
        stats = run_load(spec, tmp_path / "out", machines.fleet("g1", "g2"))
    assert stats.void
    assert stats.void_reasons[0].startswith(f"duration: stopped by the guard with {stats.count} of 1000000")
    assert stats.count == len(rows_of(tmp_path / "out")) == sum(one["requests"] for one in stats.generators)


def test_a_generator_without_the_key_is_kept_out(tmp_path, machines):
    other = tmp_path / "other"
    other.write_text(secrets.token_hex(32))
    machines.start("g2", key=other)
    with serving(says(message())) as server, pytest.raises(LoadError) as caught:
        spec = LoadSpec(url=server.url, users=2, number_of_requests=10)
        run_load(spec, tmp_path / "out", machines.fleet("g1", "g2", ready_timeout=8))
    said = str(caught.value)
    assert "reported within 8 s, missing: " in said
    assert "g2" in said.partition("missing: ")[2]
    assert server.requests == []


def test_other_versions_are_refused(tmp_path, machines):
    package = tmp_path / "elsewhere" / "faas_exp"
    shutil.copytree(Path(faas_exp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "load" / "pacing.py").open("a") as file:
        file.write("# another version\n")
    machines.start("g2", PYTHONPATH=str(package.parent))
    with serving(says(message())) as server, pytest.raises(LoadError) as caught:
        spec = LoadSpec(url=server.url, users=2, number_of_requests=10)
        run_load(spec, tmp_path / "out", machines.fleet("g1", "g2"))
    said = str(caught.value)
    assert said.startswith("load generator g2: versions must be equal on all generators, found code ")
    assert "\n" not in said
    assert server.requests == []


def test_a_clock_that_can_not_be_compared_is_refused(tmp_path, machines):
    machines.start("g2")
    with serving(says(message())) as server, pytest.raises(LoadError) as caught:
        spec = LoadSpec(url=server.url, users=2, number_of_requests=10)
        run_load(spec, tmp_path / "out", machines.fleet("g1", "g2", max_uncertainty_ms=1e-6))
    assert str(caught.value).startswith("load generator g2: its clock is known to ")
    assert server.requests == []


def test_not_more_generators_than_users(tmp_path, machines):
    with pytest.raises(ConfigError, match=r"generators: found 3, allowed: no more than users \(2\)"):
        run_load(LoadSpec(url="http://127.0.0.1:9", users=2), tmp_path, machines.fleet("g1", "g2", "g3"))


def test_a_port_in_use_is_one_line(tmp_path, machines):
    with serving(says(message())) as server, pytest.raises(LoadError) as caught:
        spec = LoadSpec(url=server.url, users=2)
        run_load(spec, tmp_path, machines.fleet("g1", "g2", port=server.port))
    assert str(caught.value) == f"load: can't listen on 127.0.0.1, port {server.port}: address already in use"
