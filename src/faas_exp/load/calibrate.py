"""Measure the load generator itself, against a server that does nothing."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from faas_exp import __version__
from faas_exp.errors import ConfigError, LoadError
from faas_exp.load.calibration import Calibration, read_calibration
from faas_exp.load.output import load_error
from faas_exp.load.run import run_load
from faas_exp.load.spec import LoadSpec
from faas_exp.load.stats import LoadStats
from faas_exp.machine import machine_facts

# Enough to keep one process busy all the time.
_USERS = 15


def calibrate(seconds: float = 1.0, cache: Path | None = None) -> Calibration:
    """Ceiling and floor of the load generator on this machine.

    Args:
        seconds: how long each of the two measurements lasts.
        cache: file that holds the result. What it says is returned when it is of this machine and these versions;
            else it is measured anew and written.

    Raises:
        LoadError: the measurement was not possible, or the file can't be written.
    """
    machine, versions = machine_facts(), _versions()
    if cache is not None:
        try:
            known = read_calibration(cache)
        except ConfigError:
            known = None
        if known is not None and (known.machine, known.versions) == (machine, versions):
            return known
    with _echo_server() as url:
        top = _measure(url, _USERS, seconds)
        floor = _measure(url, 1, seconds)
    p50, p99 = floor.elapsed_ms["p50"], floor.elapsed_ms["p99"]
    if not top.throughput or p50 is None or p99 is None:
        raise LoadError("calibration: the local server did not answer")
    made = Calibration(
        ceiling_rps=round(top.throughput, 1),
        cpu_us=round(top.generator.cpu_pct / 100 * top.wall_s / top.count * 1e6, 2),
        floor_p50_ms=p50,
        floor_p99_ms=p99,
        machine=machine,
        versions=versions,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if cache is not None:
        _write(cache, made)
    return made


def _versions() -> dict[str, str]:
    return {
        "faas_exp": __version__,
        "python": platform.python_version(),
        "locust": version("locust"),
        "gevent": version("gevent"),
    }


def _measure(url: str, users: int, seconds: float) -> LoadStats:
    spec = LoadSpec(url=url, users=users, number_of_requests=int(seconds * 1_000_000), duration=seconds)
    with tempfile.TemporaryDirectory(prefix="faas-exp-") as folder:
        return run_load(spec, Path(folder))


@contextmanager
def _echo_server() -> Iterator[str]:
    command = [sys.executable, "-P", "-m", "faas_exp.load.echo", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            if not port:
                raise LoadError("calibration: the local server did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _write(file: Path, made: Calibration) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(made.to_dict(), indent=1) + "\n", encoding="utf-8")
        part.rename(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise load_error(error, f"writing the calibration into {file}") from error
