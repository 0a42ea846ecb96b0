"""What Kubernetes's objects say about one function."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from faas_exp.gateway.providers.cluster.deployed import Deployed, Task, port
from faas_exp.gateway.providers.k8s.manifests import (
    CONTAINER,
    FUNCTION_LABEL,
    INSTANCE_LABEL,
    autoscaled,
    function_spec,
    instance,
    wanted_replicas,
)

SERVICE_LABEL = "kubernetes.io/service-name"

_STARTING = ("", "ContainerCreating", "PodInitializing")


def function_of(item: dict[str, Any]) -> str:
    """Name of the function that a Deployment, pod or EndpointSlice belongs to; "" for none."""
    labels = item["metadata"].get("labels") or {}
    return str(labels.get(FUNCTION_LABEL) or labels.get(SERVICE_LABEL) or "")


def deployed(
    deployment: dict[str, Any], pods: dict[str, dict[str, Any]], slices: list[dict[str, Any]]
) -> Deployed | None:
    """One function; None when the Deployment is somebody else's.

    Args:
        pods: by name, others' among them.
        slices: of the function's Service.
    """
    spec = function_spec(deployment)
    if spec is None:
        return None
    mark = instance(deployment)
    wanted = wanted_replicas(deployment)
    own = {name: pod for name, pod in pods.items() if _belongs(pod, spec.name, mark)}
    tasks = {}
    # A pod with addresses of both kinds is in two slices; which one counts must not depend on their order.
    for endpoints in sorted(slices, key=lambda one: bool(one.get("addressType") == "IPv4")):
        listen = _port(endpoints, port(spec))
        for endpoint in endpoints.get("endpoints") or []:
            name = (endpoint.get("targetRef") or {}).get("name", "")
            pod = own.get(name)
            if pod is not None and _serves(endpoint) and "deletionTimestamp" not in pod["metadata"]:
                tasks[name] = Task(name, endpoint["addresses"][0], listen, _started_ms(pod))
    ready = tuple(tasks[name] for name in sorted(tasks))
    error = "" if len(ready) >= wanted else _why_not(deployment, list(own.values()), wanted)
    created = str(deployment["metadata"].get("creationTimestamp", ""))
    return Deployed(spec, wanted, created, ready, error, autoscaled(deployment))


def gateways(pods: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Gateways that run: name of the pod → address."""
    return {
        name: pod["status"]["podIP"]
        for name, pod in pods.items()
        if pod["status"].get("phase") == "Running"
        and pod["status"].get("podIP")
        and "deletionTimestamp" not in pod["metadata"]
        and _condition(pod, "Ready").get("status") == "True"
    }


def _belongs(pod: dict[str, Any], name: str, mark: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(labels.get(FUNCTION_LABEL) == name and labels.get(INSTANCE_LABEL) == mark)


def _serves(endpoint: dict[str, Any]) -> bool:
    conditions = endpoint.get("conditions") or {}
    # By the API's rule, ready where nothing is said.
    return conditions.get("ready") in (None, True) and not conditions.get("terminating") and bool(endpoint["addresses"])


def _port(endpoints: dict[str, Any], default: int) -> int:
    ports = endpoints.get("ports") or []
    return int(ports[0]["port"]) if ports and ports[0].get("port") else default


def _condition(item: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = (item.get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = (pod.get("status") or {}).get("containerStatuses") or []
    return next((status for status in found if status.get("name") == CONTAINER), {})


def _started_ms(pod: dict[str, Any]) -> int:
    text = ((_container(pod).get("state") or {}).get("running") or {}).get("startedAt")
    if not text:
        return 0
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _why_not(deployment: dict[str, Any], pods: list[dict[str, Any]], wanted: int) -> str:
    """What the newest pod that has something to say complains of; then what the Deployment does."""
    living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    living.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    for pod in living:
        if text := _complaint(pod):
            return text
    for pod in living:
        condition = _condition(pod, "PodScheduled")
        if condition.get("status") == "False":
            placed = sum(_condition(other, "PodScheduled").get("status") == "True" for other in living)
            return f"{placed} of {wanted} replicas fit the cluster: {condition.get('message', 'Unschedulable')}"
    failure = _condition(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        return f"{len(living)} of {wanted} replicas were let in: {failure.get('message', failure.get('reason', ''))}"
    return ""


def _complaint(pod: dict[str, Any]) -> str:
    status = _container(pod)
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason not in _STARTING:
        ended = (status.get("lastState") or {}).get("terminated") or {}
        code = f", exit code {ended['exitCode']}" if "exitCode" in ended else ""
        message = waiting.get("message", "")
        return f"{reason}{code}" + (f": {message}" if message else "")
    if (pod.get("status") or {}).get("phase") == "Failed":
        text = pod["status"]
        return f"{text.get('reason', 'Failed')}: {text.get('message', '')}".rstrip(": ")
    return ""
