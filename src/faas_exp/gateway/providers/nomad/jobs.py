"""A function as a Nomad job, and back.

What is deployed is what Nomad says: the job's meta ``faas_exp_function`` holds the deployment, its environment
excepted, which stands where Nomad keeps environments.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import inf
from typing import Any

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers.cluster.deployed import port
from faas_exp.gateway.providers.nomad import secrets
from faas_exp.gateway.providers.nomad.resources import resources
from faas_exp.gateway.providers.nomad.settings import NomadSettings

PREFIX = "faas-exp-"
"""First part of a function's job's name."""

GROUP = "replicas"
PORT_LABEL = "http"

FUNCTION_META = "faas_exp_function"
CREATED_META = "faas_exp_created"

GROUP_NETWORKS = (1, 0)
"""First version whose groups have networks; before, each task has its own."""

AUTO_PROMOTE = (0, 9)
"""First version that ends an update by itself once all new replicas are healthy."""

PRIORITY = 50
"""Nomad's own default: somebody asked for this number of replicas."""

AUTOSCALED_PRIORITY = 49
"""An autoscaler did. It belongs to the job, not to its tasks, so a change of it replaces none (one of meta would); and
the scaler that leads next knows by it what its predecessor has added."""

_SECOND = 10**9
_LONGEST_GRACE = 305.0
_USUAL_GRACE = 30.0
# Gateways hear that a replica will end, and send it nothing more, before it is told so itself.
_DRAIN = 1.0

_CONSTRAINT = re.compile(r"(\$\{)?((?:node|attr|meta)\.[\w.-]+)(?(1)\})\s*(==|=|!=)\s*(\S+)\Z")
# Nomad fills these in, once, when it starts a task; a function's own values must not be.
_INTERPOLATED = re.compile(r"\$\{(?=[\w.-]+\})")
_DOLLAR_META = "faas_exp_dollar"
_DOLLAR = "${NOMAD_META_" + _DOLLAR_META + "}{"


def job_id(function: str) -> str:
    """Name of a function's job."""
    return PREFIX + function


