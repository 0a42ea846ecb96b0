"""One replica: a process from its start to its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path

from faas_exp.gateway import processes
from faas_exp.gateway.http.client import ClientError, request
from faas_exp.gateway.model import Replica
from faas_exp.gateway.provider import ProviderError

HOST = "127.0.0.1"
HEALTH_PATH = "/_/health"

_POLL = 0.015
_POLL_TIMEOUT = 2.0
_LOG_TAIL = 600
_LOG_LIMIT = 16 * 1024**2
# What a function sees of our own environment: enough to find programs, nothing that is ours.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "JAVA_HOME", "LD_LIBRARY_PATH")


class Phase(Enum):
    """Where a replica is in its life."""

    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    GONE = "gone"


class ReplicaProcess:
    """A process that serves a function.

    Args:
        name: of the replica, and its X-Replica-Id.
        generation: which version of the deployment it was started from.
        command, folder: what is started, and where.
        environment: the function's own.
        state_dir: of the gateway; log and temporary files are below it.
        function: name of the function.
    """

    def __init__(
        self,
        name: str,
        function: str,
        generation: int,
        command: tuple[str, ...],
        folder: Path,
        environment: dict[str, str],
        state_dir: Path,
    ) -> None:
        self.name = name
        self.generation = generation
        self.phase = Phase.QUEUED
        self.port = 0
        self.started_ms = 0
        self.ready_since = 0.0
        self.misses = 0
        self.exit_code: int | None = None
        self.ended = asyncio.Event()
        self.log_path = state_dir / "logs" / function / f"{name}.log"
        self._temporary = state_dir / "tmp" / name
        self._command = command
        self._folder = folder
        self._environment = environment
        self._state_dir = state_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._handle = -1

    @property
    def reachable(self) -> Replica:
        """How the gateway reaches it."""
        return Replica(self.name, HOST, self.port, self.started_ms, self.phase is Phase.DRAINING)

    def spawn(self, port: int) -> None:
        """Starts the process.

        It dies with the gateway: the kernel kills it when our main thread ends, however that happens.

        Raises:
            ProviderError: it can't be started.
        """
        self.port = port
        self.phase = Phase.STARTING
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.mkdir(parents=True, exist_ok=True)
            with self.log_path.open("ab") as output:
                self._process = subprocess.Popen(
                    ("setpriv", "--pdeathsig", "KILL", "--", *self._command),
                    cwd=self._folder,
                    env=self._whole_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            self.phase = Phase.GONE
            raise ProviderError(f"{self._command[0]} can't be started: {error}") from error
        self.started_ms = time.time_ns() // 1_000_000
        self._handle = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._handle, self._exited)

    async def healthy(self, timeout: float) -> bool:
        """Polls until the function answers; False when it ended or the time is over."""
        deadline = time.monotonic() + timeout
        while not self.ended.is_set() and time.monotonic() < deadline:
            if await self._ask(_POLL_TIMEOUT):
                return not self.ended.is_set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), _POLL)
        return False

    async def check(self, timeout: float) -> bool:
        """Whether it still answers its health check."""
        self._limit_log()
        return await self._ask(timeout)

    async def stop(self, patience: float) -> None:
        """SIGTERM, and SIGKILL to the whole group for what is left after ``patience`` seconds."""
        if self._process is not None and not self.ended.is_set():
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), patience)
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self.ended.wait()

    def kill(self) -> None:
        """SIGKILL to the group, without waiting."""
        self._signal(signal.SIGKILL)

    def age_ms(self) -> int:
        """Milliseconds since its process was started."""
        return time.time_ns() // 1_000_000 - self.started_ms

    def clean(self, keep_log: bool) -> None:
        """Removes its temporary files, and its log unless that tells of a failure."""
        self.phase = Phase.GONE
        shutil.rmtree(self._temporary, ignore_errors=True)
        if not keep_log:
            self.log_path.unlink(missing_ok=True)

    def last_words(self) -> str:
        """How it ended, and the end of its log, on one line."""
        if self.exit_code is None:
            how = "did not get healthy"
        elif self.exit_code < 0:
            how = f"was killed by signal {-self.exit_code}"
        else:
            how = f"exited with code {self.exit_code}"
        try:
            with self.log_path.open("rb") as file:
                file.seek(max(0, self.log_path.stat().st_size - _LOG_TAIL))
                said = " | ".join(file.read().decode(errors="replace").split("\n")).strip(" |")
        except OSError:
            said = ""
        return f"{how}: {said}" if said else how

    def _whole_environment(self) -> dict[str, str]:
        passed = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        return {
            **passed,
            "HOME": str(self._temporary),
            "TMPDIR": str(self._temporary),
            **self._environment,
            "HOST": HOST,
            "PORT": str(self.port),
            "REPLICA_ID": self.name,
            processes.MARK: str(self._state_dir),
        }

    async def _ask(self, timeout: float) -> bool:
        try:
            reply = await request(f"http://{HOST}:{self.port}{HEALTH_PATH}", timeout=timeout, limit=65536)
        except ClientError:
            return False
        # Somebody else's server may have got the port in the moment before our function bound it.
        owner = reply.header(b"x-replica-id")
        return reply.status == 200 and owner in (None, self.name.encode())

    def _exited(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self._handle = -1
        assert self._process is not None  # noqa: S101 - a handle has a process
        self.exit_code = self._process.wait()
        self.ended.set()

    def _signal(self, signum: signal.Signals) -> None:
        # A group lives as long as one process is in it, so its number can't be somebody else's while ours runs.
        if self._process is not None and (not self.ended.is_set() or signum is signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signum)

    def _limit_log(self) -> None:
        with suppress(OSError):
            if self.log_path.stat().st_size > _LOG_LIMIT:
                os.truncate(self.log_path, 0)
