"""Which replicas answer, as seen from this gateway.

An orchestrator calls a task running when its process has started, and for some seconds more when its machine has
died. A replica takes requests once ``/_/health`` answers 200, and no more when its port can't be reached. A busy
function with one thread answers no health check, but its kernel accepts connections, so that is what is asked of a
replica in service.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from faas_exp.gateway import log
from faas_exp.gateway.http.client import ClientError, request
from faas_exp.gateway.providers.cluster.deployed import Task

HEALTH_PATH = "/_/health"

_POLL_FIRST = 0.02
_POLL_MOST = 0.5
_POLL_TIMEOUT = 2.0
_CHECK_EVERY = 1.0
_CHECK_TIMEOUT = 1.0
_MISSES_ALLOWED = 2


class Readiness:
    """Watches tasks.

    Args:
        changed: called with a function's name when another set of its tasks is ready.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._ready: set[str] = set()

    def follow(self, function: str, tasks: tuple[Task, ...], known: tuple[Task, ...]) -> None:
        """Watches ``tasks`` from now on, and those of ``known`` which are not among them no more."""
        present = {task.id for task in tasks}
        for task in known:
            if task.id not in present:
                self._forget(task.id)
        for task in tasks:
            if task.id not in self._watches:
                self._watches[task.id] = asyncio.create_task(self._watch(function, task))

    def ready(self, task: Task) -> bool:
        """Whether it takes requests."""
        return task.id in self._ready

    async def close(self) -> None:
        """Ends all watches."""
        watches = list(self._watches.values())
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def _forget(self, task_id: str) -> None:
        self._ready.discard(task_id)
        watch = self._watches.pop(task_id, None)
        if watch is not None:
            watch.cancel()

    async def _watch(self, function: str, task: Task) -> None:
        while True:
            await self._until_healthy(task)
            self._ready.add(task.id)
            self._changed(function)
            await self._until_unreachable(task)
            self._ready.discard(task.id)
            log.trouble("replica unreachable", function=function, replica=task.id, host=task.host)
            self._changed(function)

    async def _until_healthy(self, task: Task) -> None:
        pause = _POLL_FIRST
        while not await self._answers(task):
            await asyncio.sleep(pause)
            pause = min(_POLL_MOST, pause * 1.3)

    async def _until_unreachable(self, task: Task) -> None:
        misses = 0
        while misses < _MISSES_ALLOWED:
            await asyncio.sleep(_CHECK_EVERY)
            misses = 0 if await self._accepts(task) else misses + 1

    @staticmethod
    async def _answers(task: Task) -> bool:
        try:
            reply = await request(f"http://{task.host}:{task.port}{HEALTH_PATH}", timeout=_POLL_TIMEOUT, limit=65536)
        except ClientError:
            return False
        # An address that was another task's a moment ago may still lead there.
        return reply.status == 200 and reply.header(b"x-replica-id") in (None, task.id.encode())

    @staticmethod
    async def _accepts(task: Task) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            connecting = asyncio.open_connection(task.host, task.port)
            _, writer = await asyncio.wait_for(connecting, _CHECK_TIMEOUT)
            writer.close()
            return True
        return False
