# Copyright the faas.exp authors
# Apache-2.0 (see LICENSE)
"""Filter ``faas.exp.machine_plan``: a thin face over :mod:`faas_exp.machines`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from faas_exp.errors import FaasExpError
from faas_exp.machines import plan


def machine_plan(
    counts: dict[str, Any],
    orchestrator: str,
    cluster_name: str = "",
    services: list[str] | None = None,
    subnet_cidr: str | None = None,
) -> list[dict[str, Any]]:
    """Turn the shared inputs into a list of machines with ``name``, ``role``, ``groups`` and ``address``."""
    options: dict[str, Any] = {} if services is None else {"services": tuple(services)}
    try:
        machines = plan(orchestrator, counts=counts, cluster_name=cluster_name, subnet_cidr=subnet_cidr, **options)
    except FaasExpError as error:
        raise AnsibleFilterError(str(error)) from error
    return [
        {"name": one.name, "role": one.role, "groups": list(one.groups), "address": one.address} for one in machines
    ]


class FilterModule:
    """What Ansible asks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"machine_plan": machine_plan}
