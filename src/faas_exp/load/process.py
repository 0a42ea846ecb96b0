"""A load process seen from its parent."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, cast

from faas_exp.errors import LoadError
from faas_exp.load.fleet import GeneratorLost

# What a load process gets to end by itself before it is killed.
_GRACE = 0.5


class LoadProcess:
    """Runs ``faas_exp.load.worker``, or another module, in a process group of its own.

    Attributes:
        rows_fd: descriptor (of memory, not of a disk) into which the process writes its rows.
    """

    def __init__(self, job: dict[str, Any], inherit: Sequence[int] = (), module: str = "faas_exp.load.worker") -> None:
        """Start the process and send it its job.

        Raises:
            LoadError: it could not be started.
        """
        self.rows_fd = os.memfd_create("faas-exp-rows")
        self._stderr = os.memfd_create("faas-exp-stderr")
        self._unread: list[bytes] = []
        environment = {
            **os.environ,
            # Which loop gevent takes is not for a stray variable to decide: the watchers' priorities need this one.
            "GEVENT_LOOP": "libev-cext",
            "LOCUST_SKIP_URLLIB3_PATCH": "1",
            "PYTHONUNBUFFERED": "1",
        }
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=[self.rows_fd, *inherit],
                env=environment,
                process_group=0,
            )
        except OSError as error:
            self._close()
            raise LoadError(f"can't start a load process: {os.strerror(error.errno or 0).lower()}") from error
        self._stdin = cast("IO[bytes]", self._popen.stdin)
        self._stdout = cast("IO[bytes]", self._popen.stdout)
        # The job holds headers, maybe secrets: a pipe, not the command line.
        self.send({**job, "rows_fd": self.rows_fd})

    @property
    def pid(self) -> int:
        return self._popen.pid

    def fileno(self) -> int:
        return self._stdout.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            LoadError: the process has ended.
        """
        try:
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def read(self) -> dict[str, Any] | None:
        """A message when a whole one has come, else None; call when there is something to read.

        Raises:
            LoadError: the process has ended, or says that it failed.
        """
        data = os.read(self.fileno(), 1 << 20)
        if not data:
            raise self._ended()
        # A process speaks once and then waits to be spoken to: there is never a second line behind the first.
        self._unread.append(data)
        if not data.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(b"".join(self._unread))
        self._unread.clear()
        if "failed" in message:
            raise (GeneratorLost if message.get("lost") else LoadError)(message["failed"])
        return message

    def end(self) -> None:
        """End it, if need be by force, and close what was open."""
        if self._popen.poll() is None:
            self._kill(signal.SIGTERM)
            try:
                self._popen.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._kill(signal.SIGKILL)
                self._popen.wait()
        for pipe in (self._stdin, self._stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        self._close()

    def _kill(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)

    def _close(self) -> None:
        for handle in (self.rows_fd, self._stderr):
            os.close(handle)

    def _ended(self) -> LoadError:
        code = self._popen.wait()
        if code < 0:
            return LoadError(f"the load process was ended by {signal.Signals(-code).name}")
        os.lseek(self._stderr, 0, os.SEEK_SET)
        said = os.read(self._stderr, 1 << 20).decode("utf-8", "replace").strip().splitlines()
        return LoadError(f"the load process failed: {said[-1] if said else f'exit code {code}'}")


def wait_for(processes: Sequence[LoadProcess], key: str, deadline: float | None) -> list[Any]:
    """The message ``key`` of every process, in their order. The first one that fails ends the wait.

    Args:
        deadline: of ``time.monotonic``; None: none.

    Raises:
        LoadError: a process has ended, or the deadline has passed.
    """
    found: dict[LoadProcess, Any] = {}
    poll = select.poll()
    by_fd = {process.fileno(): process for process in processes}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while len(found) < len(processes):
        left = None if deadline is None else (deadline - time.monotonic()) * 1000
        if left is not None and left <= 0:
            raise LoadError(f"a load process hangs: no word of {key!r} in time")
        for fd, _ in poll.poll(left):
            message = by_fd[fd].read()
            if message is not None:
                found[by_fd[fd]] = message[key]
                poll.unregister(fd)
    return [found[process] for process in processes]
