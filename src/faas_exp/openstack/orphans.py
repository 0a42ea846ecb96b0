"""What earlier runs left: every environment that still has something in the project, and how old it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from faas_exp.openstack.session import Cloud
from faas_exp.openstack.survey import Resource, survey


@dataclass(frozen=True)
class Leftover:
    """One environment.

    Attributes:
        created: when its oldest thing was made; None where nothing tells.
        hours: its age.
    """

    env: str
    region: str
    resources: list[Resource]
    created: datetime | None
    hours: float | None

    def __str__(self) -> str:
        counts = Counter(one.kind for one in self.resources)
        what = ", ".join(f"{count} {_plural(kind, count)}" for kind, count in counts.items())
        age = "of unknown age" if self.hours is None else f"{self.hours:.1f} h old"
        return f"{self.env} ({self.region or 'default region'}), {age}: {what}"


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def leftovers(cloud: Cloud, env: str | None = None, now: datetime | None = None) -> list[Leftover]:
    """Everything under this project's mark, by environment.

    Args:
        env: only this one.
        now: for the ages.
    """
    now = now or datetime.now(UTC)
    by_env: dict[str, list[Resource]] = {}
    for one in survey(cloud, env).all:
        by_env.setdefault(one.env, []).append(one)
    found = []
    for name, resources in sorted(by_env.items()):
        times = [one.created for one in resources if one.created]
        created = min(times) if times else None
        hours = None if created is None else (now - created).total_seconds() / 3600
        found.append(Leftover(name, cloud.region, resources, created, hours))
    return found
