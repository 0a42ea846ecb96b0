"""One function: keeps as many replicas running as are wanted."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faas_exp.errors import FaasExpError
from faas_exp.gateway import log
from faas_exp.gateway.model import FunctionSpec, FunctionState
from faas_exp.gateway.provider import ProviderError, ReplicaLoad
from faas_exp.gateway.providers.process.images import Images, Prepared
from faas_exp.gateway.providers.process.ports import Ports
from faas_exp.gateway.providers.process.replica import Phase, ReplicaProcess
from faas_exp.gateway.settings import Settings

_MISSES_ALLOWED = 3
_SETTLED = 10.0
_BACKOFF_FIRST = 0.1
_BACKOFF_MOST = 30.0
_CRASH_LOGS_KEPT = 5
# From this many failures in a row on, one replica at a time is tried.
_ONE_AT_A_TIME = 3


class Workshop:
    """What all functions of a provider share."""

    def __init__(self, settings: Settings, state_dir: Path, images: Images, ports: Ports, parallel: int) -> None:
        self.settings = settings
        self.state_dir = state_dir
        self.images = images
        self.ports = ports
        # Twenty runtimes that start at once on two cores take longer, each and together, than a few at a time.
        self.starting = asyncio.Semaphore(parallel)


class ProcessFunction:
    """Supervises the replicas of one function.

    Args:
        spec, wanted, created: the deployment.
        shop: shared means.
        load: tells when a draining replica has finished.
        changed: called with the function whenever its ``state`` is different.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        wanted: int,
        created: str,
        shop: Workshop,
        load: ReplicaLoad,
        changed: Callable[[ProcessFunction], None],
    ) -> None:
        self.spec = spec
        self.wanted = wanted
        self.created = created or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._shop = shop
        self._load = load
        self._report = changed
        self._prepared: Prepared | None = None
        self._prepared_for: FunctionSpec | None = None
        self._generation = 0
        self._replicas: dict[str, ReplicaProcess] = {}
        self._last_error = ""
        self._failures = 0
        self._not_before = 0.0
        self._deleted = False
        self._kick = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop_task = asyncio.create_task(self._reconcile_forever())
        self._health_task = asyncio.create_task(self._watch_health())
        self._kick.set()

    @property
    def state(self) -> FunctionState:
        """What the gateway and the API show."""
        reachable = tuple(r.reachable for r in self._replicas.values() if r.phase in (Phase.READY, Phase.DRAINING))
        return FunctionState(self.spec, self.wanted, reachable, self.created, self._last_error)

    def update(self, spec: FunctionSpec, wanted: int) -> None:
        """Another deployment under the same name."""
        self.spec = spec
        self.wanted = wanted
        self._failures = 0
        self._not_before = 0.0
        self._changed()
        self._kick.set()

    def scale(self, wanted: int) -> None:
        """Another number of replicas."""
        self.wanted = wanted
        self._changed()
        self._kick.set()

    async def delete(self) -> None:
        """Ends all replicas once they have finished their requests; returns when they are gone."""
        self._deleted = True
        await self._cancel(self._loop_task, self._health_task)
        for replica in list(self._replicas.values()):
            self._retire(replica)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Ends all replicas now."""
        self._deleted = True
        await self._cancel(self._loop_task, self._health_task, *self._tasks)
        await asyncio.gather(*(self._end(replica) for replica in list(self._replicas.values())))

    # keeping the number

    async def _reconcile_forever(self) -> None:
        while True:
            await self._kick.wait()
            self._kick.clear()
            try:
                await self._reconcile()
            except FaasExpError as error:
                self._failed(str(error))
                log.trouble("function can't be started", function=self.spec.name, error=str(error))
            except Exception as error:  # supervision must outlive any single fault
                self._failed(f"internal error: {error!r}")
                log.failure("supervision failed", function=self.spec.name)

    async def _reconcile(self) -> None:
        if self.wanted and self._prepared_for is not self.spec:
            await self._prepare()
        replicas = list(self._replicas.values())
        current = [r for r in replicas if r.generation == self._generation and r.phase is not Phase.DRAINING]
        old = [r for r in replicas if r.generation != self._generation and r.phase is not Phase.DRAINING]
        surplus = len(current) - self.wanted
        if surplus > 0:
            # Those that serve nobody yet go first, then the least busy.
            order = {Phase.QUEUED: 0, Phase.STARTING: 1, Phase.READY: 2}
            current.sort(key=lambda r: (order[r.phase], self._load.in_flight(r.name), -r.started_ms))
            for replica in current[:surplus]:
                self._retire(replica)
        elif surplus < 0:
            self._start(-surplus)
        ready = sum(r.phase is Phase.READY for r in current)
        for replica in old[: max(0, len(old) - max(0, self.wanted - ready))]:
            self._retire(replica)

    async def _prepare(self) -> None:
        spec = self.spec
        prepared = await self._shop.images.prepare(spec)
        if spec is not self.spec:
            self._kick.set()
            return
        same = self._prepared_for is not None and self._prepared == prepared and spec.same_process(self._prepared_for)
        self._prepared, self._prepared_for = prepared, spec
        if not same:
            self._generation += 1

    def _start(self, count: int) -> None:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._kick.set)
            return
        if self._failures >= _ONE_AT_A_TIME:
            trying = any(r.phase in (Phase.QUEUED, Phase.STARTING) for r in self._replicas.values())
            count = 0 if trying else 1
        prepared = self._prepared
        assert prepared is not None  # noqa: S101 - wanted replicas were prepared for
        for _ in range(count):
            name = f"{self.spec.name}-{secrets.token_hex(4)}"
            replica = ReplicaProcess(
                name,
                self.spec.name,
                self._generation,
                prepared.command,
                prepared.folder,
                self.spec.environment,
                self._shop.state_dir,
            )
            self._replicas[name] = replica
            self._run(self._live(replica))

    async def _live(self, replica: ReplicaProcess) -> None:
        """From the start to an end that nobody asked for; a wanted end is `_retire`'s."""
        port = 0
        try:
            async with self._shop.starting:
                if self._unwanted(replica):
                    return
                port = self._shop.ports.take()
                replica.spawn(port)
                healthy = await replica.healthy(self._shop.settings.start_timeout)
            if healthy and not self._unwanted(replica):
                replica.phase = Phase.READY
                replica.ready_since = time.monotonic()
                self._last_error = ""
                log.event("replica ready", function=self.spec.name, replica=replica.name, ms=replica.age_ms())
                self._changed()
                self._kick.set()
                await replica.ended.wait()
        except ProviderError as error:
            self._failed(str(error))
        finally:
            if port:
                self._shop.ports.give_back(port)
        if replica.phase in (Phase.STARTING, Phase.READY):
            await self._died(replica)
        elif replica.phase is Phase.GONE:
            self._drop(replica, keep_log=True)

    @staticmethod
    def _unwanted(replica: ReplicaProcess) -> bool:
        return replica.phase in (Phase.DRAINING, Phase.GONE)

    async def _died(self, replica: ReplicaProcess) -> None:
        lived = time.monotonic() - replica.ready_since if replica.ready_since else 0.0
        replica.kill()
        words = replica.last_words()
        log.trouble("replica died", function=self.spec.name, replica=replica.name, how=words)
        if lived >= _SETTLED:
            self._failures = 0
            self._last_error = f"replica {replica.name} {words}"
        else:
            self._failed(f"replica {replica.name} {words}")
        await replica.stop(0)
        self._drop(replica, keep_log=True)

    def _failed(self, error: str) -> None:
        self._last_error = error
        self._failures += 1
        pause = min(_BACKOFF_MOST, _BACKOFF_FIRST * 2 ** min(self._failures - 1, 20))
        self._not_before = time.monotonic() + pause
        self._changed()
        asyncio.get_running_loop().call_later(pause, self._kick.set)

    # ending

    def _retire(self, replica: ReplicaProcess) -> None:
        phase, replica.phase = replica.phase, Phase.DRAINING
        if phase is Phase.QUEUED:
            self._drop(replica, keep_log=False)
            return
        self._changed()
        self._run(self._drain(replica, phase is Phase.READY))

    async def _drain(self, replica: ReplicaProcess, served: bool) -> None:
        if served:
            limit = min(self._shop.settings.exec_timeout, self.spec.exec_timeout) + 1
            if not await self._load.drained(replica.name, limit):
                log.trouble("replica ends with requests open", function=self.spec.name, replica=replica.name)
        await self._end(replica)

    async def _end(self, replica: ReplicaProcess) -> None:
        replica.phase = Phase.DRAINING
        await replica.stop(self._shop.settings.stop_timeout)
        log.event("replica ended", function=self.spec.name, replica=replica.name)
        self._drop(replica, keep_log=False)

    def _drop(self, replica: ReplicaProcess, keep_log: bool) -> None:
        replica.clean(keep_log)
        if self._replicas.pop(replica.name, None) is not None:
            if keep_log:
                self._forget_old_logs(replica.log_path.parent)
            self._changed()
            self._kick.set()

    def _forget_old_logs(self, folder: Path) -> None:
        running = {replica.log_path for replica in self._replicas.values()}
        with suppress(OSError):
            old = sorted(set(folder.glob("*.log")) - running, key=lambda path: path.stat().st_mtime)
            for path in old[:-_CRASH_LOGS_KEPT]:
                path.unlink(missing_ok=True)

    # health

    async def _watch_health(self) -> None:
        interval = max(self._shop.settings.health_interval, 0.1)
        while True:
            await asyncio.sleep(interval)
            ready = [r for r in self._replicas.values() if r.phase is Phase.READY]
            for replica, healthy in zip(ready, await asyncio.gather(*(r.check(interval) for r in ready)), strict=True):
                # A busy function with one thread answers nobody else: only an idle one is called sick.
                if healthy or self._load.in_flight(replica.name):
                    replica.misses = 0
                    continue
                replica.misses += 1
                if replica.misses >= _MISSES_ALLOWED and replica.phase is Phase.READY:
                    log.trouble("replica unhealthy", function=self.spec.name, replica=replica.name)
                    replica.kill()

    # tasks

    def _changed(self) -> None:
        self._report(self)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _cancel(*tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
