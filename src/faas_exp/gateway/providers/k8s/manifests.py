"""A function as a Deployment and a headless Service, and back.

What is deployed is what Kubernetes says: the Deployment's annotation ``faas.exp/function`` holds the deployment, its
environment excepted, which stands where Kubernetes keeps environments.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import ceil, inf
from typing import Any

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers.cluster.deployed import port

FUNCTION_LABEL = "faas_function"
"""Upstream's label for whatever belongs to a function."""

INSTANCE_LABEL = "faas.exp/instance"
"""Differs from one deployment of a name to the next, so that pods of the last one, which still end, are nobody's."""

MANAGED = {"app.kubernetes.io/managed-by": "faas-exp"}
SELECTOR = "app.kubernetes.io/managed-by=faas-exp"
SPEC_ANNOTATION = "faas.exp/function"
AUTOSCALED_ANNOTATION = "faas.exp/autoscaled"
"""The number of replicas that an autoscaler asked for last. It stands beside the template, so it replaces no pod."""

SECRETS_FOLDER = "/var/openfaas/secrets"
PORT = 8080
CONTAINER = "function"

_CONSTRAINT = re.compile(r"([\w./-]+)\s*(==|=|!=)\s*([\w.-]*)\Z")
_LONGEST_GRACE = 305.0
_USUAL_GRACE = 30.0
# Seconds between "no new requests" and SIGTERM: gateways hear of an ending pod by their watch, some ten ms later.
_DRAIN = 1
# Seconds until pods of a machine that is gone are replaced elsewhere; Kubernetes's own default is 300.
_LOST_NODE = 10
_OWN_VARIABLES = ("REPLICA_ID",)


def deployment(
    spec: FunctionSpec, replicas: int, instance: str, pull_secrets: tuple[str, ...], native_sleep: bool
) -> dict[str, Any]:
    """The Deployment.

    Args:
        instance: value of ``INSTANCE_LABEL``.
        pull_secrets: shown to registries.
        native_sleep: the cluster knows a ``sleep`` action (from 1.30 on), so images without the program drain too.

    Raises:
        InvalidFunctionError: a port or constraint can't be understood.
    """
    labels = {FUNCTION_LABEL: spec.name, INSTANCE_LABEL: instance}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": spec.name,
            "labels": {**MANAGED, **labels},
            "annotations": {SPEC_ANNOTATION: json.dumps({**spec.to_json(), "envVars": {}}, sort_keys=True)},
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": labels},
            # Old pods go only when new ones are ready.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 4}},
            "template": {
                "metadata": {"labels": {**MANAGED, **labels}},
                "spec": _pod(spec, pull_secrets, native_sleep),
            },
        },
    }


