"""Replicas: none of them lost a request that it need not lose, whatever happens to them."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_tools import PATIENCE, RunningGateway, load, replica_pids, running_gateway, until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    env = {
        "ready_timeout": "20s",
        "write_timeout": "10s",
        "autoscale": "false",
        "stop_timeout": "2s",
        "health_interval": "500ms",
    }
    with running_gateway(tmp_path_factory.mktemp("gateway"), **env) as running:
        yield running


def test_load_is_spread(gateway: RunningGateway) -> None:
    gateway.deploy("spread", min=4, max=4, wait=4)
    with load(gateway, "/function/spread?sleep=0.02", users=8) as run:
        until(lambda: run.total > 500, 5)
    assert run.results.keys() == {200}
    assert len(run.replicas) == 4
    counts = run.replicas.values()
    assert max(counts) < 1.25 * min(counts), run.replicas
    gateway.delete("spread")


def test_a_busy_replica_gets_no_more(gateway: RunningGateway) -> None:
    gateway.deploy("busy", min=2, max=2, wait=2)
    with socket.create_connection((gateway.info.host, gateway.info.port)) as slow:
        slow.sendall(b"GET /function/busy?sleep=9 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: gateway.metric("gateway_requests_in_flight") == 1, 5)
        served = Counter(gateway.call("GET", "/function/busy").headers["x-replica-id"] for _ in range(20))
        assert len(served) == 1, served
    gateway.delete("busy")


def test_scaling_down_under_load_loses_nothing(gateway: RunningGateway) -> None:
    # The function does not care for its requests when it is told to end: it is the gateway that waits for them.
    gateway.deploy("shrink", min=6, max=6, wait=6, envVars={"ABRUPT": "1"})
    with load(gateway, "/function/shrink?sleep=0.05", users=12) as run:
        for replicas in (2, 5, 1, 3):
            time.sleep(0.5)
            gateway.scale("shrink", replicas)
            gateway.wait_available("shrink", replicas)
        until(lambda: len(replica_pids(gateway, "shrink")) == 3, 10)
        until(lambda: run.total > 100, 5)
    assert run.results.keys() == {200}, run.results
    gateway.delete("shrink")


def test_a_long_request_outlives_the_scaling_down(gateway: RunningGateway) -> None:
    gateway.deploy("long", min=2, max=2, wait=2, envVars={"ABRUPT": "1"})
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(gateway.call("GET", "/function/long?sleep=6").status))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until(lambda: gateway.metric("gateway_requests_in_flight") == 2, 5)
    gateway.scale("long", 0)
    gateway.wait_available("long", 0)
    for thread in threads:
        thread.join()
    assert answers == [200, 200]
    until(lambda: not replica_pids(gateway, "long"), 5)
    gateway.delete("long")


def test_an_update_under_load_loses_nothing(gateway: RunningGateway) -> None:
    gateway.deploy("rolling", min=3, max=3, wait=3, envVars={"V": "1", "ABRUPT": "1"})
    before = set(replica_pids(gateway, "rolling"))
    with load(gateway, "/function/rolling?sleep=0.02", users=6) as run:
        time.sleep(0.3)
        gateway.deploy("rolling", min=3, max=3, wait=None, method="PUT", envVars={"V": "2"})

        available: list[int] = []

        def replaced() -> bool:
            available.append(gateway.function("rolling")["availableReplicas"])
            return len(pids := set(replica_pids(gateway, "rolling"))) == 3 and not pids & before

        until(replaced, 20)
        time.sleep(0.3)
    assert run.results.keys() == {200}, run.results
    assert min(available) >= 3, "an old one goes when a new one is ready"
    gateway.wait_available("rolling", 3)
    # Other labels alone do not replace replicas.
    pids = replica_pids(gateway, "rolling")
    gateway.deploy("rolling", min=3, max=5, wait=None, method="PUT", envVars={"V": "2"})
    time.sleep(0.5)
    assert replica_pids(gateway, "rolling") == pids
    gateway.delete("rolling")


def test_a_killed_replica_is_replaced_and_costs_only_what_it_had(gateway: RunningGateway) -> None:
    gateway.deploy("killed", min=4, max=4, wait=4)
    with load(gateway, "/function/killed?sleep=0.05", users=8) as run:
        for number in range(1, 6):
            until(lambda enough=60 * number: run.results[200] > enough, 5)  # type: ignore[misc]
            pids = replica_pids(gateway, "killed")
            os.kill(pids[sorted(pids)[0]], signal.SIGKILL)
        gateway.wait_available("killed", 4)
    # Two requests per replica are in flight: a kill may cost those, and the client must see it.
    assert run.results.keys() <= {200, 502}, run.results
    assert 1 <= run.results[502] <= 5 * 3, run.results
    assert "was killed by signal 9" in gateway.log
    gateway.delete("killed")


def test_requests_that_find_no_living_replica_wait_for_one(gateway: RunningGateway) -> None:
    gateway.deploy("alone", min=1, max=1)
    assert gateway.call("GET", "/function/alone").status == 200
    for _ in range(3):
        pid = next(iter(replica_pids(gateway, "alone").values()))
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: pid not in replica_pids(gateway, "alone").values(), 5)  # type: ignore[misc]
        time.sleep(0.05)  # the connection's end has arrived: nothing is sent into it
        assert gateway.call("GET", "/function/alone").status == 200
    gateway.delete("alone")


def test_a_function_that_dies_in_a_request(gateway: RunningGateway) -> None:
    gateway.deploy("dying", min=1, max=1)
    answer = gateway.call("GET", "/function/dying?die=3")
    assert answer.status == 502
    assert "dying" in answer.text
    until(lambda: "exited with code 3" in gateway.log, 5)
    assert gateway.call("GET", "/function/dying").status == 200
    gateway.delete("dying")


def test_a_slow_function_is_cut_off(gateway: RunningGateway) -> None:
    gateway.deploy("slow", min=1, max=1, envVars={"exec_timeout": "500ms"})
    began = time.monotonic()
    answer = gateway.call("GET", "/function/slow?sleep=20")
    assert (answer.status, "slow" in answer.text) == (504, True)
    assert time.monotonic() - began > 0.4
    # The function was told: its connection is gone, it is free again.
    log = next((gateway.info.state_dir / "logs" / "slow").glob("*.log"))
    assert gateway.call("GET", "/function/slow").status == 200
    assert log.exists()
    gateway.delete("slow")


def test_a_function_may_take_its_time_with_a_large_body(gateway: RunningGateway) -> None:
    gateway.deploy("reader")
    body = b"x" * 30_000_000
    answer = gateway.call("POST", "/function/reader?hold=7", body, timeout=60)
    assert (answer.status, len(answer.json()["body"])) == (200, len(body))
    gateway.delete("reader")


def test_a_crash_loop_backs_off(gateway: RunningGateway) -> None:
    gateway.deploy("looping", wait=None, min=5, max=5, envVars={"FAIL": "9"})

    def deaths() -> int:
        return sum('"replica died"' in line and '"looping"' in line for line in gateway.log.splitlines())

    time.sleep(4)
    assert deaths() <= 12
    until(lambda: deaths() >= 3, 4)
    assert len(list((gateway.info.state_dir / "logs" / "looping").glob("*.log"))) <= 7
    gateway.delete("looping")
    until(lambda: not replica_pids(gateway, "looping"), 5)


def test_nobody_gets_ready_in_time(tmp_path: Path) -> None:
    with running_gateway(tmp_path, ready_timeout="1s") as gateway:
        gateway.deploy("never", wait=None, envVars={"START_DELAY": "60"})
        began = time.monotonic()
        answer = gateway.call("POST", "/function/never", b"x")
        assert answer.status == 503
        assert "never" in answer.text
        assert time.monotonic() - began > 0.9
        assert gateway.metric("gateway_requests_waiting") == 0


def test_from_zero_under_load(gateway: RunningGateway) -> None:
    gateway.deploy("zero", min=1, max=20)
    for replicas in (20, 1, 0):
        gateway.scale("zero", replicas)
        gateway.wait_available("zero", replicas, timeout=60)
    until(lambda: not replica_pids(gateway, "zero"), 10)
    answers: list[dict[str, object]] = []

    def one() -> None:
        answer = gateway.call("POST", "/function/zero", b"x" * 100_000)
        answers.append({"status": answer.status, "body": len(answer.json()["body"])})

    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"status": 200, "body": 100_000}] * 50
    scaled = [json.loads(line) for line in gateway.log.splitlines() if '"zero"' in line and '"scaled"' in line]
    assert [e["replicas"] for e in scaled if e["why"] == "called at zero"] == [1], "once for all fifty"
    gateway.delete("zero")


def test_scale_from_zero_can_be_switched_off(tmp_path: Path) -> None:
    with running_gateway(tmp_path, scale_from_zero="false") as gateway:
        gateway.deploy("asleep")
        gateway.scale("asleep", 0)
        gateway.wait_available("asleep", 0)
        answer = gateway.call("POST", "/function/asleep", b"")
        assert (answer.status, "scale_from_zero" in answer.text) == (503, True)


def test_deleted_and_deployed_anew_at_once(gateway: RunningGateway) -> None:
    for round_ in range(5):
        gateway.deploy("phoenix", wait=None, envVars={"ROUND": str(round_)})
        assert gateway.call("POST", "/function/phoenix", b"x").status == 200
        gateway.delete("phoenix")
    until(lambda: not replica_pids(gateway, "phoenix"), 10)


def test_deleting_while_requests_wait(gateway: RunningGateway) -> None:
    gateway.deploy("doomed", wait=None, envVars={"START_DELAY": "30"})
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(gateway.call("GET", "/function/doomed").status))
    thread.start()
    until(lambda: gateway.metric("gateway_requests_waiting") == 1, 5)
    gateway.delete("doomed")
    thread.join(PATIENCE)
    assert answers == [404]
    until(lambda: not replica_pids(gateway, "doomed"), 5)


def test_a_replica_that_hangs_is_replaced(gateway: RunningGateway) -> None:
    gateway.deploy("hanging")
    pid = next(iter(replica_pids(gateway, "hanging").values()))
    os.kill(pid, signal.SIGSTOP)
    until(lambda: pid not in replica_pids(gateway, "hanging").values(), 30)
    assert gateway.call("GET", "/function/hanging").status == 200
    assert "replica unhealthy" in gateway.log
    gateway.delete("hanging")
