"""Several load generators: who does how much, whose clock says what, which machine is to blame."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

import pytest
from experimentfiles import write_experiment

from faas_exp.errors import ConfigError, LoadError
from faas_exp.load import Fleet, LoadSpec, judge
from faas_exp.load.clock import Comparison, Exchange, Reading, read
from faas_exp.load.fleet import compare_versions, process_count, split, versions
from faas_exp.load.key import read_key
from faas_exp.load.outcome import together
from faas_exp.load.rows import Rows
from faas_exp.planning import prepare

MS = 1_000_000


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10, [1, 1], [5, 5]),
        (11, [1, 1], [6, 5]),
        (1003, [3, 2], [602, 401]),
        (1, [2, 2, 1], [1, 0, 0]),
        (0, [1, 2], [0, 0]),
        (7, [5, 0, 2], [5, 0, 2]),
        (10**9, [1, 1, 1], [333333334, 333333333, 333333333]),
    ],
)
def test_a_split_is_exact(total, weights, parts):
    assert split(total, weights) == parts
    assert sum(parts) == total


@pytest.mark.parametrize("generators", [1, 2, 3, 7])
@pytest.mark.parametrize("users", [7, 15, 50])
@pytest.mark.parametrize("total", [1, 49, 35_000])
def test_requests_follow_users(generators, users, total):
    shares = split(users, [1] * generators)
    assert sum(shares) == users
    assert max(shares) - min(shares) <= 1
    requests = split(total, shares)
    assert sum(requests) == total
    assert all(abs(part - total * share / users) < 1 for part, share in zip(requests, shares, strict=True))


def test_processes_of_a_machine():
    assert process_count(3, 2, 8) == 2
    assert process_count("auto", 100, 16) == 4
    assert process_count("auto", 1000, 8) == 4
    assert process_count("auto", 1, 1) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ()}, "load run: generators.names: found [], allowed: at least one name, each once"),
        ({"names": ("a", "a")}, "load run: generators.names: found ['a', 'a'], allowed: at least one name, each once"),
        ({"port": 0}, "load run: generators.port: found 0, allowed: a whole number from 1 to 65535"),
    ],
)
def test_bad_fleets(change, said):
    with pytest.raises(ConfigError) as caught:
        Fleet(**{"names": ("a", "b"), "bind": "127.0.0.1", "key_file": Path("k"), **change})
    assert str(caught.value) == said


def test_not_more_generators_than_users():
    fleet = Fleet(names=("a", "b", "c"), bind="127.0.0.1", key_file=Path("k"))
    fleet.check(LoadSpec(url="http://h", users=3))
    with pytest.raises(ConfigError) as caught:
        fleet.check(LoadSpec(url="http://h", users=2))
    assert str(caught.value) == "load run: generators: found 3, allowed: no more than users (2)"
    assert fleet.limited_to(2).names == ("a", "b")
    assert Fleet.from_json(fleet.to_json()) == fleet


def test_versions_must_be_equal():
    here = versions()
    compare_versions("g2", dict(here), here)
    with pytest.raises(LoadError) as caught:
        compare_versions("g2", {**here, "locust": "1.0"}, here)
    assert f"g2: versions must be equal on all generators, found locust 1.0 (here {here['locust']})" in str(
        caught.value
    )
    with pytest.raises(LoadError):
        compare_versions("g2", {}, here)


def exchange(at: int, offset: int, out: int, back: int) -> Exchange:
    """An exchange with a clock that is ``offset`` ahead, over a way that takes ``out`` there and ``back`` back."""
    there = at + out + offset
    return Exchange(at, there, there + 10, at + out + 10 + back)


def test_a_clock_is_read_by_the_quickest_exchange():
    true = 5_000 * MS
    exchanges = [exchange(0, true, 9 * MS, MS), exchange(MS, true, MS, MS), exchange(2 * MS, true, MS, 30 * MS)]
    reading = read(exchanges)
    assert reading.offset == true
    assert reading.round_trip == 2 * MS
    for one in exchanges:
        assert abs(one.offset - true) <= one.round_trip / 2


def comparison(before: int, after: int, seconds: int = 100, round_trip: int = 0) -> Comparison:
    return Comparison(Reading(10**9, before, round_trip, 0), Reading(10**9 + seconds * 10**9, after, round_trip, 0))


def test_times_of_another_clock_on_this_one():
    steady = comparison(-7 * 10**9, -7 * 10**9)
    assert steady.to_here(3 * 10**9) == 10 * 10**9
    drifting = comparison(1000 * MS, 1010 * MS)
    assert drifting.to_here(10**9 + 1000 * MS) == 10**9
    half_way = 51 * 10**9
    assert drifting.to_here(half_way + 1005 * MS) == pytest.approx(half_way, abs=1000)
    assert drifting.to_here(101 * 10**9 + 1010 * MS) == pytest.approx(101 * 10**9, abs=1000)


def test_a_clock_that_runs_off():
    assert comparison(0, 90 * MS).ran_off() is None
    assert comparison(0, 110 * MS).ran_off() == 110
    assert comparison(0, -110 * MS).ran_off() == 110
    # What the readings themselves may be wrong by is not held against the clock.
    assert comparison(0, 110 * MS, round_trip=20 * MS).ran_off() is None


def rows(starts: list[int], took: int) -> Rows:
    made = Rows()
    for name in ("size", "replica_start"):
        getattr(made, name).extend([0] * len(starts))
    for name in ("code", "user", "error", "replica"):
        getattr(made, name).extend([0] * len(starts))
    made.start.extend(starts)
    made.end.extend(at + took for at in starts)
    return made


def test_rows_of_two_machines_are_merged_in_order_of_time():
    merged = Rows()
    merged.load(rows([10**9, 3 * 10**9], MS).dump())
    other = comparison(500 * 10**9, 500 * 10**9 + 10 * MS)
    merged.load(rows([502 * 10**9, 504 * 10**9], 2 * MS).dump(), clock=other.to_here)
    order = list(merged.order())
    assert order == [0, 2, 1, 3]
    assert [merged.start[i] // 10**8 for i in order] == [10, 19, 30, 39]
    # A duration is what one clock measured, whatever the two clocks do.
    assert [merged.end[i] - merged.start[i] for i in order] == [MS, 2 * MS, MS, 2 * MS]


def process(name: str, **change) -> dict:
    usual = {"wall_ns": 10**9, "cpu_ns": 3 * 10**8, "stopped": "", "exhausted": 0, "generator": name}
    return {**usual, **change}


def machine(name: str, **change) -> dict:
    lag = {"p50": 0.01, "p99": 0.2, "max": 0.5}
    return {"name": name, "lags": 1000, "send_lag_ms": lag, "ran_off_ms": None, **change}


@pytest.mark.parametrize(
    ("processes", "change", "reasons"),
    [
        ({}, {}, []),
        (
            {"cpu_ns": 9 * 10**8},
            {},
            ["generator g2: 90 % of a core used, more than 80 %: use more processes"],
        ),
        (
            {},
            {"send_lag_ms": {"p50": 0.1, "p99": 7.5, "max": 9.0}},
            ["generator g2: p99 of the send lag 7.500 ms, more than 1.000 ms"],
        ),
        ({}, {"send_lag_ms": {"p50": 0.1, "p99": 7.5, "max": 9.0}, "lags": 20}, []),
        ({"exhausted": 3}, {}, ["generator g2: 3 requests had no free local port, socket or buffer"]),
        ({}, {"ran_off_ms": 12.0}, ["generator g2: its clock ran off by 12.000 ms during the run"]),
        ({"stopped": "duration"}, {}, ["duration: stopped by the guard with 90 of 100 requests done"]),
    ],
)
def test_the_verdict_names_the_machine(processes, change, reasons):
    facts = [process("g1"), process("g2"), process("g2", **processes)]
    assert judge.machine_reasons(facts, [machine("g1"), machine("g2", **change)], 4.0, 100, 90) == reasons


def test_calibrations_together():
    one = {"ceiling_rps": 1000.0, "cpu_us": 30.0, "floor_p50_ms": 0.1, "floor_p99_ms": 0.3, "machine": {"cpus": 2}}
    two = {**one, "ceiling_rps": 500.5, "floor_p99_ms": 0.4, "cpu_us": 20.0}
    both = together([{"calibration": one}, {"calibration": two}])
    assert both == {**one, "ceiling_rps": 1500.5, "floor_p99_ms": 0.4, "generators": 2}
    assert together([{"calibration": one}, {"calibration": None}]) is None


def test_the_key(tmp_path):
    file = tmp_path / "key"
    with pytest.raises(LoadError, match="can't be read: No such file"):
        read_key(file)
    for wrong in ("", "zz" * 32, "ab" * 31):
        file.write_text(wrong)
        with pytest.raises(LoadError, match="allowed: the load generators' key, 64 hexadecimal digits"):
            read_key(file)
    file.write_text(os.urandom(32).hex() + "\n")
    assert len(read_key(file)) == 40


def test_an_experiment_has_no_more_generators_than_users(tmp_path):
    file = write_experiment(
        tmp_path,
        """
        experiment: {number_of_runs: 1, replicas: [1], concurrency: [5, 20]}
        functions:
          - {name: a, yaml_path: a.yml, api: {uri: a}}
        """,
        "a",
    )
    assert prepare(file, "swarm", tmp_path / "tree").notes == []
    shared = prepare(file, "swarm", tmp_path / "tree", load_generators=6)
    assert shared.notes == ["cases of 1 user use 1 of 6 load generators", "cases of 5 users use 5 of 6 load generators"]
    for count in (0, 21):
        with pytest.raises(ConfigError) as caught:
            prepare(file, "swarm", tmp_path / "tree", load_generators=count)
        assert str(caught.value) == (
            f"inputs: load_generator_count: found {count}, allowed: 1 to 20, the users of the largest case"
        )


def test_lags_come_with_the_first_piece_only():
    made = rows([0, 1, 2], 1)
    made.lag = array("q", [5, 6])
    pieces = [made.dump(0, 2), made.dump(2, 3)]
    assert [len(piece["columns"]["lag"]) for piece in pieces] == [16, 0]
