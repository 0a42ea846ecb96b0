"""What gateways do with functions in Kubernetes; every call blocks, so the provider makes them in threads."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from typing import Any

from faas_exp.gateway.model import FunctionSpec
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, ProviderError
from faas_exp.gateway.providers.k8s import manifests
from faas_exp.gateway.providers.k8s.api import ConflictError, K8sApi, NotFoundError

_ATTEMPTS = 10


class Cluster:
    """The functions' namespace.

    Args:
        api: of the cluster.
        namespace: of functions.
        pull_secrets: that nodes show to registries.
    """

    def __init__(self, api: K8sApi, namespace: str, pull_secrets: tuple[str, ...]) -> None:
        self._api = api
        self._pull_secrets = pull_secrets
        self.deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self.services = f"/api/v1/namespaces/{namespace}/services"

    def deploy(self, spec: FunctionSpec) -> None:
        """Creates Service and Deployment, with the replicas of ``scale.min``.

        Raises:
            FunctionExistsError, InvalidFunctionError, ProviderError
        """
        wish = self._wish(spec, spec.scale.minimum, secrets.token_hex(4))
        if self._read(spec.name) is not None:
            raise FunctionExistsError(f"function {spec.name} exists already; PUT changes it")
        self._have_service(spec)
        try:
            self._api.call("POST", self.deployments, wish)
        except ConflictError as error:
            raise FunctionExistsError(
                f"function {spec.name}: a Deployment of that name exists already; PUT changes it if it is a function"
            ) from error

    def update(self, spec: FunctionSpec) -> None:
        """Changes both; Kubernetes starts new pods before it ends the old ones.

        Raises:
            FunctionNotFoundError, InvalidFunctionError, ProviderError
        """

        def change(found: dict[str, Any]) -> None:
            scale = spec.scale
            replicas = min(max(manifests.wanted_replicas(found), scale.minimum), scale.maximum)
            wish = self._wish(spec, replicas, manifests.instance(found))
            metadata = wish["metadata"]
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
            metadata["annotations"] = {**(found["metadata"].get("annotations") or {}), **metadata["annotations"]}
            self._api.call("PUT", f"{self.deployments}/{spec.name}", wish)

        self._existing(spec.name)
        self._have_service(spec)
        self._change(spec.name, change)

    def scale(self, name: str, replicas: int, expected: int | None) -> None:
        """Asks for a number of replicas, unless there are not ``expected`` any more.

        Raises:
            FunctionNotFoundError, InvalidFunctionError, ProviderError
        """
        by_autoscaler = expected is not None

        def change(found: dict[str, Any]) -> None:
            now = manifests.wanted_replicas(found)
            if by_autoscaler and now != expected:
                return
            if now == replicas and manifests.autoscaled(found) == by_autoscaler:
                return
            mark = str(replicas) if by_autoscaler else None
            wish = {
                # Refused when somebody else was quicker.
                "metadata": {
                    "resourceVersion": found["metadata"]["resourceVersion"],
                    "annotations": {manifests.AUTOSCALED_ANNOTATION: mark},
                },
                "spec": {"replicas": replicas},
            }
            self._api.call("PATCH", f"{self.deployments}/{name}", wish)

        self._change(name, change)

    def delete(self, name: str) -> None:
        """Removes both; pods finish what they have.

        Raises:
            FunctionNotFoundError, ProviderError
        """
        self._existing(name)
        try:
            self._api.call("DELETE", f"{self.deployments}/{name}", {"propagationPolicy": "Background"})
        except NotFoundError as error:
            raise FunctionNotFoundError(f"function {name} not found") from error
        with contextlib.suppress(NotFoundError):
            self._api.call("DELETE", f"{self.services}/{name}")

    def _change(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        for _ in range(_ATTEMPTS):
            try:
                change(self._existing(name))
            except ConflictError:
                # Somebody else was quicker, or the status has changed: look again at what it is now.
                continue
            except NotFoundError as error:
                raise FunctionNotFoundError(f"function {name} not found") from error
            return
        raise ProviderError(f"function {name}: others changed it {_ATTEMPTS} times meanwhile; try again")

    def _wish(self, spec: FunctionSpec, replicas: int, instance: str) -> dict[str, Any]:
        return manifests.deployment(spec, replicas, instance, self._pull_secrets, self._api.native_sleep)

    def _have_service(self, spec: FunctionSpec) -> None:
        wish = manifests.service(spec)
        try:
            self._api.call("POST", self.services, wish)
        except ConflictError as error:
            path = f"{self.services}/{spec.name}"
            found = self._api.call("GET", path)
            if manifests.FUNCTION_LABEL not in (found["metadata"].get("labels") or {}):
                raise FunctionExistsError(f"function {spec.name}: a Service of that name is somebody else's") from error
            self._api.call(
                "PATCH", path, {"spec": {"ports": wish["spec"]["ports"], "selector": wish["spec"]["selector"]}}
            )

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.call("GET", f"{self.deployments}/{name}")
        except NotFoundError:
            return None
        return found

    def _existing(self, name: str) -> dict[str, Any]:
        found = self._read(name)
        if found is None or manifests.function_spec(found) is None:
            raise FunctionNotFoundError(f"function {name} not found")
        return found
