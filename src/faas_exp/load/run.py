"""One load run, from outside: start the load processes, let them go together, gather what they did."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from faas_exp.errors import LoadError
from faas_exp.load import fleet
from faas_exp.load.calibration import read_calibration
from faas_exp.load.fleet import Fleet
from faas_exp.load.outcome import outcome
from faas_exp.load.output import run_files
from faas_exp.load.process import LoadProcess, wait_for
from faas_exp.load.rows import Rows, get
from faas_exp.load.spec import LoadSpec
from faas_exp.load.stats import LoadStats
from faas_exp.load.tickets import shared_counter

# A process that has not got its users together by then is stuck.
_READY_TIMEOUT = 60.0
# Beyond the guard's own time: the load processes stop by themselves.
_GUARD_GRACE = 30.0
# For a connection, when a name has several addresses.
_PROBE_TIMEOUT = 2.0
# The start lies this far ahead, so that every process has heard of it.
_LEAD_NS = 5_000_000


def run_load(spec: LoadSpec, out_dir: Path, generators: Fleet | None = None) -> LoadStats:
    """Make the load and write ``requests.csv`` and ``stats.json`` (docs/contracts.md) into ``out_dir``.

    Blocks until the run is over. Requests that fail are data. Interrupted (SIGINT, SIGTERM, an exception), it ends the
    load processes and leaves no files; killed, the kernel ends them.

    Args:
        spec: what to do.
        out_dir: made when missing; results of an earlier run in it are replaced.
        generators: machines that make the load together; None: this one alone.

    Raises:
        LoadError: the run did not happen: name not found, disk full, folder in use, a load process failed, a
            generator is missing, differs or was lost (``GeneratorLost``), its clock can't be compared.
        ConfigError: the calibration file is none, or there are more generators than users.
    """
    calibration = None if spec.calibration is None else read_calibration(spec.calibration).to_dict()
    family, address = resolve(spec)
    if generators is not None:
        generators.check(spec)
    alone = generators is None or len(generators.names) == 1
    with run_files(Path(out_dir), spec.number_of_requests, spec.name) as files, _terminable():
        machines: list[dict[str, Any]] = []
        if generators is None or alone:
            rows, facts, wall_ns_at_zero = _make_load(spec, family, address, process_count(spec))
        else:
            rows, facts, wall_ns_at_zero, machines = _make_load_together(spec, family, address, generators)
            machines[0]["calibration"] = calibration
        stats = outcome(spec, rows, facts, wall_ns_at_zero, calibration, machines)
        files.write(rows, stats, spec.name, wall_ns_at_zero)
    return stats


def resolve(spec: LoadSpec) -> tuple[int, tuple[Any, ...]]:
    """Address family and address of the server. Done once: name resolution is no part of a response time.

    Of several addresses the first that accepts a connection (``localhost`` is ``::1`` and ``127.0.0.1``, and a server
    may be on one of them); when none does, the first: that the server is down is for the rows to say.

    Raises:
        LoadError: there is no such name.
    """
    try:
        found = socket.getaddrinfo(spec.host, spec.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise LoadError(f"{spec.url}: can't resolve {spec.host}: {reason}") from None
    candidates = [(int(family), address) for family, _, _, _, address in found]
    if len(candidates) == 1:
        return candidates[0]
    return next((each for each in candidates if _accepts(*each)), candidates[0])


def _accepts(family: int, address: tuple[Any, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_TIMEOUT)
            probe.connect(address)
    except OSError:
        return False
    return True


def process_count(spec: LoadSpec) -> int:
    """How many load processes: no more than users, and for ``auto`` no more than half the cores."""
    return fleet.process_count(spec.processes, spec.users, len(os.sched_getaffinity(0)))


def _make_load(
    spec: LoadSpec, family: int, address: tuple[Any, ...], count: int
) -> tuple[Rows, list[dict[str, Any]], int]:
    """The rows, what each process says of itself, and Unix time (ns) at zero of the monotonic clock."""
    counter = shared_counter() if count > 1 else None
    processes: list[LoadProcess] = []
    try:
        job = {
            "spec": spec.to_json(),
            "family": family,
            "address": address,
            "processes": count,
            "parent": os.getpid(),
            "tickets_fd": counter,
        }
        inherit = [] if counter is None else [counter]
        processes.extend(LoadProcess({**job, "process": number}, inherit) for number in range(count))
        wait_for(processes, "ready", time.monotonic() + _READY_TIMEOUT)
        wall_ns_at_zero = time.time_ns() - time.perf_counter_ns()
        start = {"start_ns": time.perf_counter_ns() + _LEAD_NS, "wall_ns_at_zero": wall_ns_at_zero}
        for process in processes:
            process.send(start)
        guard = None if spec.duration is None else time.monotonic() + spec.duration + _GUARD_GRACE
        facts = wait_for(processes, "done", guard)
        rows = Rows()
        for process, fact in zip(processes, facts, strict=True):
            rows.load(get(process.rows_fd, fact["rows"]))
        return rows, facts, wall_ns_at_zero
    finally:
        for process in processes:
            process.end()
        if counter is not None:
            os.close(counter)


def _make_load_together(
    spec: LoadSpec, family: int, address: tuple[Any, ...], generators: Fleet
) -> tuple[Rows, list[dict[str, Any]], int, list[dict[str, Any]]]:
    """As ``_make_load``, and what there is to say of each machine."""
    job = {
        "spec": spec.to_json(),
        "family": family,
        "address": address,
        "parent": os.getpid(),
        "fleet": generators.to_json(),
    }
    master = LoadProcess(job, module="faas_exp.load.master")
    try:
        slack = 3 * generators.ready_timeout + _GUARD_GRACE
        guard = None if spec.duration is None else time.monotonic() + spec.duration + slack
        (done,) = wait_for([master], "done", guard)
        rows = Rows()
        rows.load(get(master.rows_fd, done["rows"]))
        return rows, done["facts"], done["wall_ns_at_zero"], done["machines"]
    finally:
        master.end()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises, as SIGINT does, so that the load processes and files are tidied up; left alone when the program
    has its own handler or this is not the main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
