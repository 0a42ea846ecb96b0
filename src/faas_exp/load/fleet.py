"""Load generators on several machines: who they are, and who does how much."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faas_exp import __version__
from faas_exp.errors import ConfigError, LoadError
from faas_exp.load.spec import LoadSpec

PORT = 5557
"""Locust's own port for its master."""

USERS_PER_PROCESS = 25
"""Users that one process keeps at work without one answer waiting long for another to be handled."""

# What master and generators say to each other beside Locust's own messages.
HELLO = "faas-exp-hello"
JOB = "faas-exp-job"
READY = "faas-exp-ready"
CLOCK = "faas-exp-clock"
GO = "faas-exp-go"
FINISHED = "faas-exp-finished"
REPORT = "faas-exp-report"
ROWS = "faas-exp-fleet-rows"
REPORTED = "faas-exp-reported"

# Missed heartbeats, one a second, after which the other side counts as lost.
LIVENESS = 10
# The same for a generator that is not told to take part.
IDLE_LIVENESS = 60


class GeneratorLost(LoadError):
    """A load generator went away in mid-run; the run can be tried again."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The generators of a run. The first is the machine which calls ``run_load``; it also is Locust's master.

    Attributes:
        names: of the machines, the first this one's.
        bind: address on which the master listens, during a run only: one which the other machines reach and nobody
            else does.
        port: TCP port of the master.
        key_file: file with 64 hexadecimal digits, the same on all machines: without it nobody takes part or listens in.
        ready_timeout: seconds which all generators have to report.
        max_uncertainty_ms: a run is refused when a generator's clock can't be compared better than this.
    """

    names: tuple[str, ...]
    bind: str
    key_file: Path
    port: int = PORT
    ready_timeout: float = 60.0
    max_uncertainty_ms: float = 5.0

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names) or not all(self.names):
            raise ConfigError("load run", "generators.names", repr(list(self.names)), "at least one name, each once")
        if not 1 <= self.port <= 65535:
            raise ConfigError("load run", "generators.port", repr(self.port), "a whole number from 1 to 65535")

    def check(self, spec: LoadSpec) -> None:
        """Raises: ConfigError: more generators than users."""
        if len(self.names) > spec.users:
            allowed = f"no more than users ({spec.users})"
            raise ConfigError("load run", "generators", str(len(self.names)), allowed)

    def limited_to(self, users: int) -> Fleet:
        """The first generators, one per user at most."""
        return replace(self, names=self.names[:users])

    def to_json(self) -> dict[str, Any]:
        """For the pipe to the master."""
        return {**asdict(self), "key_file": str(self.key_file)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Fleet:
        """The inverse of ``to_json``."""
        return cls(**{**values, "names": tuple(values["names"]), "key_file": Path(values["key_file"])})


def split(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in whole parts which are as near to the proportion of ``weights`` as can be; their sum is exact.

    Method of the largest remainder; of equal remainders the first.
    """
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in rest[: total - sum(parts)]:
        parts[i] += 1
    return parts


def process_count(processes: int | str, users: int, cores: int) -> int:
    """How many load processes one machine takes: no more than users, and for ``auto`` no more than half the cores."""
    if processes == "auto":
        return min(max(cores // 2, 1), -(-users // USERS_PER_PROCESS), users)
    return min(int(processes), users)


def versions() -> dict[str, str]:
    """What must be equal on all generators. ``code`` changes with the content of this package."""
    content = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        content.update(file.read_bytes())
    return {
        "faas_exp": __version__,
        "python": platform.python_version(),
        "locust": version("locust"),
        "gevent": version("gevent"),
        "code": content.hexdigest()[:12],
    }


def compare_versions(name: str, found: dict[str, str], here: dict[str, str]) -> None:
    """Raises: LoadError: the generator ``name`` is not the same program as this one."""
    other = [f"{key} {found.get(key)} (here {value})" for key, value in here.items() if found.get(key) != value]
    if other:
        raise LoadError(
            f"load generator {name}: versions must be equal on all generators, found {', '.join(other)}: "
            "run playbooks/services.yml"
        )
