"""Names in the result tree: their natural order, their twins (A/A), how people call them, and safe file names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

LOADS = ("sequential", "parallel")
SCALINGS = ("autoscaling", "noautoscaling")
CHUNK = re.compile(r"(warm|cold)_(\d+)\Z")
TWIN = "~aa"
"""A function or orchestrator called ``<name>~aa`` is ``<name>`` measured again: both must give the same numbers."""

_DISPLAY = {"k8s": "Kubernetes", "swarm": "Docker Swarm", "nomad": "Nomad", "embedded": "Embedded"}
_TYPE = {
    "sequential/noautoscaling": "one user, fixed replicas",
    "parallel/autoscaling": "many users, autoscaling",
    "parallel/noautoscaling": "many users, fixed replicas",
    "sequential/autoscaling": "one user, autoscaling",
}
_DIGITS = re.compile(r"(\d+)")
T = TypeVar("T")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which ``user_5`` comes before ``user_10``."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in _DIGITS.split(text) if part)


def chunk_order(chunk: str) -> tuple[int, int, str]:
    """A sort key in order of execution: warm_0, cold_0, warm_1, …"""
    match = CHUNK.match(chunk)
    return (int(match[2]), 0 if match[1] == "warm" else 1, "") if match else (-1, 0, chunk)


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Distinct names, naturally sorted."""
    return sorted(set(names), key=natural)


def is_twin(name: str) -> bool:
    return name.endswith(TWIN)


def base_of(name: str) -> str:
    """The name without its twin mark."""
    return name.removesuffix(TWIN)


def display(orchestrator: str) -> str:
    """How people call an orchestrator; unknown ones keep their name."""
    return _DISPLAY.get(orchestrator, orchestrator)


def case_label(case: str) -> str:
    """``user_50`` → ``50 users``, ``replica1`` → ``1 replica``; anything else as it is."""
    match = re.fullmatch(r"(user|replica)_?(\d+)", case)
    if not match:
        return case
    return f"{match[2]} {match[1]}{'' if match[2] == '1' else 's'}"


def case_number(case: str) -> int | None:
    """The number in ``user_50`` or ``replica1``; None where there is none."""
    match = re.fullmatch(r"(?:user|replica)_?(\d+)", case)
    return int(match[1]) if match else None


def type_label(load: str, scaling: str) -> str:
    """A load type in words."""
    return _TYPE.get(f"{load}/{scaling}", f"{load}, {scaling}")


def function_label(function: str) -> str:
    """``gofunction`` → ``go``: what the ten functions share says nothing in a figure."""
    short = function.removesuffix("function")
    return short or function


def slug(text: str) -> str:
    """A file name made of a name: path separators and control characters become ``_``."""
    return re.sub(r"[\x00-\x1f/\\]", "_", text).strip() or "_"
