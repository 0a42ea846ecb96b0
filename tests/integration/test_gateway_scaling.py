"""Autoscaling and scale to zero by labels, with short times so that a test can wait for them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest
from gateway_tools import RunningGateway, load, running_gateway, until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    env = {
        "autoscale_window": "2s",
        "autoscale_for": "1s",
        "autoscale_interval": "1s",
        "inactivity_duration": "2s",
    }
    with running_gateway(tmp_path_factory.mktemp("gateway"), **env) as running:
        yield running


def steps(gateway: RunningGateway, name: str) -> list[tuple[int, int, str]]:
    events = [json.loads(line) for line in gateway.log.splitlines() if '"scaled"' in line]
    return [(e["before"], e["replicas"], e["why"]) for e in events if e["function"] == name and "before" in e]


def test_up_by_steps_and_down_when_the_load_is_gone(gateway: RunningGateway) -> None:
    gateway.deploy("elastic", min=1, max=8, factor=25)
    gateway.deploy("fixed", min=1, max=1)
    gateway.deploy("without-factor", min=1, max=8, factor=0)
    with (
        load(gateway, "/function/elastic", 4) as first,
        load(gateway, "/function/fixed", 2) as second,
        load(gateway, "/function/without-factor", 2) as third,
    ):
        until(lambda: gateway.function("elastic")["replicas"] == 8, 30)
        gateway.wait_available("elastic", 8)
    assert [run.results.keys() for run in (first, second, third)] == [{200}] * 3
    until(lambda: gateway.function("elastic")["replicas"] == 1, 15)
    # 25 % of 8 is 2 at a time, and the last step ends at the maximum.
    moves = [(before, after) for before, after, _ in steps(gateway, "elastic")]
    assert moves == [(1, 3), (3, 5), (5, 7), (7, 8), (8, 1)]
    assert steps(gateway, "fixed") == []
    assert steps(gateway, "without-factor") == []
    for name in ("elastic", "fixed", "without-factor"):
        gateway.delete(name)


def test_a_number_that_was_asked_for_stays(gateway: RunningGateway) -> None:
    gateway.deploy("asked", min=1, max=8)
    gateway.scale("asked", 4)
    gateway.wait_available("asked", 4)
    time.sleep(5)
    assert gateway.function("asked")["replicas"] == 4
    gateway.delete("asked")


def test_failures_are_no_reason_to_scale_up(gateway: RunningGateway) -> None:
    gateway.deploy("broken", min=1, max=8)
    with load(gateway, "/function/broken?status=500", 4) as run:
        time.sleep(5)
    assert run.results.keys() == {500}
    assert steps(gateway, "broken") == []
    gateway.delete("broken")


def test_idle_functions_sleep_only_by_label(gateway: RunningGateway) -> None:
    gateway.deploy("sleeper", min=1, max=1, labels={"com.openfaas.scale.zero": "true"})
    gateway.deploy("long-sleeper", labels={"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "1h"})
    gateway.deploy("awake", labels={"com.openfaas.scale.zero": "false"})
    gateway.deploy("silent")
    # A request that takes longer than the idle time is use, and so are many short ones.
    long_one: list[object] = []

    def outlast() -> None:
        status = gateway.call("GET", "/function/sleeper?sleep=6").status
        long_one.extend((status, steps(gateway, "sleeper")))

    with load(gateway, "/function/sleeper?sleep=0.2", 4) as used:
        until(lambda: used.total > 10, 5)
        # On a slow machine it has slept before the first of them.
        earlier = steps(gateway, "sleeper")
        thread = threading.Thread(target=outlast)
        thread.start()
        time.sleep(3)
    thread.join()
    assert used.results.keys() == {200}
    assert long_one == [200, earlier]
    until(lambda: gateway.function("sleeper")["replicas"] == 0, 10)
    gateway.wait_available("sleeper", 0)
    assert [gateway.function(name)["replicas"] for name in ("long-sleeper", "awake", "silent")] == [1, 1, 1]
    before = time.time()
    answer = gateway.call("POST", "/function/sleeper", b"wake")
    assert (answer.status, answer.json()["body"]) == (200, "wake")
    assert float(answer.headers["x-duration-seconds"]) > 0.02
    # A clock that counts in whole ticks may be a moment behind.
    assert int(answer.headers["x-replica-start-time"]) / 1000 > before - 1, "a cold start"
    for name in ("sleeper", "long-sleeper", "awake", "silent"):
        gateway.delete(name)


def test_waking_goes_to_the_minimum(gateway: RunningGateway) -> None:
    gateway.deploy("three", wait=3, min=3, max=5, labels={"com.openfaas.scale.zero": "true"})
    until(lambda: gateway.function("three")["replicas"] == 0, 10)
    assert gateway.call("GET", "/function/three").status == 200
    assert gateway.function("three")["replicas"] == 3
    gateway.delete("three")