def service(spec: FunctionSpec) -> dict[str, Any]:
    """The headless Service: it has Kubernetes keep the list of ready pods.

    Raises:
        InvalidFunctionError: a port can't be understood.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": spec.name, "labels": {**MANAGED, FUNCTION_LABEL: spec.name}},
        "spec": {
            "clusterIP": "None",
            "selector": {FUNCTION_LABEL: spec.name},
            "ports": [{"name": "http", "port": PORT, "targetPort": port(spec), "protocol": "TCP"}],
        },
    }


def _pod(spec: FunctionSpec, pull_secrets: tuple[str, ...], native_sleep: bool) -> dict[str, Any]:
    listen = port(spec)
    probe = {"httpGet": {"path": "/_/health", "port": listen}, "periodSeconds": 1, "timeoutSeconds": 2}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec.image,
        "ports": [{"name": "http", "containerPort": listen, "protocol": "TCP"}],
        "env": _environment(spec),
        # A function that computes on its one thread answers late; it is not ill for that.
        "readinessProbe": {**probe, "failureThreshold": 30},
        "lifecycle": {
            "preStop": {"sleep": {"seconds": _DRAIN}} if native_sleep else {"exec": {"command": ["sleep", str(_DRAIN)]}}
        },
        "securityContext": {"allowPrivilegeEscalation": False},
        "resources": {
            key: amounts
            for key, given in (("limits", spec.limits), ("requests", spec.requests))
            if (amounts := {name: amount for name, amount in (given or {}).items() if amount})
        },
    }
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    if spec.secrets:
        sources = [{"secret": {"name": name}} for name in spec.secrets]
        volumes.append({"name": "secrets", "projected": {"sources": sources, "defaultMode": 0o444}})
        mounts.append({"name": "secrets", "mountPath": SECRETS_FOLDER, "readOnly": True})
    if spec.read_only_root_filesystem:
        container["securityContext"]["readOnlyRootFilesystem"] = True
        volumes.append({"name": "tmp", "emptyDir": {}})
        mounts.append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108 - the function's own
    if mounts:
        container["volumeMounts"] = mounts
    gone = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _LOST_NODE}
    pod: dict[str, Any] = {
        "containers": [container],
        # A function has no business with Kubernetes's API, and its environment is what was asked for.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _grace(spec),
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", **gone},
            {"key": "node.kubernetes.io/unreachable", **gone},
        ],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {FUNCTION_LABEL: spec.name}},
            }
        ],
    }
    if volumes:
        pod["volumes"] = volumes
    if pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in pull_secrets]
    if terms := [_term(constraint) for constraint in spec.constraints]:
        required = {"nodeSelectorTerms": [{"matchExpressions": terms}]}
        pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return pod


def function_spec(found: dict[str, Any]) -> FunctionSpec | None:
    """The deployment that a Deployment was made from; None for one of somebody else's."""
    text = (found["metadata"].get("annotations") or {}).get(SPEC_ANNOTATION)
    if text is None:
        return None
    try:
        spec = FunctionSpec.from_json(json.loads(text))
        container = found["spec"]["template"]["spec"]["containers"][0]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    environment = {}
    for entry in container.get("env") or []:
        plain = entry.get("value", "").replace("$$", "$")
        if entry["name"] not in _OWN_VARIABLES and not (entry["name"] == "fprocess" and plain == spec.env_process):
            environment[entry["name"]] = plain
    return replace(spec, environment=environment)


def instance(found: dict[str, Any]) -> str:
    """See ``INSTANCE_LABEL``."""
    return str((found["spec"]["selector"].get("matchLabels") or {}).get(INSTANCE_LABEL, ""))


def wanted_replicas(found: dict[str, Any]) -> int:
    """Replicas asked for."""
    return int(found["spec"].get("replicas", 0))


def autoscaled(found: dict[str, Any]) -> bool:
    """Whether it was an autoscaler that asked for them."""
    annotations = found["metadata"].get("annotations") or {}
    return bool(annotations.get(AUTOSCALED_ANNOTATION) == str(wanted_replicas(found)))


def _environment(spec: FunctionSpec) -> list[dict[str, Any]]:
    own = dict(spec.environment)
    if spec.env_process:
        own.setdefault("fprocess", spec.env_process)
    # Kubernetes fills in $(NAME) and halves every $$.
    entries: list[dict[str, Any]] = [
        {"name": key, "value": value.replace("$", "$$")}
        for key, value in sorted(own.items())
        if key not in _OWN_VARIABLES
    ]
    entries.append(
        {"name": "REPLICA_ID", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}
    )
    return entries


def _grace(spec: FunctionSpec) -> int:
    """Seconds until SIGKILL: as long as a request may take, since a replica finishes those it has."""
    limit = spec.exec_timeout
    return _DRAIN + ceil(min(limit, _LONGEST_GRACE) + 1 if limit != inf else _USUAL_GRACE)


def _term(constraint: str) -> dict[str, Any]:
    match = _CONSTRAINT.match(constraint.strip())
    if match is None:
        raise InvalidFunctionError(
            f"constraints: found {constraint!r}, allowed: a node's label = or != a value, e.g. disk = ssd"
        )
    key, operator, value = match.groups()
    return {"key": key, "operator": "NotIn" if operator == "!=" else "In", "values": [value]}
