"""Statistics and verdict."""

from __future__ import annotations

import os
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faas_exp.errors import LoadError
from faas_exp.load import LoadSpec, judge
from faas_exp.load.http1 import Head
from faas_exp.load.outcome import outcome
from faas_exp.load.reply import Reply
from faas_exp.load.rows import Rows, get, put
from faas_exp.load.stats import percentile

MS = 1_000_000


def facts(**changes):
    values = {
        "wall_ns": 10_000 * MS, "cpu_ns": 1000 * MS, "sched_wait_ns": 0, "issued": 4, "connections": 1, "resent": 0,
        "exhausted": 0, "capped": 0, "failure": "", "stopped": "", "locust": "2.0",
    }  # fmt: skip
    return {**values, **changes}


def reply(start_ms: float, took_ms: float, code: int = 200, *, error: str = "", replica: bytes = b"") -> Reply:
    start, end = int(start_ms * MS), int((start_ms + took_ms) * MS)
    if not code:
        return Reply.none(start, end, error)
    made = Reply(start, end, Head(b"HTTP/1.1 %d X\r\nX-Replica-Id: %b" % (code, replica)), b"", 3)
    made.user = 1
    return made


def rows(*replies: Reply) -> Rows:
    made = Rows()
    for one in replies:
        one.user = max(one.user, 0)
        made.add(one)
    return made


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.floats(0, 100))
def test_percentiles_are_numpys(values, percent):
    assert percentile(sorted(values), percent) == pytest.approx(np.percentile(values, percent), rel=1e-9, abs=1e-6)


def test_statistics_by_hand():
    made = rows(
        reply(0, 10, replica=b"a"),
        reply(5, 20, replica=b"a"),
        reply(10, 90, replica=b"b"),
        reply(200, 300, 500, replica=b"b"),
        reply(300, 700, 0, error="timed out"),
    )
    stats = outcome(LoadSpec(url="http://h", number_of_requests=5, users=2), made, [facts()], 5_000 * MS, None)
    assert (stats.count, stats.errors, stats.error_pct) == (5, 2, 40.0)
    assert stats.response_codes == {"0": 1, "200": 3, "500": 1}
    assert (stats.start_ms, stats.end_ms, stats.wall_s) == (5000.0, 6000.0, 1.0)
    assert stats.throughput == 3.0
    assert stats.elapsed_ms == {
        "min": 10.0, "mean": 40.0, "p50": 20.0, "p90": 76.0, "p95": 83.0, "p99": 88.6, "p99.9": 89.86, "max": 90.0,
    }  # fmt: skip
    assert stats.replicas == {"a": 2, "b": 2}
    assert not stats.void
    assert list(stats.to_dict())[:4] == ["count", "errors", "error_pct", "responseCodes"]


def test_rows_of_two_processes_are_merged_by_completion():
    one = rows(reply(0, 5, replica=b"x"), reply(6, 5, 0, error="timed out"))
    two = rows(reply(1, 3, 0, error="connection refused"), reply(5, 1, replica=b"y"))
    for made in (one, two):
        made.lag.append(7)
    merged = Rows()
    for made in (one, two):
        fd = os.memfd_create("test")
        merged.load(get(fd, put(made, fd)))
        os.close(fd)
    errors, replicas = list(merged.errors), list(merged.replicas)
    order = list(merged.order())
    assert [merged.end[i] // MS for i in order] == [4, 5, 6, 11]
    assert [errors[merged.error[i]] for i in order] == ["connection refused", "", "", "timed out"]
    assert [replicas[merged.replica[i]] for i in order] == [b"", b"x", b"y", b""]
    assert list(merged.lag) == [7, 7]
    shifted = Rows()
    shifted.load(one.dump(1), shift_ns=3)
    assert (list(shifted.start), list(shifted.end), list(shifted.lag)) == ([6 * MS + 3], [11 * MS + 3], [])


SPEC = LoadSpec(url="http://h", number_of_requests=1)


def verdict(made: Rows | None = None, *processes) -> list[str]:
    made = rows(reply(0, 10)) if made is None else made
    return outcome(SPEC, made, list(processes) or [facts()], 0, None).void_reasons


def lagging(milliseconds: float, count: int = 300, median: float = 10) -> Rows:
    made = rows(reply(0, median))
    made.lag = array("q", [0] * (count - count // 50) + [int(milliseconds * MS)] * (count // 50))
    return made


def test_cpu():
    assert verdict(None, facts(cpu_ns=7900 * MS), facts()) == []
    (reason,) = verdict(None, facts(), facts(cpu_ns=8100 * MS))
    assert reason == "generator: 81 % of a core used, more than 80 %: use more processes"
    # 100 ms of work: too short to tell.
    assert verdict(None, facts(wall_ns=100 * MS, cpu_ns=100 * MS)) == []
    assert verdict(None, facts(wall_ns=250 * MS, cpu_ns=250 * MS)) != []


def test_send_lag():
    # Median 10 ms: 5 % are 0.5 ms, and the floor of 1 ms holds.
    assert verdict(lagging(0.9)) == []
    assert verdict(lagging(1.1)) == ["generator: p99 of the send lag 1.100 ms, more than 1.000 ms"]
    # Median 100 ms: 5 ms.
    assert verdict(lagging(4.9, median=100)) == []
    assert len(verdict(lagging(5.1, median=100))) == 1
    # Fewer than 200: a single pause of the machine would decide.
    assert verdict(lagging(50, count=199)) == []
    nobody = rows(reply(0, 10, 500))
    nobody.lag = lagging(50).lag
    assert verdict(nobody) == []


def test_other_voids():
    assert verdict(Rows(), facts(stopped="duration")) == ["duration: stopped by the guard with 0 of 1 requests done"]
    assert "3 requests had no free local port" in verdict(None, facts(exhausted=3))[0]


def test_a_generator_that_failed_or_lost_count_is_no_run():
    with pytest.raises(LoadError, match="the load generator failed: KeyError: 5"):
        verdict(None, facts(failure="KeyError: 5"))
    with pytest.raises(LoadError, match="lost count: 2 rows of 1 requests"):
        verdict(rows(reply(0, 1), reply(0, 1)))


def test_spread():
    assert judge.spread_ms(array("q")) is None
    assert judge.spread_ms(array("q", [MS, 3 * MS, 2 * MS])) == {"p50": 2.0, "p99": 2.98, "max": 3.0}
