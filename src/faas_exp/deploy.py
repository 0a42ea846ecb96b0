"""Bring a function into a wanted state: present, absent, or at a number of replicas. Does nothing when it is there.

What is compared is a fingerprint of the whole deployment, kept as a label of the function: the platforms do not tell
back everything that they were told (faas-swarm, for one, keeps the environment to itself).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faas_exp.config import is_secret
from faas_exp.errors import PlatformError
from faas_exp.openfaas import OpenFaaS, Probe, Status

FINGERPRINT = "faas.exp/spec"
MASK = "(secret)"


@dataclass
class Change:
    """What was done, or in check mode would be: for Ansible's ``changed`` and ``--diff``."""

    changed: bool = False
    actions: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def did(self, action: str) -> None:
        self.changed = True
        self.actions.append(action)


def fingerprint(deployment: Mapping[str, Any], key: str) -> str:
    """A hash of a deployment. Keyed, since it covers secrets and everybody who may list functions can read it."""
    text = json.dumps(deployment, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def present(
    gateway: OpenFaaS,
    deployment: Mapping[str, Any],
    *,
    key: str,
    replicas: int | None = None,
    probe: Probe | None = None,
    recreate: bool = False,
    wait: bool = True,
    timeout: float = 300,
    check: bool = False,
) -> Change:
    """The function runs as described, with exactly ``replicas`` replicas when a number is given, and answers.

    Args:
        deployment: body of OpenFaaS's deploy call.
        key: of the fingerprint; any secret that stays the same, e.g. the gateway's password.
        recreate: remove a function of that name first, so that what runs is fresh.
        check: only say what would be done.

    Raises:
        PlatformError: refused, clamped, or not ready in ``timeout`` seconds.
    """
    name = str(deployment["service"])
    mark = fingerprint(deployment, key)
    wanted = {**deployment, "labels": {**deployment.get("labels", {}), FINGERPRINT: mark}}
    change = Change(after=_shown(deployment, replicas))
    status = find(gateway, name)
    change.before = _described(status) if status else {}
    if status is not None and recreate:
        change.did(f"remove {name}")
        if not check:
            gateway.delete(name)
            gateway.wait_gone(name, timeout)
        status = None
    if status is None:
        change.did(f"deploy {name}")
        if not check:
            gateway.deploy(wanted)
    elif status.labels.get(FINGERPRINT) != mark:
        change.did(f"update {name}")
        if not check:
            gateway.deploy(wanted, update=True)
    elif replicas is None or status.replicas == replicas:
        change.after = change.before
    if not check:
        _bring_to(gateway, name, replicas, change)
        if wait:
            gateway.wait_ready(name, replicas, probe, timeout)
    elif status is not None and replicas is not None and status.replicas != replicas:
        change.did(f"scale {name} to {replicas}")
    return change


def _bring_to(gateway: OpenFaaS, name: str, replicas: int | None, change: Change) -> None:
    """Order the number of replicas when the platform did not take it from the labels."""
    if replicas is None:
        return
    status = gateway.get(name)
    if status is not None and status.replicas != replicas:
        gateway.scale(name, replicas)
        if not change.changed:
            change.did(f"scale {name} to {replicas}")


def scaled(
    gateway: OpenFaaS,
    name: str,
    replicas: int,
    *,
    probe: Probe | None = None,
    timeout: float = 300,
    check: bool = False,
) -> Change:
    """A function that exists runs with exactly ``replicas`` replicas; zero is allowed.

    Raises:
        PlatformError: no such function, or the number is not reached.
    """
    status = find(gateway, name)
    if status is None:
        raise PlatformError(f"{name}: can't be scaled, the platform has no function of that name")
    change = Change(before={"replicas": status.replicas}, after={"replicas": replicas})
    if status.replicas != replicas:
        change.did(f"scale {name} to {replicas}")
        if not check:
            gateway.scale(name, replicas)
    if not check:
        if replicas == 0:
            gateway.wait_zero(name, timeout)
        else:
            gateway.wait_ready(name, replicas, probe, timeout)
    return change


def absent(gateway: OpenFaaS, name: str, *, timeout: float = 300, check: bool = False) -> Change:
    """The platform has no function of that name and no replica of it.

    Raises:
        PlatformError: it does not go away.
    """
    status = find(gateway, name)
    change = Change(before=_described(status) if status else {})
    if status is not None:
        change.did(f"remove {name}")
        if not check:
            gateway.delete(name)
            gateway.wait_gone(name, timeout)
    return change


def find(gateway: OpenFaaS, name: str) -> Status | None:
    """The function, if the platform lists it. (The single call may know a function that is gone: Nomad does.)"""
    if all(status.name != name for status in gateway.list()):
        return None
    return gateway.get(name)


def _shown(deployment: Mapping[str, Any], replicas: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "image": deployment.get("image"),
        "labels": dict(deployment.get("labels", {})),
        "environment": {k: MASK if is_secret(k) else v for k, v in deployment.get("envVars", {}).items()},
    }
    if replicas is not None:
        shown["replicas"] = replicas
    return shown


def _described(status: Status) -> dict[str, Any]:
    return {
        "image": status.image,
        "labels": {k: v for k, v in status.labels.items() if k != FINGERPRINT},
        "environment": {k: MASK if is_secret(k) else v for k, v in status.environment.items()},
        "replicas": status.replicas,
    }
