"""A function as a Swarm service, and back.

What is deployed is what Swarm says: the service's label ``faas.exp/function`` holds the deployment, its environment
excepted, which stands where Docker keeps environments.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import inf
from typing import Any

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError

FUNCTION_LABEL = "faas.exp/function"
PART_LABEL = "faas.exp/part"
"""Marks services, networks and secrets of the platform itself."""

AUTOSCALED_LABEL = "faas.exp/autoscaled"
"""The number of replicas that an autoscaler asked for last. It stands beside the service, not in its tasks, so a change
of it replaces none; and the scaler that leads next knows by it what its predecessor has added."""

SECRETS_FOLDER = "/var/openfaas/secrets"

_CONSTRAINT = re.compile(r"(node|engine)\.[\w.-]+\s*(==|!=)\s*\S+\Z")
_MEMORY = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_LONGEST_GRACE = 305.0
_USUAL_GRACE = 30.0
_SECOND = 10**9
# Replaced by Swarm when it starts a task; a function's own values must not be.
_BRACES = "{{"
_ESCAPED = '{{"{{"}}'
_TASK_ID = "{{.Task.ID}}"


def service_spec(
    spec: FunctionSpec,
    replicas: int,
    image: str,
    network: str,
    secret_ids: dict[str, str],
    default_constraints: tuple[str, ...],
) -> dict[str, Any]:
    """The Docker API's ServiceSpec.

    Args:
        image: what nodes pull; by digest where that is known.
        network: id of the functions' overlay network.
        secret_ids: ids of ``spec.secrets`` by name.
        default_constraints: for functions that don't say themselves where they may run.

    Raises:
        InvalidFunctionError: a limit or constraint can't be understood.
    """
    container: dict[str, Any] = {
        "Image": image,
        "Env": _environment(spec),
        "Labels": {"com.openfaas.function": spec.name, **spec.labels},
        "StopGracePeriod": int(_grace(spec) * _SECOND),
        "Secrets": [
            {
                "SecretID": secret_ids[name],
                "SecretName": name,
                "File": {"Name": f"{SECRETS_FOLDER}/{name}", "UID": "0", "GID": "0", "Mode": 0o444},
            }
            for name in spec.secrets
        ],
    }
    if spec.read_only_root_filesystem:
        container["ReadOnly"] = True
        container["Mounts"] = [{"Type": "tmpfs", "Target": "/tmp"}]  # noqa: S108 - the function's own
    resources = {}
    if limits := _resources("limits", spec.limits):
        resources["Limits"] = limits
    if requests := _resources("requests", spec.requests):
        resources["Reservations"] = requests
    for constraint in spec.constraints:
        if not _CONSTRAINT.match(constraint.strip()):
            raise InvalidFunctionError(
                f"constraints: found {constraint!r}, allowed: node.… or engine.… == or != a value, "
                "e.g. node.labels.disk == ssd"
            )
    return {
        "Name": spec.name,
        "Labels": {
            "com.openfaas.function": spec.name,
            **{key: value for key, value in spec.labels.items() if not key.startswith("faas.exp/")},
            FUNCTION_LABEL: json.dumps({**spec.to_json(), "envVars": {}}, sort_keys=True),
        },
        "TaskTemplate": {
            "ContainerSpec": container,
            "Resources": resources,
            "RestartPolicy": {"Condition": "any", "Delay": _SECOND // 2},
            "Placement": {"Constraints": [c.strip() for c in spec.constraints] or list(default_constraints)},
            "Networks": [{"Target": network}],
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
        "UpdateConfig": {"Parallelism": 4, "Order": "start-first", "FailureAction": "pause"},
        # No virtual IP: it would need IPVS, and requests are spread by the gateway, which sees each replica's load.
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def function_spec(service: dict[str, Any]) -> FunctionSpec | None:
    """The deployment that a service was made from; None for a service of somebody else's."""
    text = service["Spec"].get("Labels", {}).get(FUNCTION_LABEL)
    if text is None:
        return None
    try:
        spec = FunctionSpec.from_json(json.loads(text))
    except (ValueError, KeyError, TypeError):
        return None
    environment = {}
    for entry in service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env") or []:
        key, _, value = entry.partition("=")
        plain = value.replace(_ESCAPED, _BRACES)
        if key != "REPLICA_ID" and not (key == "fprocess" and plain == spec.env_process):
            environment[key] = plain
    return replace(spec, environment=environment)


def wanted_replicas(service: dict[str, Any]) -> int:
    """Replicas asked for."""
    return int(service["Spec"]["Mode"].get("Replicated", {}).get("Replicas", 0))


def autoscaled(service: dict[str, Any]) -> bool:
    """Whether it was an autoscaler that asked for them."""
    labels = service["Spec"].get("Labels") or {}
    return bool(labels.get(AUTOSCALED_LABEL) == str(wanted_replicas(service)))


def scaled_spec(service: dict[str, Any], replicas: int, by_autoscaler: bool) -> dict[str, Any]:
    """The same service with another number; the whole of it, for what is left out Swarm would reset, and replace
    replicas over it."""
    labels = {key: value for key, value in (service["Spec"].get("Labels") or {}).items() if key != AUTOSCALED_LABEL}
    if by_autoscaler:
        labels[AUTOSCALED_LABEL] = str(replicas)
    return {**service["Spec"], "Labels": labels, "Mode": {"Replicated": {"Replicas": replicas}}}


def _environment(spec: FunctionSpec) -> list[str]:
    own = {key: value.replace(_BRACES, _ESCAPED) for key, value in spec.environment.items()}
    if spec.env_process:
        own.setdefault("fprocess", spec.env_process.replace(_BRACES, _ESCAPED))
    own["REPLICA_ID"] = _TASK_ID
    return sorted(f"{key}={value}" for key, value in own.items())


def _grace(spec: FunctionSpec) -> float:
    """Seconds between SIGTERM and SIGKILL: as long as a request may take, since a replica finishes those it has."""
    limit = spec.exec_timeout
    return min(limit, _LONGEST_GRACE) + 1 if limit != inf else _USUAL_GRACE


def _resources(where: str, given: dict[str, str] | None) -> dict[str, int]:
    found = {}
    if given and given.get("memory"):
        found["MemoryBytes"] = _memory(where, given["memory"])
    if given and given.get("cpu"):
        found["NanoCPUs"] = _cpu(where, given["cpu"])
    return found


def _memory(where: str, text: str) -> int:
    match = re.fullmatch(r"(\d{1,15})([kmg]?i?)b?", text.strip().lower())
    if match is None or match.group(2) not in _MEMORY:
        raise InvalidFunctionError(
            f"{where}.memory: found {text!r}, allowed: bytes, or a number with k, M, G, Ki, Mi, Gi"
        )
    size = int(match.group(1)) * _MEMORY[match.group(2)]
    if size < 6 * 2**20:
        raise InvalidFunctionError(f"{where}.memory: found {text!r}, allowed: at least 6Mi, which Docker asks for")
    return size


def _cpu(where: str, text: str) -> int:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)(m?)", text.strip())
    if match is None or not float(match.group(1)):
        raise InvalidFunctionError(f"{where}.cpu: found {text!r}, allowed: cores as 0.5, or thousandths as 500m")
    return round(float(match.group(1)) * 10**9 / (1000 if match.group(2) else 1))
