"""What Nomad tells of allocations: which ones serve, where they listen, and why others don't."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from faas_exp.gateway.providers.nomad.jobs import PORT_LABEL

# Events of a task that say why it does not run.
_TROUBLE = (
    "Driver Failure",
    "Setup Failure",
    "Failed Validation",
    "Failed Artifact Download",
    "Terminated",
    "Not Restarting",
    "Alloc Unhealthy",
    "Template",
)
_MISSING_KEY = re.compile(r"kv\.block\(([^)@]+)")
_ENDED_WELL = re.compile(r"Exit Code: 0\b")


def wanted(allocation: dict[str, Any]) -> bool:
    """Nomad wants it to run."""
    return allocation["DesiredStatus"] == "run" and allocation["ClientStatus"] in ("pending", "running")


def serves(allocation: dict[str, Any]) -> bool:
    """Nomad wants it to run, and its process runs."""
    states = (allocation.get("TaskStates") or {}).values()
    return wanted(allocation) and bool(states) and all(state["State"] == "running" for state in states)


def started_ms(allocation: dict[str, Any]) -> int:
    """When its process started last, Unix time in ms."""
    latest = 0
    for state in (allocation.get("TaskStates") or {}).values():
        for event in state.get("Events") or []:
            if event.get("Type") == "Started":
                latest = max(latest, int(event.get("Time") or 0) // 10**6)
        latest = max(latest, milliseconds(state.get("StartedAt") or ""))
    return latest


def trouble(allocation: dict[str, Any]) -> tuple[int, str]:
    """When and why a task failed last; (0, "") when nothing is known of that."""
    latest = (0, "")
    for state in (allocation.get("TaskStates") or {}).values():
        for event in state.get("Events") or []:
            text = str(event.get("DisplayMessage") or event.get("DriverError") or event.get("Message") or "")
            if event.get("Type") in _TROUBLE and text and not _ENDED_WELL.search(text):
                missing = _MISSING_KEY.findall(text) if event["Type"] == "Template" else []
                told = (
                    f"secrets: not in Consul's store: {', '.join(missing)}" if missing else f"{event['Type']}: {text}"
                )
                latest = max(latest, (int(event.get("Time") or 0), told))
    return latest


def address(allocation: dict[str, Any]) -> tuple[str, int] | None:
    """Where a replica can be reached; from a whole allocation, since lists leave it out.

    Nomad 1.0 and later tell it per group (``Ports``), 0.9 to 0.11 in the group's or the task's networks, 0.8 in the
    task's resources.
    """
    allocated = allocation.get("AllocatedResources") or {}
    shared = allocated.get("Shared") or {}
    for listed in shared.get("Ports") or []:
        if listed["Label"] == PORT_LABEL and listed.get("HostIP"):
            return listed["HostIP"], int(listed["Value"])
    networks = list(shared.get("Networks") or [])
    for task in [*(allocated.get("Tasks") or {}).values(), *(allocation.get("TaskResources") or {}).values()]:
        networks += task.get("Networks") or []
    for network in networks:
        for listed in network.get("DynamicPorts") or []:
            if listed["Label"] == PORT_LABEL:
                return network["IP"], int(listed["Value"])
    return None


def shortage(evaluations: list[dict[str, Any]], wanted_count: int, placed: int) -> str:
    """Why replicas were not placed, by the newest evaluation that says so; "" when none does."""
    failed = [evaluation for evaluation in evaluations if evaluation.get("FailedTGAllocs")]
    if not failed:
        return ""
    newest = max(failed, key=lambda evaluation: evaluation.get("ModifyIndex", 0))
    metrics = next(iter(newest["FailedTGAllocs"].values()))
    fit = f"{placed} of {wanted_count} replicas fit the cluster"
    if not metrics.get("NodesEvaluated"):
        return f"{fit}: no client takes replicas in datacenters {_counts(metrics.get('NodesAvailable'))}".rstrip()
    reasons = [f"{what} exhausted on {count}" for what, count in (metrics.get("DimensionExhausted") or {}).items()]
    reasons += [f"{what} excludes {count}" for what, count in (metrics.get("ConstraintFiltered") or {}).items()]
    return f"{fit}: {', '.join(reasons) or 'no room'} of {metrics['NodesEvaluated']} clients"


def _counts(found: dict[str, int] | None) -> str:
    return ", ".join(f"{name} ({count})" for name, count in (found or {}).items())


def milliseconds(text: str) -> int:
    """Unix time in ms of what Nomad writes with nanoseconds; 0 for none."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?", text)
    if match is None or text.startswith("0001"):
        return 0
    fraction = (match.group(2) or "0")[:6].ljust(6, "0")
    moment = datetime.strptime(f"{match.group(1)}.{fraction}", "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
