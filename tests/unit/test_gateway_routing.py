"""Who gets the next request."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import monotonic

import pytest

from faas_exp.gateway.model import FunctionSpec, FunctionState, Replica
from faas_exp.gateway.routing import FunctionRoute, RouteTable

SPEC = FunctionSpec("f", "image")


def state(*names: str, draining: tuple[str, ...] = (), wanted: int | None = None) -> FunctionState:
    replicas = tuple(Replica(name, "127.0.0.1", 1, 0, name in draining) for name in names)
    return FunctionState(SPEC, len(names) if wanted is None else wanted, replicas)


def route(table: RouteTable) -> FunctionRoute:
    return table.functions[b"f"]


@pytest.fixture
def table() -> RouteTable:
    table = RouteTable()
    table.apply("f", state("a", "b", "c"))
    return table


def test_equal_replicas_take_turns(table: RouteTable) -> None:
    picked = [route(table).pick() for _ in range(9)]
    assert Counter(r.id for r in picked if r) == {"a": 3, "b": 3, "c": 3}
    assert [r.id for r in picked[:3] if r] != [r.id for r in picked[1:4] if r]


def test_the_least_busy_is_picked(table: RouteTable) -> None:
    for replica, load in zip(route(table).replicas, (2, 1, 3), strict=True):
        replica.in_flight = load
    for _ in range(5):
        picked = route(table).pick()
        assert picked is not None
        assert picked.id == "b"


def test_load_evens_out(table: RouteTable) -> None:
    for _ in range(31):
        picked = route(table).pick()
        assert picked is not None
        picked.in_flight += 1
    assert sorted(r.in_flight for r in route(table).replicas) == [10, 10, 11]


def test_draining_and_suspect_replicas_are_passed_over(table: RouteTable) -> None:
    table.apply("f", state("a", "b", "c", draining=("b",)))
    route(table).replicas[0].suspect_until = monotonic() + 60
    assert {r.id for r in (route(table).pick() for _ in range(6)) if r} == {"c"}
    route(table).replicas[0].suspect_until = monotonic() - 1
    assert {r.id for r in (route(table).pick() for _ in range(6)) if r} == {"a", "c"}


@pytest.mark.parametrize("replicas", [("a",), ("a", "b")])
def test_nobody_to_pick(replicas: tuple[str, ...]) -> None:
    table = RouteTable()
    table.apply("f", state(*replicas, draining=replicas))
    assert route(table).pick() is None
    table.apply("f", state())
    assert route(table).pick() is None
    table.apply("f", state(*replicas))
    for replica in route(table).replicas:
        replica.suspect_until = monotonic() + 60
    assert route(table).pick() is None


def test_a_replica_keeps_its_count_over_changes(table: RouteTable) -> None:
    route(table).replicas[1].in_flight = 5
    table.apply("f", state("b", "d"))
    assert [(r.id, r.in_flight) for r in route(table).replicas] == [("b", 5), ("d", 0)]
    assert table.in_flight("b") == 5
    assert table.in_flight("a") == 0


def test_draining_ends_with_the_last_request(table: RouteTable) -> None:
    async def scenario() -> None:
        busy = route(table).replicas[0]
        busy.in_flight = 2
        table.apply("f", state("a", "b", "c", draining=("a", "b")))
        assert await table.drained("b", 1), "it has none"
        assert not await table.drained("a", 0.01)
        busy.release()
        assert not await table.drained("a", 0.01)
        busy.release()
        assert await table.drained("a", 1)
        assert await table.drained("unknown", 1)

    asyncio.run(scenario())


def test_draining_goes_on_after_deletion(table: RouteTable) -> None:
    async def scenario() -> None:
        function = route(table)
        busy = function.replicas[0]
        busy.in_flight = 1
        table.apply("f", None)
        assert function.deleted
        assert b"f" not in table.functions
        assert await table.drained("b", 1)
        assert not await table.drained("a", 0.01)
        busy.release()
        assert await table.drained("a", 1)

    asyncio.run(scenario())


class Waiter:
    def __init__(self, name: str, woken: list[str]) -> None:
        self.name = name
        self.woken = woken

    def wake(self) -> None:
        self.woken.append(self.name)


def test_waiting_requests_are_woken_in_order_by_a_new_replica(table: RouteTable) -> None:
    woken: list[str] = []
    table.apply("f", state())
    waiters = [Waiter(name, woken) for name in "xyz"]
    for waiter in waiters:
        route(table).wait(waiter)
    route(table).forget(waiters[1])
    assert route(table).waiting == 2
    table.apply("f", state(wanted=1))
    assert woken == []
    table.apply("f", state("n"))
    assert woken == ["x", "z"]
    assert route(table).waiting == 0


def test_looking_again_is_done_once_for_all(table: RouteTable) -> None:
    """With a timer of its own for each request the timers would multiply at every round."""

    async def scenario() -> None:
        rounds: list[str] = []
        function = route(table)

        class Stubborn(Waiter):
            def wake(self) -> None:
                super().wake()
                if len(self.woken) < 1000:
                    function.wait(self)
                    function.wake_soon()

        for name in "xyz":
            function.wait(Stubborn(name, rounds))
            function.wake_soon()
        await asyncio.sleep(0.28)
        assert 3 * 2 <= len(rounds) <= 3 * 5, rounds

    asyncio.run(scenario())


def test_waiting_requests_are_woken_by_deletion(table: RouteTable) -> None:
    woken: list[str] = []
    route(table).wait(Waiter("x", woken))
    table.apply("f", None)
    assert woken == ["x"]
