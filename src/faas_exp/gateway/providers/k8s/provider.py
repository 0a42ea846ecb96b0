"""Provider ``k8s``: replicas are pods of Deployments.

It keeps nothing: what is deployed is what Kubernetes says, and which replicas take requests is what Kubernetes calls
ready and this gateway can reach. Several gateways may serve at once, and any of them may die.
"""

from __future__ import annotations

import asyncio

from faas_exp.errors import FaasExpError
from faas_exp.gateway import log
from faas_exp.gateway.model import MAX_REPLICAS, FunctionSpec, FunctionState, InvalidFunctionError, Replica
from faas_exp.gateway.provider import ProviderError, Publish, ReplicaLoad
from faas_exp.gateway.providers.k8s import view
from faas_exp.gateway.providers.k8s.api import K8sApi
from faas_exp.gateway.providers.k8s.cluster import Cluster
from faas_exp.gateway.providers.k8s.manifests import FUNCTION_LABEL, SELECTOR
from faas_exp.gateway.providers.k8s.reflector import Object, Reflector
from faas_exp.gateway.providers.k8s.settings import K8sSettings
from faas_exp.gateway.providers.k8s.view import Deployed
from faas_exp.gateway.providers.swarm.peers import Peers
from faas_exp.gateway.providers.swarm.readiness import Readiness

_SLICES = "endpointslice.kubernetes.io/managed-by=endpointslice-controller.k8s.io"


class K8sProvider:
    """Runs functions on Kubernetes.

    Args:
        settings: where it is.
    """

    orchestration = "kubernetes"

    def __init__(self, settings: K8sSettings) -> None:
        self._settings = settings
        self.fleet = Peers(settings.k8s_pod, settings.k8s_gateway_port)
        self._api = K8sApi(settings)
        self._cluster = Cluster(self._api, settings.function_namespace, settings.k8s_image_pull_secrets)
        self._readiness = Readiness(self._announce)
        self._deployed: dict[str, Deployed] = {}
        self._publish: Publish
        self._deployments: Reflector
        self._pods: Reflector
        self._slices: Reflector
        self._gateways: Reflector

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        self._publish = publish
        settings = self._settings
        await asyncio.to_thread(self._api.learn)
        core = f"/api/v1/namespaces/{settings.function_namespace}"
        slices = f"{self._api.slices}/namespaces/{settings.function_namespace}/endpointslices"
        self._pods = Reflector(self._api, f"{core}/pods", SELECTOR, self._saw)
        self._slices = Reflector(self._api, slices, _SLICES, self._saw)
        self._deployments = Reflector(self._api, self._cluster.deployments, SELECTOR, self._saw)
        self._gateways = Reflector(
            self._api,
            f"/api/v1/namespaces/{settings.k8s_gateway_namespace}/pods",
            settings.k8s_gateway_selector,
            lambda _: self.fleet.follow(view.gateways(self._gateways.objects)),
        )
        try:
            # Deployments last: with them functions are reported, and then their pods are known.
            for reflector in (self._gateways, self._pods, self._slices, self._deployments):
                await reflector.start()
        except ProviderError:
            raise
        except FaasExpError as error:
            raise ProviderError(str(error)) from error

    async def deploy(self, spec: FunctionSpec) -> None:
        await asyncio.to_thread(self._cluster.deploy, spec)
        await self._refresh(spec.name)

    async def update(self, spec: FunctionSpec) -> None:
        await asyncio.to_thread(self._cluster.update, spec)
        await self._refresh(spec.name)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._cluster.delete, name)
        await self._refresh(name)

    async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
        if not 0 <= replicas <= MAX_REPLICAS:
            raise InvalidFunctionError(f"replicas: found {replicas}, allowed: 0 to {MAX_REPLICAS}")
        await asyncio.to_thread(self._cluster.scale, name, replicas, expected)
        await self._refresh(name)

    async def functions(self) -> list[FunctionState]:
        await asyncio.gather(
            self._deployments.look(SELECTOR, lambda _: True),
            self._pods.look(SELECTOR, lambda _: True),
            self._slices.look(_SLICES, lambda _: True),
        )
        self._saw(None)
        return [self._state(deployed) for deployed in self._deployed.values()]

    async def get(self, name: str) -> FunctionState | None:
        await self._refresh(name)
        deployed = self._deployed.get(name)
        return None if deployed is None else self._state(deployed)

    async def close(self) -> None:
        for reflector in ("_gateways", "_pods", "_slices", "_deployments"):
            if hasattr(self, reflector):
                getattr(self, reflector).close()
        await self._readiness.close()
        self._api.close()

    async def _refresh(self, name: str) -> None:
        """What Kubernetes says now, not what the watch heard last: another gateway may just have changed it."""

        def same(item: Object) -> bool:
            return view.function_of(item) == name

        own = f"{SELECTOR},{FUNCTION_LABEL}={name}"
        await asyncio.gather(
            self._deployments.look(own, same),
            self._pods.look(own, same),
            self._slices.look(f"{_SLICES},{view.SERVICE_LABEL}={name}", same),
        )
        self._take(name)

    def _saw(self, item: Object | None) -> None:
        if item is not None:
            self._take(view.function_of(item))
            return
        for name in {*self._deployed, *self._deployments.objects}:
            self._take(name)

    def _take(self, name: str) -> None:
        found = self._deployments.objects.get(name)
        deployed = None
        if found is not None:
            slices = [item for item in self._slices.objects.values() if view.function_of(item) == name]
            deployed = view.deployed(found, self._pods.objects, slices)
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

    def _announce(self, name: str) -> None:
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
