"""Provider ``k8s``: replicas are pods of Deployments.

It keeps nothing: what is deployed is what Kubernetes says, and which replicas take requests is what Kubernetes calls
ready and this gateway can reach. Several gateways may serve at once, and any of them may die.
"""

from __future__ import annotations

import asyncio

from faas_exp.errors import FaasExpError
from faas_exp.gateway.model import FunctionSpec, FunctionState
from faas_exp.gateway.provider import ProviderError, Publish, ReplicaLoad
from faas_exp.gateway.providers.cluster.peers import Peers
from faas_exp.gateway.providers.cluster.routed import Routed, check_replicas
from faas_exp.gateway.providers.k8s import view
from faas_exp.gateway.providers.k8s.api import K8sApi
from faas_exp.gateway.providers.k8s.cluster import Cluster
from faas_exp.gateway.providers.k8s.manifests import FUNCTION_LABEL, SELECTOR
from faas_exp.gateway.providers.k8s.reflector import Object, Reflector
from faas_exp.gateway.providers.k8s.settings import K8sSettings

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
        self._routed = Routed()
        self._deployments: Reflector
        self._pods: Reflector
        self._slices: Reflector
        self._gateways: Reflector

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        self._routed.start(publish)
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
        check_replicas(replicas)
        await asyncio.to_thread(self._cluster.scale, name, replicas, expected)
        await self._refresh(name)

    async def functions(self) -> list[FunctionState]:
        await asyncio.gather(
            self._deployments.look(SELECTOR, lambda _: True),
            self._pods.look(SELECTOR, lambda _: True),
            self._slices.look(_SLICES, lambda _: True),
        )
        self._saw(None)
        return self._routed.states()

    async def get(self, name: str) -> FunctionState | None:
        await self._refresh(name)
        return self._routed.state(name)

    async def close(self) -> None:
        for reflector in ("_gateways", "_pods", "_slices", "_deployments"):
            if hasattr(self, reflector):
                getattr(self, reflector).close()
        await self._routed.close()
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
        for name in {*self._routed.names(), *self._deployments.objects}:
            self._take(name)

    def _take(self, name: str) -> None:
        found = self._deployments.objects.get(name)
        deployed = None
        if found is not None:
            slices = [item for item in self._slices.objects.values() if view.function_of(item) == name]
            deployed = view.deployed(found, self._pods.objects, slices)
        self._routed.take(name, deployed)
