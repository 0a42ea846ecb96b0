"""The numbers of one run, against independent computations."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from analysis_trees import START, jmeter_run, own_run

from faas_exp.analysis.coldstart import cold_mask, first_responses
from faas_exp.analysis.measure import GRID, measure, quantile_of_sorted, thesis_throughput
from faas_exp.analysis.requests import Requests, read_requests
from faas_exp.analysis.timeline import SLOTS, slot_width, timeline


def requests(
    time: list[float],
    elapsed: list[float],
    *,
    success: list[bool] | None = None,
    replica: list[int] | None = None,
    started: list[float] | None = None,
) -> Requests:
    count = len(time)
    ok = np.array(success if success is not None else [True] * count)
    return Requests(
        np.array(time, float),
        np.array(elapsed, float),
        ok,
        ok,
        np.array(replica if replica is not None else [-1] * count),
        np.array(started if started is not None else [np.nan] * count, float),
        replicas=[f"r{i}" for i in range(10)],
    )


@pytest.mark.parametrize("count", [1, 2, 3, 10, 997])
def test_percentiles_agree_with_numpy(count: int) -> None:
    elapsed = np.random.default_rng(count).lognormal(2, 0.7, count)
    found = measure(requests(list(range(count)), elapsed.tolist()))
    for name, share in {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}.items():
        assert found.numbers[name] == pytest.approx(np.quantile(elapsed, share))
    assert found.quantiles is not None
    np.testing.assert_allclose(found.quantiles, np.quantile(elapsed, GRID))
    assert found.numbers["mean"] == pytest.approx(elapsed.mean())


def test_quantile_of_sorted_by_hand() -> None:
    # Type 7: position (n - 1) p; of 10, 20, 40 at p = 0.75 that is 1.5, halfway between 20 and 40.
    assert quantile_of_sorted(np.array([10.0, 20.0, 40.0]), np.array([0.75])).tolist() == [30.0]


def test_throughput_counts_successes_from_first_start_to_last_end() -> None:
    # The request that starts last does not end last.
    found = measure(requests([1000, 1500, 2000], [100, 2500, 300], success=[True, True, False])).numbers
    assert found["wall_s"] == 3.0
    assert found["throughput"] == pytest.approx(2 / 3.0)
    assert (found["count"], found["errors"], found["error_pct"]) == (3, 1, pytest.approx(100 / 3))
    assert (found["min"], found["max"], found["p50"]) == (100, 2500, 1300)


def test_a_run_without_a_success_has_no_times_but_a_throughput_of_zero() -> None:
    found = measure(requests([0, 10], [5, 5], success=[False, False]))
    assert math.isnan(found.numbers["p50"])
    assert math.isnan(found.numbers["mean"])
    assert found.quantiles is None
    assert found.numbers["throughput"] == 0
    assert found.numbers["error_pct"] == 100


def test_one_request_that_took_no_time_has_no_throughput() -> None:
    assert math.isnan(measure(requests([5], [0])).numbers["throughput"])


def thesis_reference(first: int, last: int, successes: int) -> float:
    """The thesis's arithmetic, done with dates: milliseconds printed behind a point and read as a fraction."""

    def date(ms: int) -> datetime:
        text = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return datetime.strptime(f"{text}.{ms % 1000}", "%Y-%m-%d %H:%M:%S.%f")

    interval = date(last) - date(first)
    return successes / (interval.seconds + interval.microseconds / 1e6)


@pytest.mark.parametrize(
    ("first", "last"), [(1000, 3500), (1007, 3045), (1999, 2001), (1050, 61_005), (999, 1_000_000)]
)
def test_thesis_throughput_with_its_way_of_reading_milliseconds(first: int, last: int) -> None:
    assert thesis_throughput(first, last, 100, 100) == pytest.approx(thesis_reference(first, last, 100))


def test_thesis_throughput_by_hand() -> None:
    # 1.007 s was read as 1.7 s and 3.045 s as 3.45 s: 1.75 s instead of 2.038 s.
    assert thesis_throughput(1007, 3045, 35, 40) == pytest.approx(35 / 1.75)
    assert math.isnan(thesis_throughput(1000, 1000, 1, 1))
    assert math.isnan(thesis_throughput(1000, 1000, 2, 2))


