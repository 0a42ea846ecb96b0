"""What the gateway speaks of: deployments, replicas, and the state of a function."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from faas_exp.errors import FaasExpError
from faas_exp.gateway.durations import parse_duration

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
MAX_REPLICAS = 1000

# Upstream's defaults of gateway 0.18, the last one without a cap.
DEFAULT_MIN = 1
DEFAULT_MAX = 20
DEFAULT_FACTOR = 20

_LABEL = "com.openfaas.scale."


class InvalidFunctionError(FaasExpError):
    """A deployment can't be accepted as it is; the API answers 400 with this text."""


@dataclass(frozen=True, slots=True)
class ScaleRules:
    """The ``com.openfaas.scale.*`` labels of a function.

    Attributes:
        minimum, maximum: bounds of the autoscaler, in replicas; equal bounds switch it off.
        factor: per cent of ``maximum`` that a step adds; 0 switches it off.
        zero: idle replicas may all go.
        zero_after: seconds without a request until they do; None is the gateway's default.
        target: successes per second and replica above which a step is taken; None is the gateway's default.
    """

    minimum: int = DEFAULT_MIN
    maximum: int = DEFAULT_MAX
    factor: int = DEFAULT_FACTOR
    zero: bool = False
    zero_after: float | None = None
    target: float | None = None

    @classmethod
    def from_labels(cls, labels: dict[str, str]) -> ScaleRules:
        """Reads the labels.

        Raises:
            InvalidFunctionError: a value is out of its range, or the minimum is above the maximum.
        """
        minimum = _whole(labels, "min", 0, MAX_REPLICAS)
        maximum = _whole(labels, "max", 1, MAX_REPLICAS)
        if minimum is None:
            minimum = min(DEFAULT_MIN, maximum or DEFAULT_MIN)
        if maximum is None:
            maximum = max(DEFAULT_MAX, minimum)
        if minimum > maximum:
            raise InvalidFunctionError(
                f"labels.{_LABEL}min: found {minimum}, allowed: at most {_LABEL}max, which is {maximum}"
            )
        factor = _whole(labels, "factor", 0, 100)
        zero = labels.get(_LABEL + "zero", "false").strip().lower()
        if zero not in ("true", "false"):
            raise InvalidFunctionError(f"labels.{_LABEL}zero: found {zero!r}, allowed: true, false")
        return cls(
            minimum=minimum,
            maximum=maximum,
            factor=DEFAULT_FACTOR if factor is None else factor,
            zero=zero == "true",
            zero_after=_duration(labels, "zero-duration"),
            target=_target(labels),
        )


def _whole(labels: dict[str, str], key: str, low: int, high: int) -> int | None:
    text = labels.get(_LABEL + key)
    if text is None:
        return None
    try:
        value = int(text.strip())
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InvalidFunctionError(f"labels.{_LABEL}{key}: found {text!r}, allowed: a whole number {low} to {high}")
    return value


def _duration(labels: dict[str, str], key: str) -> float | None:
    text = labels.get(_LABEL + key)
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidFunctionError(f"labels.{_LABEL}{key}: {error}") from None


def _target(labels: dict[str, str]) -> float | None:
    kind = labels.get(_LABEL + "type", "rps").strip()
    if kind != "rps":
        raise InvalidFunctionError(f"labels.{_LABEL}type: found {kind!r}, allowed: rps")
    target = _positive(labels, "target", inf)
    proportion = _positive(labels, "target-proportion", 1.0)
    if target is None:
        return None
    return target * (1.0 if proportion is None else proportion)


def _positive(labels: dict[str, str], key: str, high: float) -> float | None:
    text = labels.get(_LABEL + key)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= high or value == inf:
        allowed = "a number above 0" + ("" if high == inf else f", at most {high:g}")
        raise InvalidFunctionError(f"labels.{_LABEL}{key}: found {text!r}, allowed: {allowed}")
    return value


@dataclass(frozen=True)
class FunctionSpec:
    """A deployment as the API takes it (OpenFaaS's FunctionDeployment).

    ``environment`` may hold secrets: it is left out of ``repr`` and must never be logged.
    """

    name: str
    image: str
    env_process: str = ""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    limits: dict[str, str] | None = None
    requests: dict[str, str] | None = None
    read_only_root_filesystem: bool = False

    @property
    def scale(self) -> ScaleRules:
        """The scaling labels; they were checked when the deployment came in."""
        return ScaleRules.from_labels(self.labels)

    @property
    def exec_timeout(self) -> float:
        """Seconds a request may take by the function's own environment (``exec_timeout``, ``write_timeout``), or inf.

        Upstream's watchdog obeys these inside the container; here there is no watchdog, so the gateway does.
        """
        limit = inf
        for key in ("exec_timeout", "write_timeout"):
            if self.environment.get(key):
                value = parse_duration(self.environment[key])
                limit = min(limit, value or inf)
        return limit

    def with_labels(self, labels: dict[str, str]) -> FunctionSpec:
        """The same deployment under other labels."""
        return replace(self, labels=labels)

    def same_process(self, other: FunctionSpec) -> bool:
        """Whether a replica of this deployment can serve as one of the other."""
        return (
            self.image == other.image
            and self.env_process == other.env_process
            and self.environment == other.environment
            and self.secrets == other.secrets
            and self.constraints == other.constraints
            and self.limits == other.limits
            and self.requests == other.requests
            and self.read_only_root_filesystem == other.read_only_root_filesystem
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FunctionSpec:
        """The reverse of ``to_json``.

        Raises:
            KeyError, TypeError: not what ``to_json`` wrote.
        """
        return cls(
            name=data["service"],
            image=data["image"],
            env_process=data["envProcess"],
            environment=dict(data["envVars"]),
            labels=dict(data["labels"]),
            annotations=dict(data["annotations"]),
            constraints=tuple(data["constraints"]),
            secrets=tuple(data["secrets"]),
            limits=data["limits"],
            requests=data["requests"],
            read_only_root_filesystem=data["readOnlyRootFilesystem"],
        )

    def to_json(self) -> dict[str, Any]:
        """The API's JSON, environment included."""
        return {
            "service": self.name,
            "image": self.image,
            "envProcess": self.env_process,
            "envVars": self.environment,
            "labels": self.labels,
            "annotations": self.annotations,
            "constraints": list(self.constraints),
            "secrets": list(self.secrets),
            "limits": self.limits,
            "requests": self.requests,
            "readOnlyRootFilesystem": self.read_only_root_filesystem,
        }


@dataclass(frozen=True, slots=True)
class Replica:
    """One running copy of a function.

    Attributes:
        id: what the function reports as X-Replica-Id.
        host, port: where it listens.
        started_ms: when its process started, Unix time in ms.
        draining: it gets no new requests, but may finish those it has.
    """

    id: str
    host: str
    port: int
    started_ms: int
    draining: bool = False


@dataclass(frozen=True)
class FunctionState:
    """All there is to know about one function at one moment.

    Attributes:
        wanted: replicas asked for.
        replicas: those that can be reached: ready ones and draining ones.
        created: ISO 8601, UTC.
        last_error: why replicas don't come up, ``""`` while nothing is wrong.
        autoscaled: whether an autoscaler asked for this number, this gateway's or another's that led before; never true
            where the orchestrator does not keep that.
    """

    spec: FunctionSpec
    wanted: int
    replicas: tuple[Replica, ...] = ()
    created: str = ""
    last_error: str = ""
    autoscaled: bool = False

    @property
    def available(self) -> int:
        """Replicas that take requests."""
        return sum(not replica.draining for replica in self.replicas)
