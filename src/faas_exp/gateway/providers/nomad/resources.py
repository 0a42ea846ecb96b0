"""What a replica may take, in Nomad's units: MHz and MB.

Nomad places by reservations. CPU is a share, not a cap: a replica may take what is free. Memory is a cap with Docker;
from 1.0 on the cap may be above the reservation.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers.nomad.settings import NomadSettings

SOFT_MEMORY = (1, 0)
"""First version whose docker driver has a limit beside the reservation."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_MB = 2**20
# Nomad refuses less.
_LEAST_CPU = 20
_LEAST_MEMORY = 10


@dataclass(frozen=True)
class Sizes:
    """A task's Resources, and what its docker driver is told besides."""

    nomad: dict[str, Any]
    docker: dict[str, Any]


def resources(spec: FunctionSpec, version: tuple[int, ...], settings: NomadSettings) -> Sizes:
    """What is reserved is ``requests``, else ``limits``, else the settings' default; ``limits`` caps.

    Raises:
        InvalidFunctionError: not a size.
    """
    limits, requests = spec.limits or {}, spec.requests or {}
    cpu_cap = _cpu("limits", limits.get("cpu", ""), settings.nomad_core)
    cpu = _cpu("requests", requests.get("cpu", ""), settings.nomad_core) or cpu_cap or settings.nomad_cpu
    cap = _memory("limits", limits.get("memory", ""))
    memory = _memory("requests", requests.get("memory", "")) or cap or settings.nomad_memory
    cap = cap or max(memory, settings.nomad_memory_limit)
    if cap < memory:
        raise InvalidFunctionError(f"requests.memory: found {memory} MB, allowed: at most limits.memory, {cap} MB")
    docker = {}
    if version >= SOFT_MEMORY and cap > memory:
        docker["memory_hard_limit"] = cap
    elif cap > memory and limits.get("memory"):
        # One number is all there is.
        memory = cap
    return Sizes({"CPU": max(_LEAST_CPU, cpu), "MemoryMB": max(_LEAST_MEMORY, memory)}, docker)


def _memory(where: str, text: str) -> int:
    if not text:
        return 0
    match = re.fullmatch(r"(\d{1,15})([kmg]?i?)b?", text.strip().lower())
    if match is None or match.group(2) not in _UNITS or int(match.group(1)) == 0:
        raise InvalidFunctionError(
            f"{where}.memory: found {text!r}, allowed: bytes, or a number with k, M, G, Ki, Mi, Gi"
        )
    return math.ceil(int(match.group(1)) * _UNITS[match.group(2)] / _MB)


def _cpu(where: str, text: str, core: int) -> int:
    if not text:
        return 0
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)(m?)", text.strip())
    if match is None or not float(match.group(1)):
        raise InvalidFunctionError(f"{where}.cpu: found {text!r}, allowed: cores as 0.5, or thousandths as 500m")
    return math.ceil(float(match.group(1)) * core / (1000 if match.group(2) else 1))
