"""What the modules that make an environment at a cloud do the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ENVIRONMENT_ARGUMENTS: dict[str, Any] = {
    "env_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "state_dir": {"type": "path", "required": True},
    "only": {"type": "list", "elements": "str"},
    "orchestrator": {"type": "str", "choices": ["swarm", "nomad", "k8s"], "default": "swarm"},
    "counts": {"type": "dict", "default": {}},
    "cluster_name": {"type": "str", "default": ""},
    "services": {"type": "list", "elements": "str", "default": ["bastion", "haproxy", "ftp"]},
    # The public half is no secret.
    "public_key": {"type": "str", "default": "", "no_log": False},
    "admin_cidr": {"type": "list", "elements": "str", "default": []},
    "own_address_url": {"type": "str", "default": "https://checkip.amazonaws.com"},
    "ports": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 600},
}

INFO_ARGUMENTS: dict[str, Any] = {"env_name": {"type": "str"}, "state_dir": {"type": "path"}}


def inputs_from(module: AnsibleModule, caller_network: Callable[[], str]) -> dict[str, Any]:
    """The inputs that mean the same on every cloud, as ``faas_exp.clouds.spec.Inputs`` takes them.

    Args:
        caller_network: this machine's own network; asked only where no other is given.
    """
    params = module.params
    taken_over = ("orchestrator", "counts", "cluster_name", "public_key", "ssh_user", "ports", "timeout")
    return {
        "env": params["env_name"],
        "services": tuple(params["services"]),
        "admin": tuple(params["admin_cidr"] or [caller_network()]),
        **{key: params[key] for key in taken_over},
    }


def made_result(module: AnsibleModule, made: Any, region: str) -> dict[str, Any]:
    """What there is now, as the module returns it; what can't be changed is warned of."""
    from dataclasses import asdict
    from pathlib import Path

    from faas_exp.hostkeys import unpinned

    for note in made.notes:
        module.warn(note)
    return {
        **asdict(made),
        "changed": bool(made.changes),
        "region": region,
        "unpinned": unpinned(made.machines, Path(module.params["state_dir"]) / "known_hosts"),
    }


def leftover_result(leftover: Any) -> dict[str, Any]:
    """What one environment still has, as an info module returns it."""
    return {
        "env_name": leftover.env,
        "region": leftover.region,
        "created": leftover.created.isoformat() if leftover.created else "",
        "age_hours": None if leftover.hours is None else round(leftover.hours, 2),
        "summary": str(leftover),
        "resources": [{"kind": one.kind, "name": one.name, "id": one.id} for one in leftover.resources],
    }
