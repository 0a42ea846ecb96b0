"""The master of a run on several machines: a Locust master, told what to do over standard input by ``run_load``.

Speaks lines of JSON. In: the job. Out: ``{"done": …}`` or ``{"failed": …}``; the rows, put on this machine's clock, go
into a descriptor it inherited.
"""

from __future__ import annotations

import locust  # isort: skip  (patches the standard library; must come before anything that holds on to it)

import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter_ns, time_ns
from types import SimpleNamespace
from typing import Any

import locust.runners
from gevent.event import Event
from locust.env import Environment

from faas_exp.errors import FaasExpError, LoadError
from faas_exp.load import fleet, generator
from faas_exp.load.clock import Comparison, Exchange, Reading, read
from faas_exp.load.judge import spread_ms
from faas_exp.load.key import read_key
from faas_exp.load.orphan import die_with_parent
from faas_exp.load.pipe import lines, say
from faas_exp.load.rows import Rows, put
from faas_exp.load.secure import use_key
from faas_exp.load.spec import LoadSpec
from faas_exp.load.user import FunctionUser

# Exchanges per reading of a clock, and how long to go on while they are not good enough, s.
_EXCHANGES = 16
_CLOCK_PATIENCE = 5.0
# From the word to the start: all have heard it by then.
_LEAD_NS = 200_000_000
_LOOK = 0.25


@dataclass
class Member:
    """One load process, on whichever machine."""

    client: str
    name: str
    process: int
    hello: dict[str, Any]
    users: int | None = None
    facts: dict[str, Any] | None = None
    reported: bool = False
    dumps: list[dict[str, Any]] = field(default_factory=list)