def job_of(
    spec: FunctionSpec, replicas: int, created: str, version: tuple[int, ...], settings: NomadSettings
) -> dict[str, Any]:
    """The Nomad API's Job.

    Args:
        replicas: allocations wanted.
        created: when the function was deployed first, ISO 8601.
        version: Nomad's, the oldest one in the cluster.

    Raises:
        InvalidFunctionError: a limit, constraint or secret can't be understood, or Nomad can't do what is asked.
    """
    grouped = version >= GROUP_NETWORKS
    group: dict[str, Any] = {
        "Name": GROUP,
        "Count": replicas,
        # In place, again and again, as long as the function is wanted; elsewhere when the client gives up.
        "RestartPolicy": {"Attempts": 60, "Interval": 60 * _SECOND, "Delay": _SECOND // 2, "Mode": "delay"},
        "ReschedulePolicy": {"Unlimited": True, "DelayFunction": "constant", "Delay": 5 * _SECOND},
        # When a client is drained: those elsewhere first, a few at a time.
        "Migrate": {
            "MaxParallel": 4,
            "HealthCheck": _health_check(settings),
            "MinHealthyTime": _SECOND,
            "HealthyDeadline": 300 * _SECOND,
        },
        "EphemeralDisk": {"SizeMB": 50},
        "Tasks": [_task(spec, version, settings)],
    }
    if grouped:
        group["Networks"] = [{"DynamicPorts": [{"Label": PORT_LABEL, "To": port(spec)}]}]
    return {
        "ID": job_id(spec.name),
        "Name": job_id(spec.name),
        "Type": "service",
        "Priority": PRIORITY,
        "Datacenters": [settings.nomad_datacenter],
        "Constraints": _constraints(spec.constraints),
        "Meta": {
            FUNCTION_META: json.dumps({**spec.to_json(), "envVars": {}}, sort_keys=True),
            CREATED_META: created,
            _DOLLAR_META: "$",
        },
        "Update": _update(replicas, version, settings),
        "TaskGroups": [group],
    }


def _update(replicas: int, version: tuple[int, ...], settings: NomadSettings) -> dict[str, Any]:
    """New replicas first, all of them, then the old ones go; before 0.9 one after the other, in their place."""
    blue_green = version >= AUTO_PROMOTE and replicas > 0
    return {
        "MaxParallel": max(1, replicas) if blue_green else 1,
        "Canary": replicas if blue_green else 0,
        "AutoPromote": blue_green,
        "AutoRevert": False,
        "HealthCheck": _health_check(settings),
        "MinHealthyTime": _SECOND,
        "HealthyDeadline": 300 * _SECOND,
        "ProgressDeadline": 600 * _SECOND,
        "Stagger": _SECOND,
    }


def _health_check(settings: NomadSettings) -> str:
    return "task_states" if settings.nomad_services == "none" else "checks"


def _task(spec: FunctionSpec, version: tuple[int, ...], settings: NomadSettings) -> dict[str, Any]:
    listen = port(spec)
    sizes = resources(spec, version, settings)
    config: dict[str, Any] = {"image": spec.image, **sizes.docker}
    if version >= GROUP_NETWORKS:
        config["ports"] = [PORT_LABEL]
    else:
        config["port_map"] = [{PORT_LABEL: listen}]
        sizes.nomad["Networks"] = [{"MBits": 1, "DynamicPorts": [{"Label": PORT_LABEL}]}]
    if spec.read_only_root_filesystem:
        config["readonly_rootfs"] = True
    templates = secrets.templates(spec.secrets, settings.nomad_secrets)
    if templates:
        config["volumes"] = [secrets.VOLUME]
    task: dict[str, Any] = {
        "Name": spec.name,
        "Driver": "docker",
        "Config": config,
        "Env": _environment(spec),
        "Resources": sizes.nomad,
        "KillTimeout": int(_grace(spec) * _SECOND),
        "ShutdownDelay": int(_DRAIN * _SECOND),
        "LogConfig": {"MaxFiles": 2, "MaxFileSizeMB": 10},
    }
    if templates:
        task["Templates"] = templates
    if settings.nomad_services != "none":
        task["Services"] = [_service(spec, version, settings)]
    return task


def _service(spec: FunctionSpec, version: tuple[int, ...], settings: NomadSettings) -> dict[str, Any]:
    check = {
        "Name": "health",
        "Type": "http",
        "Path": "/_/health",
        "PortLabel": PORT_LABEL,
        "Interval": 2 * _SECOND,
        "Timeout": 2 * _SECOND,
        "InitialStatus": "critical",
    }
    service: dict[str, Any] = {
        "Name": job_id(spec.name),
        "PortLabel": PORT_LABEL,
        "AddressMode": "host",
        "Tags": ["faas-exp", "function"],
        "Checks": [check],
    }
    if version >= (1, 3):
        service["Provider"] = settings.nomad_services
    return service


def function_of(job: dict[str, Any]) -> FunctionSpec | None:
    """The deployment that a job was made from; None for a job of somebody else's, or one that was stopped."""
    text = (job.get("Meta") or {}).get(FUNCTION_META)
    if text is None or job.get("Stop"):
        return None
    try:
        spec = FunctionSpec.from_json(json.loads(text))
        given = job["TaskGroups"][0]["Tasks"][0].get("Env") or {}
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    environment = {}
    for key, value in given.items():
        plain = value.replace(_DOLLAR, "${")
        if key != "REPLICA_ID" and not (key == "fprocess" and plain == spec.env_process):
            environment[key] = plain
    return replace(spec, environment=environment)


def wanted(job: dict[str, Any]) -> int:
    """Replicas asked for."""
    return int(job["TaskGroups"][0].get("Count") or 0)


def created(job: dict[str, Any]) -> str:
    """When the function was deployed first."""
    return str((job.get("Meta") or {}).get(CREATED_META, ""))


def autoscaled(job: dict[str, Any]) -> bool:
    """Whether it was an autoscaler that asked for them."""
    return bool(job.get("Priority") == AUTOSCALED_PRIORITY)


def with_replicas(
    job: dict[str, Any], replicas: int, version: tuple[int, ...], settings: NomadSettings, by_autoscaler: bool = False
) -> Any:
    """The same job with another number of replicas; the running ones are not touched."""
    group = {**job["TaskGroups"][0], "Count": replicas}
    # Nomad hands the update's rules out per group, and takes those of the group before those of the job.
    group.pop("Update", None)
    priority = AUTOSCALED_PRIORITY if by_autoscaler else PRIORITY
    return {**job, "Priority": priority, "Update": _update(replicas, version, settings), "TaskGroups": [group]}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two jobs are the same deployment, of the same moment, with as many replicas."""
    tasks = [job["TaskGroups"][0]["Tasks"][0] for job in (one, other)]
    return one["Meta"] == other["Meta"] and wanted(one) == wanted(other) and tasks[0]["Env"] == tasks[1]["Env"]


def _environment(spec: FunctionSpec) -> dict[str, str]:
    own = {key: _INTERPOLATED.sub(lambda _: _DOLLAR, value) for key, value in spec.environment.items()}
    if spec.env_process:
        own.setdefault("fprocess", _INTERPOLATED.sub(lambda _: _DOLLAR, spec.env_process))
    own["REPLICA_ID"] = "${NOMAD_ALLOC_ID}"
    return own


def _grace(spec: FunctionSpec) -> float:
    """Seconds between SIGTERM and SIGKILL: as long as a request may take, since a replica finishes those it has."""
    limit = spec.exec_timeout
    return min(limit, _LONGEST_GRACE) + 1 if limit != inf else _USUAL_GRACE


def _constraints(given: tuple[str, ...]) -> list[dict[str, str]]:
    found = []
    for constraint in given:
        match = _CONSTRAINT.match(constraint.strip())
        if match is None:
            raise InvalidFunctionError(
                f"constraints: found {constraint!r}, allowed: node.…, attr.… or meta.… == or != a value, "
                "e.g. attr.cpu.arch == amd64"
            )
        operand = "!=" if match.group(3) == "!=" else "="
        found.append({"LTarget": "${" + match.group(2) + "}", "Operand": operand, "RTarget": match.group(4)})
    return found
