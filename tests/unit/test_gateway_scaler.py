"""The autoscaler's arithmetic, on a clock of our own."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

import pytest

from faas_exp.gateway.fleet import Alone
from faas_exp.gateway.metrics import Metrics
from faas_exp.gateway.model import FunctionSpec, FunctionState, InvalidFunctionError, ScaleRules
from faas_exp.gateway.provider import Provider
from faas_exp.gateway.routing import FunctionRoute, RouteTable
from faas_exp.gateway.scaler import Decision, RateWindow, Scaler
from faas_exp.gateway.settings import Settings


def function(wanted: int = 1, **labels: object) -> FunctionRoute:
    named = {f"com.openfaas.scale.{key.replace('_', '-')}": str(value) for key, value in labels.items()}
    return FunctionRoute(FunctionState(FunctionSpec("f", "i", labels=named), wanted), {})


def run(route: FunctionRoute, rates: list[float], settings: Settings | None = None) -> list[int]:
    """Replicas wanted after each second of the given successes per second; each decision is obeyed."""
    decision = Decision(settings or Settings())
    total = 0.0
    wanted = []
    for second, rate in enumerate(rates):
        total += rate
        route.wanted = decision.next(1000.0 + second, int(total), route)
        wanted.append(route.wanted)
    return wanted


def test_rate_is_over_the_whole_window() -> None:
    window = RateWindow(10)
    assert window.add(0, 0) == 0
    assert window.add(5, 100) == 10, "a window that is half full does not double the rate"
    assert window.add(10, 200) == 20
    assert window.add(15, 200) == 10
    assert window.add(20, 200) == 0


def test_steps_as_upstream_documents_them() -> None:
    # 20 % of 20 is 4 a step; the first after 5 s above 5/s, the next every 10 s.
    wanted = run(function(max=20, factor=20), [1000] * 60)
    assert wanted[4] == 1
    assert sorted(set(wanted)) == [1, 5, 9, 13, 17, 20]
    changes = [second for second in range(1, 60) if wanted[second] != wanted[second - 1]]
    assert [b - a for a, b in pairwise(changes)] == [10] * 4


def test_the_rate_counts_per_replica() -> None:
    # 30/s are 6 for each of five replicas, and 3.3 for each of nine.
    assert run(function(5, max=20), [30] * 60)[-1] == 9
    assert run(function(max=20), [200] * 40 + [30] * 60)[-1] > 9, "and not back, since one could not carry 30/s"


def test_below_the_target_nothing_happens() -> None:
    assert set(run(function(max=20), [5] * 60)) == {1}


def test_a_short_burst_is_no_reason() -> None:
    assert set(run(function(max=20), [0] * 20 + [30] + [0] * 40)) == {1}


def test_back_to_the_minimum_when_the_load_is_gone() -> None:
    wanted = run(function(2, min=2, max=20), [1000] * 30 + [0] * 40)
    drops = [(before, after) for before, after in pairwise(wanted) if after < before]
    assert drops == [(max(wanted), 2)], "in one go, as upstream's resolved alert does"
    assert wanted[-1] == 2


def test_requests_in_flight_keep_replicas() -> None:
    route = function(min=1, max=20)
    route.in_flight = 5
    wanted = run(route, [1000] * 30 + [0] * 60)
    assert wanted[-1] == max(wanted) > 1


def test_a_number_that_was_asked_for_stays() -> None:
    assert set(run(function(20, min=1, max=20), [0] * 60)) == {20}
    route = function(min=1, max=20)
    decision = Decision(Settings())
    total = 0
    for second in range(25):
        total += 1000
        route.wanted = decision.next(second, total, route)
    assert route.wanted > 1
    for second in range(25, 60):
        route.wanted = 7 if second == 50 else decision.next(second, total, route)
        total += 1000 if second < 45 else 0
    assert {decision.next(60 + second, total, route) for second in range(60)} == {7}


def test_what_a_former_leader_added_is_taken_away() -> None:
    """A new leader remembers nothing; the orchestrator does."""
    route = function(9, min=2, max=20)
    route.autoscaled = True
    assert run(route, [0] * 60)[-1] == 2
    route = function(9, min=2, max=20)
    route.autoscaled = True
    assert run(route, [40] * 60)[-1] == 9, "not while the minimum could not carry the load"


def test_other_targets() -> None:
    assert set(run(function(max=20, target=100), [90] * 60)) == {1}
    assert run(function(max=20, target=100), [110] * 60)[-1] == 5
    assert run(function(max=20, target=100, target_proportion=0.5), [60] * 60)[-1] == 5
    assert run(function(max=20), [30] * 60, Settings(autoscale_target=50))[-1] == 1


@pytest.mark.parametrize("labels", [{"min": 3, "max": 3}, {"max": 20, "factor": 0}])
def test_switched_off(labels: dict[str, int]) -> None:
    assert set(run(function(3, **labels), [1000] * 60)) == {3}


def test_zero_is_left_alone() -> None:
    assert set(run(function(0, max=20), [1000] * 60)) == {0}


def test_above_the_maximum_by_hand_is_left_alone_under_load() -> None:
    assert set(run(function(30, max=20), [1000] * 60)) == {30}


def test_labels() -> None:
    assert ScaleRules.from_labels({}) == ScaleRules(1, 20, 20, False, None, None)
    assert ScaleRules.from_labels({"com.openfaas.scale.min": "30"}).maximum == 30
    assert ScaleRules.from_labels({"com.openfaas.scale.min": "0"}).minimum == 0
    full = {"min": "2", "max": "4", "factor": "50", "zero": "TRUE", "zero-duration": "15m", "target": "10"}
    rules = ScaleRules.from_labels({f"com.openfaas.scale.{key}": value for key, value in full.items()})
    assert rules == ScaleRules(2, 4, 50, True, 900.0, 10.0)
    with pytest.raises(InvalidFunctionError, match=r"at most com\.openfaas\.scale\.max, which is 4"):
        ScaleRules.from_labels({"com.openfaas.scale.min": "5", "com.openfaas.scale.max": "4"})


def test_waking_is_asked_for_once() -> None:
    """However many requests wait, and however long the orchestrator takes."""
    asked: list[tuple[str, int]] = []

    class Slow:
        fleet = Alone()

        async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
            asked.append((name, replicas))
            await asyncio.sleep(0.05)

    async def scenario() -> None:
        sleeping = function(0, min=3, max=5)
        scaler = Scaler(Settings(), cast(Provider, Slow()), RouteTable(), Metrics())
        for _ in range(10):
            assert scaler.needs_replica(sleeping) == ""
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.1)
        assert asked == [("f", 3)]
        assert scaler.needs_replica(function(1)) == ""
        await asyncio.sleep(0)
        assert asked == [("f", 3)], "one that has replicas on their way is not asked for"
        await scaler.close()

    asyncio.run(scenario())
