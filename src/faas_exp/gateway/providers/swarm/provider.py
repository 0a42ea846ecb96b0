"""Provider ``swarm``: replicas are tasks of Swarm services; this side runs in each gateway.

It keeps nothing: what is deployed is what the agent says, and which replicas take requests is what this gateway sees of
them. Several gateways may serve at once, and any of them may die.
"""

from __future__ import annotations

import contextlib

from faas_exp.gateway import log
from faas_exp.gateway.model import MAX_REPLICAS, FunctionSpec, FunctionState, InvalidFunctionError, Replica
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, Publish, ReplicaLoad
from faas_exp.gateway.providers.swarm.link import AgentLostError, Link
from faas_exp.gateway.providers.swarm.peers import Peers
from faas_exp.gateway.providers.swarm.readiness import Readiness
from faas_exp.gateway.providers.swarm.settings import SwarmSettings
from faas_exp.gateway.providers.swarm.wire import Deployed, View, tls_context


class SwarmProvider:
    """Runs functions on a Docker Swarm, by way of the managers' agents.

    Args:
        settings: where those are.
    """

    orchestration = "swarm"

    def __init__(self, settings: SwarmSettings) -> None:
        self.fleet = Peers(settings.swarm_task, settings.swarm_gateway_port)
        tls = tls_context(settings.swarm_certificate, settings.swarm_key, server=False)
        self._link = Link(settings.swarm_agents, tls, self._saw)
        self._readiness = Readiness(self._changed)
        self._deployed: dict[str, Deployed] = {}
        self._publish: Publish

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        self._publish = publish
        await self._link.start()

    async def deploy(self, spec: FunctionSpec) -> None:
        try:
            await self._link.call("deploy", spec=spec.to_json())
        except AgentLostError:
            try:
                await self._link.ask("deploy", spec=spec.to_json())
            except FunctionExistsError:
                # By ourselves, if it is the very same.
                found = await self._link.ask("get", name=spec.name)
                if found is None or Deployed.from_json(found).spec != spec:
                    raise
        await self._refresh(spec.name)

    async def update(self, spec: FunctionSpec) -> None:
        await self._link.ask("update", spec=spec.to_json())
        await self._refresh(spec.name)

    async def delete(self, name: str) -> None:
        try:
            await self._link.call("delete", name=name)
        except AgentLostError:
            # It may be gone by the call whose answer was lost.
            with contextlib.suppress(FunctionNotFoundError):
                await self._link.ask("delete", name=name)
        self._take(name, None)

    async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
        if not 0 <= replicas <= MAX_REPLICAS:
            raise InvalidFunctionError(f"replicas: found {replicas}, allowed: 0 to {MAX_REPLICAS}")
        await self._link.ask("scale", name=name, replicas=replicas, expected=expected)
        await self._refresh(name)

    async def functions(self) -> list[FunctionState]:
        view = View.from_json(await self._link.ask("view"))
        self._saw(view)
        return [self._state(deployed) for deployed in self._deployed.values()]

    async def get(self, name: str) -> FunctionState | None:
        await self._refresh(name)
        deployed = self._deployed.get(name)
        return None if deployed is None else self._state(deployed)

    async def close(self) -> None:
        await self._link.close()
        await self._readiness.close()

    async def _refresh(self, name: str) -> None:
        """What Swarm says now, not what the last view said: another gateway may just have changed it."""
        found = await self._link.ask("get", name=name)
        self._take(name, None if found is None else Deployed.from_json(found))

    def _saw(self, view: View) -> None:
        self.fleet.follow(view.gateways)
        for name in self._deployed.keys() - view.functions.keys():
            self._take(name, None)
        for name, deployed in view.functions.items():
            self._take(name, deployed)

    def _take(self, name: str, deployed: Deployed | None) -> None:
        before = self._deployed.get(name)
        if deployed == before:
            return
        known = before.tasks if before is not None else ()
        if deployed is None:
            del self._deployed[name]
            self._readiness.follow(name, (), known)
            self._publish(name, None)
            log.event("function gone", function=name)
            return
        self._deployed[name] = deployed
        self._readiness.follow(name, deployed.tasks, known)
        self._publish(name, self._state(deployed))

    def _changed(self, name: str) -> None:
        deployed = self._deployed.get(name)
        if deployed is not None:
            self._publish(name, self._state(deployed))

    def _state(self, deployed: Deployed) -> FunctionState:
        replicas = tuple(
            Replica(task.id, task.host, task.port, task.started_ms)
            for task in deployed.tasks
            if self._readiness.ready(task)
        )
        return FunctionState(
            deployed.spec, deployed.wanted, replicas, deployed.created, deployed.error, deployed.autoscaled
        )
