"""What earlier runs left: every environment that still has something at a cloud, and how old it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from faas_exp.clouds.survey import Resource

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True)
class Rest(Generic[R]):
    """What one environment still has.

    Attributes:
        created: when its oldest thing was made; None where nothing tells.
        hours: its age.
    """

    env: str
    resources: list[R]
    created: datetime | None
    hours: float | None

    @property
    def age(self) -> str:
        """In words."""
        return "of unknown age" if self.hours is None else f"{self.hours:.1f} h old"

    @property
    def what(self) -> str:
        """How many of each kind, in words."""
        counts = Counter(one.kind for one in self.resources)
        return ", ".join(f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in counts.items())


def by_env(resources: Iterable[R], now: datetime | None = None) -> Iterator[Rest[R]]:
    """One for each environment, in the order of their names.

    Args:
        now: for the ages.
    """
    now = now or datetime.now(UTC)
    found: dict[str, list[R]] = {}
    for one in resources:
        found.setdefault(one.env, []).append(one)
    for env, its in sorted(found.items()):
        times = [one.created for one in its if one.created]
        created = min(times) if times else None
        yield Rest(env, its, created, None if created is None else (now - created).total_seconds() / 3600)


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"
