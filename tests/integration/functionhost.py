"""Runs the real functions for tests: each as a process of its own on a free port of 127.0.0.1."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from faas_exp.functions import bundle

FUNCTIONS_DIR = Path(__file__).resolve().parents[2] / "experiments" / "functions"
ALL = sorted(path.parent.name for path in FUNCTIONS_DIR.glob("*/stack.yml"))
START_TIMEOUT_S = 120.0


@dataclass
class Answer:
    """One response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Running:
    """One replica."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    spawned_ms: float

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def request(
        self, method: str, path: str = "/", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str = "/",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request over a connection that stays open."""
    connection.request(method, path, body=body, headers=dict(headers or {}))
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def skip_unless_runnable(name: str) -> None:
    missing = bundle.missing_programs(FUNCTIONS_DIR / name)
    if missing:
        packages = " ".join(bundle.debian_packages(missing))
        pytest.skip(f"{name} needs {', '.join(missing)}, not installed (Debian: apt-get install {packages})")


@cache
def _cache_dir() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="faas-exp-functions-")


def ready(name: str) -> Path:
    """The built folder of a function; each is built once in a test run."""
    return bundle.build(FUNCTIONS_DIR / name, Path(_cache_dir().name))


def spawn(name: str, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a function with exactly this environment besides PATH and the temporary folder."""
    skip_unless_runnable(name)
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if key in os.environ}
    with log.open("wb") as output:
        return subprocess.Popen(
            bundle.read_command(FUNCTIONS_DIR / name),
            cwd=ready(name),
            env={**kept, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def running(name: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A function that answers its health check; killed at the end if it still runs."""
    skip_unless_runnable(name)
    ready(name)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="faas-exp-log-") as folder:
        log = Path(folder) / "log"
        spawned_ms = time.time() * 1000
        process = spawn(name, {"HOST": "127.0.0.1", "PORT": str(port), "REPLICA_ID": f"{name}-1", **(env or {})}, log)
        replica = Running(name, port, process, log, spawned_ms)
        try:
            _await_health(replica)
            yield replica
        finally:
            process.kill()
            process.wait()


def _await_health(replica: Running) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if replica.process.poll() is not None:
            raise AssertionError(f"{replica.name} ended with {replica.process.returncode}: {replica.logged()}")
        with suppress(OSError):
            if replica.request("GET", "/_/health").status == 200:
                return
        time.sleep(0.01)
    raise AssertionError(f"{replica.name} not healthy within {START_TIMEOUT_S} s: {replica.logged()}")
