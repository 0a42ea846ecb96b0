"""Provider ``swarm``: replicas are tasks of Swarm services; this side runs in each gateway.

It keeps nothing: what is deployed is what the agent says, and which replicas take requests is what this gateway sees of
them. Several gateways may serve at once, and any of them may die.
"""

from __future__ import annotations

import contextlib

from faas_exp.gateway.model import FunctionSpec, FunctionState
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, Publish, ReplicaLoad
from faas_exp.gateway.providers.cluster.deployed import Deployed
from faas_exp.gateway.providers.cluster.peers import Peers
from faas_exp.gateway.providers.cluster.routed import Routed, check_replicas
from faas_exp.gateway.providers.swarm.link import AgentLostError, Link
from faas_exp.gateway.providers.swarm.settings import SwarmSettings
from faas_exp.gateway.providers.swarm.wire import View, tls_context


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
        self._routed = Routed()

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        self._routed.start(publish)
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
        self._routed.take(name, None)

    async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
        check_replicas(replicas)
        await self._link.ask("scale", name=name, replicas=replicas, expected=expected)
        await self._refresh(name)

    async def functions(self) -> list[FunctionState]:
        view = View.from_json(await self._link.ask("view"))
        self._saw(view)
        return self._routed.states()

    async def get(self, name: str) -> FunctionState | None:
        await self._refresh(name)
        return self._routed.state(name)

    async def close(self) -> None:
        await self._link.close()
        await self._routed.close()

    async def _refresh(self, name: str) -> None:
        """What Swarm says now, not what the last view said: another gateway may just have changed it."""
        found = await self._link.ask("get", name=name)
        self._routed.take(name, None if found is None else Deployed.from_json(found))

    def _saw(self, view: View) -> None:
        self.fleet.follow(view.gateways)
        self._routed.take_all(view.functions)