def test_thesis_response_time_is_of_code_200_and_its_own_throughput_of_starts(tmp_path: Path) -> None:
    jmeter_run(tmp_path, [10, 20, 30, 40], codes={3: "503"}, start=START, step=500)
    found = measure(read_requests(tmp_path / "summary.jtl"))
    assert found.numbers["thesis_res_time"] == 20
    assert found.numbers["thesis_throughput"] == pytest.approx(3 / 1.5)
    assert found.numbers["throughput"] == pytest.approx(3 / 1.54)
    assert found.whole_ms


def test_whole_milliseconds_are_noticed(tmp_path: Path) -> None:
    own_run(tmp_path, [1.25, 2.0])
    assert not measure(read_requests(tmp_path / "requests.csv")).whole_ms


def test_cold_are_those_that_waited_and_the_first_of_a_new_replica() -> None:
    # r0 was there before; r1 started at 50 while the request of 20 waited for it; r2 started at 200 and was then used.
    time = [0, 10, 20, 60, 250, 300]
    replica = [0, 0, 1, 1, 2, 2]
    started = [-1000, -1000, 50, 50, 200, 200]
    found = cold_mask(requests(time, [5, 5, 40, 5, 5, 5], replica=replica, started=started))
    assert found is not None
    assert found.tolist() == [False, False, True, False, True, False]


def test_everybody_who_waits_for_the_first_replica_is_cold() -> None:
    found = cold_mask(requests([0, 1, 2, 700], [600, 600, 600, 5], replica=[0] * 4, started=[500] * 4))
    assert found is not None
    assert found.tolist() == [True, True, True, False]


def test_without_start_times_nothing_is_said_about_cold() -> None:
    assert cold_mask(requests([0, 1], [5, 5])) is None
    first = first_responses(requests([0, 1], [5, 7]))
    assert first.cold_count is None
    assert first.first_response == 5


def test_first_responses_are_by_time_of_sending_not_by_the_order_of_the_file() -> None:
    first = first_responses(requests([30, 0, 10], [1, 900, 2], success=[True, False, True]))
    assert first.elapsed.tolist() == [900, 2, 1]
    assert first.offset_ms.tolist() == [0, 10, 30]
    # The first one failed: the first response that served anybody is the second.
    assert first.first_response == 2


def test_cold_responses_late_in_a_long_chunk_are_kept() -> None:
    count = 2000
    started = [-1.0] * count
    started[1500] = 1500.5
    first = first_responses(
        requests(list(range(count)), [3.0] * count, replica=[0] * 1500 + [1] * 500, started=started)
    )
    assert first.cold_count == 1
    assert len(first.rank) == 51
    assert first.offset_ms[first.cold].tolist() == [1500]


@pytest.mark.parametrize("wall", [0.0, 0.3, 1.0, 59.9, 120.0, 121.0, 4000.0, 1e6])
def test_slots_are_few_and_their_width_handy(wall: float) -> None:
    assert wall / slot_width(wall, 100_000) <= SLOTS
    assert wall / slot_width(wall, 100) <= 5
    assert slot_width(wall, 1) >= wall


def test_timeline_adds_up() -> None:
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0, 60_000, 3000))
    ok = rng.random(3000) > 0.1
    elapsed = rng.lognormal(2, 0.5, 3000)
    replica = (time > 30_000).astype(int) + rng.integers(0, 2, 3000)
    found = timeline(requests(time.tolist(), elapsed.tolist(), success=ok.tolist(), replica=replica.tolist()))
    assert found["count"].sum() == 3000
    assert found["errors"].sum() == (~ok).sum()
    width = found["width_s"][0]
    offset = (time - time[0]) / 1000
    for second, p50, p95, replicas in zip(found["second"], found["p50"], found["p95"], found["replicas"], strict=True):
        inside = (offset // width).astype(int) == round(second / width)
        good = np.sort(elapsed[inside & ok])
        assert p50 == pytest.approx(good[math.ceil(len(good) / 2) - 1])
        assert p95 == pytest.approx(good[math.ceil(len(good) * 0.95) - 1])
        assert replicas == len(set(replica[inside]))
