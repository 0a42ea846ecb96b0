"""A load generator: Locust's worker, for runs whose master is on another machine.

    python -m faas_exp.load.generator --name NAME --master HOST --key-file FILE [--port PORT] [--calibration FILE]

Waits for a master, takes part in one run, and begins anew as a fresh process. When the master goes away in mid-run, so
do the load and this process, at once. Role ``load_generator`` runs it as a service; ``run_load`` starts one of its own
on the machine of the master.
"""

from __future__ import annotations

import locust  # isort: skip  (patches the standard library; must come before anything that holds on to it)

import argparse
import gc
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Any

import gevent
import locust.runners
import zmq
from gevent.event import Event
from locust.env import Environment

from faas_exp.errors import FaasExpError
from faas_exp.load import fleet
from faas_exp.load.calibration import read_calibration
from faas_exp.load.client import Target
from faas_exp.load.key import read_key
from faas_exp.load.orphan import die_with_parent
from faas_exp.load.secure import use_key
from faas_exp.load.session import Session
from faas_exp.load.spec import LoadSpec
from faas_exp.load.tickets import LocalTickets
from faas_exp.load.user import FunctionUser
from faas_exp.load.worker import raise_file_limit
from faas_exp.machine import machine_facts

# Rows per message: 5 MB.
_BATCH = 100_000
# The last moment before the start is spent awake: a sleeping process is back a millisecond late.
_EARLY_NS = 2_000_000

_log = logging.getLogger("faas_exp.load")


class Generator:
    """One process's part in one run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.environment: Any = Environment(user_classes=[FunctionUser], catch_exceptions=False)
        self.session: Session | None = None
        self.siblings: list[subprocess.Popen[bytes]] = []
        self.over = Event()
        self.heard = time.monotonic()
        self.runner: Any = None

    def take_part(self) -> None:
        """Wait for a master and do as it says; returns when the run is over, one way or another."""
        self.environment.events.heartbeat_received.add_listener(self._on_heartbeat)
        self.runner = runner = self.environment.create_worker_runner(self.options.master, self.options.port)
        # Locust would look for configuration files here; what there is to know comes from the master.
        self.environment.parsed_options = argparse.Namespace()
        for name, listener in (
            (fleet.JOB, self._on_job),
            (fleet.CLOCK, self._on_clock),
            (fleet.GO, self._on_go),
            (fleet.REPORT, self._on_report),
        ):
            runner.register_message(name, listener)
        monitor = runner.client.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        gevent.spawn(self._watch, monitor)
        runner.send_message(fleet.HELLO, self._hello())
        self.heard = time.monotonic()
        while not self.over.wait(timeout=1):
            patience = fleet.IDLE_LIVENESS if self.session is None else fleet.LIVENESS
            if time.monotonic() - self.heard > patience:
                _log.error("no word from the master for %d s", patience)
                return

    def end(self) -> None:
        """No sibling outlives this process's run."""
        for sibling in self.siblings:
            sibling.kill()
            sibling.wait()

    def _hello(self) -> dict[str, Any]:
        calibration = None
        if self.options.calibration is not None:
            try:
                calibration = read_calibration(self.options.calibration.expanduser()).to_dict()
            except FaasExpError:
                calibration = None
        return {
            "name": self.options.name,
            "process": self.options.process,
            "cores": len(os.sched_getaffinity(0)),
            "versions": fleet.versions(),
            "machine": machine_facts(),
            "calibration": calibration,
        }

    def _on_heartbeat(self, **_: Any) -> None:
        self.heard = time.monotonic()

    def _watch(self, monitor: Any) -> None:
        monitor.recv_multipart()
        self.over.set()

    def _on_job(self, msg: Any, **_: Any) -> None:
        job = msg.data
        spec = LoadSpec.from_json(job["spec"])
        target = Target(job["family"], tuple(job["address"]))
        self.session = Session(spec, target, LocalTickets(0))
        self.session.attach(self.environment)
        if self.options.process == 0:
            for number in range(1, job["processes"]):
                self.siblings.append(start(self.options, self.options.name, number))
                gevent.spawn(self._mourn, self.siblings[-1])
        gevent.spawn(self._get_ready, self.session)

    def _mourn(self, sibling: subprocess.Popen[bytes]) -> None:
        sibling.wait()
        self.over.set()

    def _get_ready(self, session: Session) -> None:
        """Tell the master when all users wait at the gate."""
        while self.runner.worker_state != locust.runners.STATE_RUNNING:
            gevent.sleep(0.005)
        while session.waiting < self.runner.user_count and not session.failure:
            gevent.sleep(0)
        # What exists now stays: the collector need not look at it in the middle of the run.
        gc.collect()
        gc.freeze()
        self.runner.send_message(fleet.READY, {"users": session.waiting, "failure": session.failure})

    def _on_clock(self, msg: Any, **_: Any) -> None:
        received = perf_counter_ns()
        wall = time_ns()
        self.runner.send_message(fleet.CLOCK, {**msg.data, "t1": received, "wall": wall, "t2": perf_counter_ns()})

    def _on_go(self, msg: Any, **_: Any) -> None:
        gevent.spawn(self._make_load, msg.data)

    def _make_load(self, go: dict[str, Any]) -> None:
        session = self.session
        if session is None:
            return
        total, first, step = go["tickets"]
        session.assign(LocalTickets(total, first, step), go["first_user"])
        start_ns = go["start_ns"]
        gevent.sleep(max(start_ns - _EARLY_NS - perf_counter_ns(), 0) / 1e9)
        while perf_counter_ns() < start_ns:
            pass
        session.begin(start_ns, go["wall_ns_at_zero"])
        duration = session.spec.duration
        left = None if duration is None else max(start_ns / 1e9 + duration - perf_counter_ns() / 1e9, 0)
        in_time = self.runner.user_greenlets.join(timeout=left)
        facts = {**session.finish(), "stopped": "" if in_time else "duration", "locust": locust.__version__}
        self.runner.send_message(fleet.FINISHED, facts)

    def _on_report(self, **_: Any) -> None:
        gevent.spawn(self._report)

    def _report(self) -> None:
        if self.session is None:
            return
        rows = self.session.rows
        for first in range(0, max(len(rows), 1), _BATCH):
            self.runner.send_message(fleet.ROWS, rows.dump(first, min(first + _BATCH, len(rows))))
            # Heartbeats must get through between the pieces.
            gevent.sleep(0)
        self.runner.send_message(fleet.REPORTED, {})


