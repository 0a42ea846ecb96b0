"""Functions and replicas, as an orchestrator tells of them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError

_PORT = 8080


@dataclass(frozen=True)
class Task:
    """A replica that the orchestrator runs and wants to run.

    Attributes:
        id: of the task, allocation or pod.
        host, port: where this gateway reaches it.
        started_ms: when the orchestrator saw it running, Unix time in ms.
    """

    id: str
    host: str
    port: int
    started_ms: int


@dataclass(frozen=True)
class Deployed:
    """A function as the orchestrator has it.

    Attributes:
        wanted: replicas asked for.
        created: ISO 8601, UTC.
        tasks: replicas that the orchestrator calls running; whether they answer is not its to say.
        error: why others don't come up, "" while nothing is wrong.
        autoscaled: whether an autoscaler asked for ``wanted``.
    """

    spec: FunctionSpec
    wanted: int
    created: str
    tasks: tuple[Task, ...] = ()
    error: str = ""
    autoscaled: bool = False

    def to_json(self) -> dict[str, Any]:
        """For the wire; it holds the environment."""
        return {
            "spec": self.spec.to_json(),
            "wanted": self.wanted,
            "created": self.created,
            "tasks": [asdict(task) for task in self.tasks],
            "error": self.error,
            "autoscaled": self.autoscaled,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Deployed:
        """The reverse of ``to_json``.

        Raises:
            KeyError, TypeError: not what ``to_json`` wrote.
        """
        return cls(
            spec=FunctionSpec.from_json(data["spec"]),
            wanted=data["wanted"],
            created=data["created"],
            tasks=tuple(Task(**task) for task in data["tasks"]),
            error=data["error"],
            autoscaled=data["autoscaled"],
        )


def port(spec: FunctionSpec) -> int:
    """Where a function's replicas listen, inside.

    Raises:
        InvalidFunctionError: ``PORT`` of its environment is none.
    """
    text = spec.environment.get("PORT", str(_PORT))
    if not re.fullmatch(r"\d{1,5}", text) or not 0 < int(text) < 65536:
        raise InvalidFunctionError(f"envVars.PORT: found {text!r}, allowed: 1 to 65535")
    return int(text)
