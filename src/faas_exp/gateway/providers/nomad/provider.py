"""Provider ``nomad``: replicas are allocations of Nomad jobs.

It keeps nothing: what is deployed is what Nomad says, and which replicas take requests is what this gateway sees of
them. Several gateways may serve at once, and any of them may die.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from faas_exp.gateway import log
from faas_exp.gateway.model import FunctionSpec, FunctionState
from faas_exp.gateway.provider import ProviderError, Publish, ReplicaLoad
from faas_exp.gateway.providers.cluster.peers import Peers
from faas_exp.gateway.providers.cluster.routed import Routed, check_replicas
from faas_exp.gateway.providers.nomad.api import NomadApi
from faas_exp.gateway.providers.nomad.cluster import Cluster
from faas_exp.gateway.providers.nomad.jobs import PREFIX
from faas_exp.gateway.providers.nomad.settings import NomadSettings

_AGAIN = 1.0
# While replicas are missing, why is asked anew now and then: an evaluation is no change of a job.
_LOOK_AGAIN = 2.0


class NomadProvider:
    """Runs functions on a Nomad cluster.

    Args:
        settings: where it is.
    """

    orchestration = "nomad"

    def __init__(self, settings: NomadSettings) -> None:
        self.fleet = Peers(settings.nomad_gateway_address, settings.nomad_gateway_port)
        self._api = NomadApi(settings)
        self._cluster = Cluster(self._api, settings)
        self._routed = Routed()
        self._stubs: list[dict[str, Any]] = []
        self._allocations: list[dict[str, Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        # A call's own look and that of the watch must not overtake each other.
        self._looking = asyncio.Lock()

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        self._routed.start(publish)
        nodes = await self._api.follow("/v1/nodes", 0)
        self._saw_nodes(nodes.data)
        stubs = await self._api.follow(f"/v1/jobs?prefix={PREFIX}", 0)
        allocations = await self._api.follow("/v1/allocations", 0)
        self._stubs, self._allocations = stubs.data, allocations.data
        await self._look()
        self._tasks = [
            asyncio.create_task(self._follow("/v1/nodes", nodes.index, self._saw_nodes)),
            asyncio.create_task(self._follow(f"/v1/jobs?prefix={PREFIX}", stubs.index, self._saw_jobs)),
            asyncio.create_task(self._follow("/v1/allocations", allocations.index, self._saw_allocations)),
            asyncio.create_task(self._watch()),
        ]

    async def deploy(self, spec: FunctionSpec) -> None:
        await self._cluster.deploy(spec)
        await self._refresh(spec.name)

    async def update(self, spec: FunctionSpec) -> None:
        await self._cluster.update(spec)
        await self._refresh(spec.name)

    async def delete(self, name: str) -> None:
        await self._cluster.delete(name)
        async with self._looking:
            self._routed.take(name, None)

    async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
        check_replicas(replicas)
        await self._cluster.scale(name, replicas, expected)
        await self._refresh(name)

    async def functions(self) -> list[FunctionState]:
        async with self._looking:
            self._routed.take_all(await self._cluster.functions())
        return self._routed.states()

    async def get(self, name: str) -> FunctionState | None:
        await self._refresh(name)
        return self._routed.state(name)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._routed.close()

    # looking

    async def _follow(self, path: str, index: int, saw: Callable[[Any], None]) -> None:
        """Hears of changes as they happen."""
        silent = False
        while True:
            try:
                answer = await self._api.follow(path, index)
            except ProviderError as error:
                if not silent:
                    log.trouble("nomad is silent", path=path, error=str(error))
                silent = True
                await asyncio.sleep(_AGAIN)
                continue
            if silent:
                log.event("nomad answers again", path=path)
                silent = False
            if answer.index != index or not index:
                index = answer.index
                saw(answer.data)

    def _saw_nodes(self, nodes: list[dict[str, Any]]) -> None:
        self._cluster.learn_version(nodes)
        ready = [node["Address"] for node in nodes if node.get("Status") == "ready" and node.get("Address")]
        self.fleet.follow({address: address for address in ready})

    def _saw_jobs(self, stubs: list[dict[str, Any]]) -> None:
        self._stubs = stubs
        self._news.set()

    def _saw_allocations(self, allocations: list[dict[str, Any]]) -> None:
        self._allocations = allocations
        self._news.set()

    async def _watch(self) -> None:
        while True:
            missing = self._routed.shortage()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_AGAIN if missing else None)
            self._news.clear()
            await self._safely(self._look)

    async def _safely(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except ProviderError as error:
            log.trouble("nomad can't be read", error=str(error))
            await asyncio.sleep(_AGAIN)
            self._news.set()
        except Exception:  # the watch must not end: nothing would be routed any more
            log.failure("reading nomad failed")
            await asyncio.sleep(_AGAIN)

    async def _look(self) -> None:
        async with self._looking:
            self._routed.take_all(await self._cluster.functions(self._stubs, self._allocations))

    async def _refresh(self, name: str) -> None:
        """What Nomad says now, not what was heard last: another gateway may just have changed it."""
        async with self._looking:
            self._routed.take(name, await self._cluster.get(name))