def start(options: Any, name: str, process: int = 0) -> subprocess.Popen[bytes]:
    """A generator on this machine which ends with this process.

    Args:
        options: has ``master``, ``port`` and ``key_file``.
        name: of the machine.
        process: which of the machine's load processes it is.
    """
    command = [sys.executable, "-P", "-m", "faas_exp.load.generator", "--name", name, "--process", str(process)]
    command += ["--master", options.master, "--port", str(options.port), "--key-file", str(options.key_file)]
    # Standard output may be a pipe on which the parent speaks to its own.
    return subprocess.Popen([*command, "--parent", str(os.getpid())], stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faas_exp.load.generator", description="A load generator.")
    parser.add_argument("--name", required=True, help="what this machine is called in results")
    parser.add_argument("--master", required=True, help="address of the machine that runs the experiment")
    parser.add_argument("--port", type=int, default=fleet.PORT)
    parser.add_argument("--key-file", type=Path, required=True, help="64 hexadecimal digits, the same on all machines")
    parser.add_argument("--calibration", type=Path, help="file with this machine's calibration, for the record")
    parser.add_argument("--process", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> int:
    options = _options()
    if options.parent is not None:
        die_with_parent(options.parent)
    raise_file_limit()
    try:
        use_key(read_key(options.key_file))
    except FaasExpError as error:
        _log.error("%s", error)
        return 1
    # Locust would quit quietly; take_part looks itself.
    locust.runners.MASTER_HEARTBEAT_TIMEOUT = sys.maxsize
    generator = Generator(options)
    # No master for minutes: nothing to say, wait on.
    with suppress(ConnectionError):
        generator.take_part()
    generator.end()
    if options.parent is None:
        # The next run gets a process without a past.
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