class Master:
    """Gathers the generators, compares clocks, lets them go together, collects."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.spec = LoadSpec.from_json(job["spec"])
        self.fleet = fleet.Fleet.from_json(job["fleet"])
        self.versions = fleet.versions()
        self.members: dict[str, Member] = {}
        self.processes: dict[str, int] = {}
        self.changed = Event()
        self.problem: LoadError | None = None
        self.complete = False
        self.exchanges: list[Exchange] = []
        use_key(read_key(self.fleet.key_file))
        locust.runners.HEARTBEAT_LIVENESS = fleet.LIVENESS
        self.environment = Environment(user_classes=[FunctionUser], host=self.spec.url)
        self.runner = self.environment.create_master_runner(self.fleet.bind, self.fleet.port)
        for name, listener in (
            (fleet.HELLO, self._on_hello),
            (fleet.CLOCK, self._on_clock),
            (fleet.READY, self._on_ready),
            (fleet.FINISHED, self._on_finished),
            (fleet.ROWS, self._on_rows),
            (fleet.REPORTED, self._on_reported),
        ):
            self.runner.register_message(name, listener)
        where = SimpleNamespace(master=self.fleet.bind, port=self.fleet.port, key_file=self.fleet.key_file)
        self.own: subprocess.Popen[bytes] = generator.start(where, self.fleet.names[0])

    def run(self) -> dict[str, Any]:
        """The run, from gathering to the last row."""
        self._gather()
        self._spawn_users()
        before = self._read_clocks()
        self._refuse(before)
        wall_ns_at_zero = self._go(before)
        everyone = self.members.values()
        self._wait(lambda: all(member.facts is not None for member in everyone))
        after = self._read_clocks()
        for member in everyone:
            self.runner.send_message(fleet.REPORT, {}, member.client)
        self._wait(lambda: all(member.reported for member in everyone))
        clocks = {name: Comparison(before[name], after[name]) for name in self.fleet.names}
        return self._result(clocks, wall_ns_at_zero)

    def _gather(self) -> None:
        """All load processes of all machines are here, and nobody else is."""
        deadline = time.monotonic() + self.fleet.ready_timeout
        names = self.fleet.names

        def all_here() -> bool:
            return len(self.processes) == len(names) and len(self.members) == sum(self.processes.values())

        def missing() -> str:
            there = [name for name in names if self._count(name) and self._count(name) == self.processes.get(name)]
            rest = ", ".join(name for name in names if name not in there)
            return (
                f"load generators: {len(there)} of {len(names)} reported within {self.fleet.ready_timeout:g} s, "
                f"missing: {rest} (is faas-exp-generator.service active there, with the same key?)"
            )

        self._wait(all_here, deadline, missing)
        for client in list(self.runner.clients):
            if client not in self.members:
                del self.runner.clients[client]
        self.complete = True

    def _count(self, name: str) -> int:
        return sum(member.name == name for member in self.members.values())

    def _spawn_users(self) -> None:
        everyone = self.members.values()
        self.runner.start(self.spec.users, spawn_rate=self.spec.users)
        # Locust would hand users on to whoever connects from now on.
        self.runner._users_dispatcher = None
        deadline = time.monotonic() + self.fleet.ready_timeout
        ready = "load generators: the users were not ready in time"
        self._wait(lambda: all(member.users is not None for member in everyone), deadline, lambda: ready)
        users = sum(member.users or 0 for member in everyone)
        if users != self.spec.users:
            raise LoadError(f"the load generators have {users} users instead of {self.spec.users}")

    def _go(self, before: dict[str, Reading]) -> int:
        """The start, the same for all; Unix time at zero of this machine's clock."""
        order = sorted(self.members.values(), key=lambda one: (self.fleet.names.index(one.name), one.process))
        weights = [member.users or 0 for member in order]
        shares = fleet.split(self.spec.number_of_requests, weights)
        wall_ns_at_zero = time_ns() - perf_counter_ns()
        start = perf_counter_ns() + _LEAD_NS
        for place, member in enumerate(order):
            # Closed loop: as many requests as users. Open loop: every n-th arrival of the one schedule.
            closed = (shares[place], 0, 1)
            go = {
                "start_ns": start + before[member.name].offset,
                "wall_ns_at_zero": wall_ns_at_zero - before[member.name].offset,
                "first_user": sum(weights[:place]),
                "tickets": closed if self.spec.rate is None else (self.spec.number_of_requests, place, len(order)),
            }
            self.runner.send_message(fleet.GO, go, member.client)
        return wall_ns_at_zero

    def _read_clocks(self) -> dict[str, Reading]:
        here, *others = self.fleet.names
        now = perf_counter_ns()
        return {here: Reading(now, 0, 0, 0), **{name: self._read_clock(name) for name in others}}

    def _read_clock(self, name: str) -> Reading:
        client = next(one.client for one in self.members.values() if one.name == name and one.process == 0)
        self.exchanges = []
        limit = self.fleet.max_uncertainty_ms * 1e6
        deadline = time.monotonic() + _CLOCK_PATIENCE
        while True:
            wanted = len(self.exchanges) + 1
            self.runner.send_message(fleet.CLOCK, {"t0": perf_counter_ns(), "wall0": time_ns()}, client)
            self._wait(lambda wanted=wanted: len(self.exchanges) >= wanted)  # type: ignore[misc]
            if wanted >= _EXCHANGES:
                reading = read(self.exchanges)
                if reading.uncertainty <= limit or time.monotonic() > deadline:
                    return reading

    def _refuse(self, clocks: dict[str, Reading]) -> None:
        for name, reading in clocks.items():
            if reading.uncertainty > self.fleet.max_uncertainty_ms * 1e6:
                raise LoadError(
                    f"load generator {name}: its clock is known to {reading.uncertainty / 1e6:.3f} ms only (round trip "
                    f"{reading.round_trip / 1e6:.3f} ms), allowed: {self.fleet.max_uncertainty_ms:g} ms"
                )

    def _wait(
        self, done: Callable[[], bool], deadline: float | None = None, late: Callable[[], str] = lambda: ""
    ) -> None:
        while not done():
            self.changed.clear()
            if self.problem is not None:
                raise self.problem
            if self.own.poll() is not None:
                raise fleet.GeneratorLost(
                    f"load generator {self.fleet.names[0]} ended (exit code {self.own.returncode})"
                )
            if self.complete:
                self._check_alive()
            if deadline is not None and time.monotonic() > deadline:
                raise LoadError(late())
            self.changed.wait(timeout=_LOOK)

    def _check_alive(self) -> None:
        for client, member in self.members.items():
            node = self.runner.clients.get(client)
            if node is None or node.state == locust.runners.STATE_MISSING:
                raise _lost(member.name, f"no heartbeat for {fleet.LIVENESS} s")

    def _on_hello(self, msg: Any, **_: Any) -> None:
        hello = msg.data
        name, process = hello["name"], hello["process"]
        if name not in self.fleet.names:
            return
        if self.complete:
            self.problem = self.problem or _lost(name, "it has begun anew")
            self.changed.set()
            return
        try:
            fleet.compare_versions(name, hello["versions"], self.versions)
        except LoadError as error:
            self.problem = error
            self.changed.set()
            return
        # One that began anew before the start takes its own place.
        for client in [c for c, one in self.members.items() if one.name == name and process in (0, one.process)]:
            del self.members[client]
        self.members[msg.node_id] = Member(msg.node_id, name, process, hello)
        if process == 0:
            users = fleet.split(self.spec.users, [1] * len(self.fleet.names))[self.fleet.names.index(name)]
            self.processes[name] = fleet.process_count(self.spec.processes, users, hello["cores"])
        job = {key: self.job[key] for key in ("spec", "family", "address")}
        job["processes"] = self.processes.get(name, 1)
        self.runner.send_message(fleet.JOB, job, msg.node_id)
        self.changed.set()

    def _on_clock(self, msg: Any, **_: Any) -> None:
        back = perf_counter_ns()
        found = msg.data
        # Half-way between question and answer, both wall clocks are read at the same moment.
        wall = found["wall"] - (found["wall0"] + (back - found["t0"]) // 2)
        self.exchanges.append(Exchange(found["t0"], found["t1"], found["t2"], back, wall))
        self.changed.set()

    def _on_ready(self, msg: Any, **_: Any) -> None:
        member = self.members.get(msg.node_id)
        if member is not None:
            member.users = msg.data["users"]
            if msg.data["failure"]:
                self.problem = LoadError(f"load generator {member.name} failed: {msg.data['failure']}")
            self.changed.set()

    def _on_finished(self, msg: Any, **_: Any) -> None:
        member = self.members.get(msg.node_id)
        if member is not None:
            member.facts = {**msg.data, "generator": member.name}
            self.changed.set()

    def _on_rows(self, msg: Any, **_: Any) -> None:
        member = self.members.get(msg.node_id)
        if member is not None:
            member.dumps.append(msg.data)

    def _on_reported(self, msg: Any, **_: Any) -> None:
        member = self.members.get(msg.node_id)
        if member is not None:
            member.reported = True
            self.changed.set()

    def _result(self, clocks: dict[str, Comparison], wall_ns_at_zero: int) -> dict[str, Any]:
        rows = Rows()
        machines = []
        for name in self.fleet.names:
            ours = sorted((one for one in self.members.values() if one.name == name), key=lambda one: one.process)
            first_row, lags = len(rows), array("q")
            for member in ours:
                for dump in member.dumps:
                    lags.frombytes(dump["columns"]["lag"])
                    rows.load(dump, clock=clocks[name].to_here)
                member.dumps.clear()
            ends = rows.end[first_row:]
            machines.append(
                {
                    "name": name,
                    "users": sum(member.users or 0 for member in ours),
                    "processes": len(ours),
                    "requests": len(ends),
                    "last_ns": max(ends, default=None),
                    "lags": len(lags),
                    "send_lag_ms": spread_ms(lags),
                    "clock": clocks[name].to_dict(),
                    "ran_off_ms": clocks[name].ran_off(),
                    "versions": ours[0].hello["versions"],
                    "machine": ours[0].hello["machine"],
                    "calibration": ours[0].hello["calibration"],
                }
            )
        return {
            "rows": put(rows, self.job["rows_fd"]),
            "facts": [member.facts for member in self.members.values()],
            "machines": machines,
            "wall_ns_at_zero": wall_ns_at_zero,
        }


def _lost(name: str, why: str) -> fleet.GeneratorLost:
    return fleet.GeneratorLost(
        f"load generator {name} was lost in mid-run: {why}. The run is incomplete, the same command makes it again"
    )


def main() -> int:
    job = next(lines(0))
    die_with_parent(job["parent"])
    try:
        say({"done": Master(job).run()})
    except FaasExpError as error:
        say({"failed": str(error), "lost": isinstance(error, fleet.GeneratorLost)})
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # The connections end with the process, and that tells the generators that the run is over.
    os._exit(code)
