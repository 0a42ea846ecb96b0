"""Open loop: requests start by the schedule, and what they wait for is part of their latency."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from load_server import message, refusing, says, serving
from test_load_run import rows_of

from faas_exp.load import LoadSpec, run_load


def stalling(after: int, seconds: float):
    """Answers at once, but for one pause in which nobody is answered, begun by request number ``after``."""
    over = threading.Event()
    begun = threading.Event()

    def answer(connection, request, number):
        if number == after:
            begun.set()
            time.sleep(seconds)
            over.set()
        elif begun.is_set():
            over.wait(120)
        connection.sendall(message())
        return True

    return answer


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stall_is_seen_in_full(tmp_path, processes):
    """One second of stall at 200 requests per second over 5 seconds: 200 of the 1,000 requests wait, from 1 s down to
    0. Their 99th percentile is that of all: 1 % of 1,000 is the 10 worst, which waited 950 ms or more."""
    with serving(stalling(300, 1.0)) as server:
        # As many users as requests: however slow the machine, none has to wait for a user.
        spec = LoadSpec(url=server.url, users=1000, rate=200, number_of_requests=1000, processes=processes)
        stats = run_load(spec, tmp_path)
    assert stats.count == 1000
    assert stats.errors == 0
    # A busy machine may add to this, not take away.
    assert stats.elapsed_ms["p99"] > 940
    assert sum(float(row["elapsed"]) > 100 for row in rows_of(tmp_path)) >= 175
    assert stats.generator.capped == 0


def test_a_stall_is_seen_in_full_with_too_few_users(tmp_path):
    """Ten users are all stuck; the requests that could not be sent count from when they should have been."""
    with serving(stalling(300, 1.0)) as server:
        stats = run_load(LoadSpec(url=server.url, users=10, rate=200, number_of_requests=1000), tmp_path)
    assert stats.elapsed_ms["p99"] > 940
    assert server.most_at_once <= 10
    assert stats.generator.capped > 150


def test_the_schedule_is_kept(tmp_path):
    with serving(says(message())) as server:
        stats = run_load(LoadSpec(url=server.url, users=20, rate=500, number_of_requests=1000), tmp_path)
    starts = np.sort([float(row["timeStamp"]) for row in rows_of(tmp_path)])
    # Intended starts: two milliseconds apart to the microsecond that the file shows.
    assert np.diff(starts) == pytest.approx(2.0, abs=0.0021)
    assert stats.rate == 500
    assert stats.wall_s > 1.99


def test_poisson_arrivals_are_reproducible_and_have_the_rate(tmp_path):
    def gaps(seed, processes=1):
        spec = LoadSpec(
            url=server.url,
            users=50,
            rate=1000,
            arrivals="poisson",
            number_of_requests=1500,
            seed=seed,
            processes=processes,
        )
        run_load(spec, tmp_path)
        return np.diff(np.sort([float(row["timeStamp"]) for row in rows_of(tmp_path)]))

    with serving(says(message())) as server:
        one, same, other = gaps(1), gaps(1, processes=2), gaps(2)
    assert one == pytest.approx(same, abs=0.0021)
    assert not np.allclose(one, other, atol=0.01)
    # Exponential: mean and standard deviation are both 1 ms (standard error 2.6 %).
    assert one.mean() == pytest.approx(1.0, rel=0.15)
    assert one.std() == pytest.approx(1.0, rel=0.2)


def test_few_connections_when_few_are_needed(tmp_path):
    with serving(says(message())) as server:
        stats = run_load(LoadSpec(url=server.url, users=100, rate=5, number_of_requests=15), tmp_path)
    # One is enough, unless an answer takes 200 ms; whoever takes the users in turn opens fifteen.
    assert stats.generator.connections < 15


def test_the_guard_stops_an_open_loop(tmp_path):
    with serving(says(message())) as server:
        spec = LoadSpec(url=server.url, users=5, rate=50, number_of_requests=1000, duration=0.5, processes=2)
        stats = run_load(spec, tmp_path)
    assert stats.count < 1000
    assert stats.void_reasons[0].startswith("duration:")


def test_a_server_that_is_down_is_asked_at_the_rate(tmp_path):
    with refusing() as url:
        stats = run_load(LoadSpec(url=url, users=5, rate=100, number_of_requests=50), tmp_path)
    assert stats.response_codes == {"0": 50}
    assert stats.wall_s > 0.48
