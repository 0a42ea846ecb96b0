"""What earlier runs left: every environment that still has something at AWS, how old, at what price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from faas_exp.aws.errors import explain
from faas_exp.aws.prices import Cost, cost_of_resources
from faas_exp.aws.session import Cloud, connect
from faas_exp.aws.survey import Resource, survey


@dataclass(frozen=True)
class Leftover:
    """One environment in one region.

    Attributes:
        created: when its oldest thing was made; None where nothing tells.
        hours: its age.
        spent: about what it has cost since, US dollars, as if all of it had been there from the start.
    """

    env: str
    region: str
    resources: list[Resource]
    created: datetime | None
    hours: float | None
    cost: Cost

    @property
    def spent(self) -> float | None:
        return None if self.hours is None else round(self.hours * self.cost.per_hour, 2)

    def __str__(self) -> str:
        counts = Counter(one.kind for one in self.resources)
        what = ", ".join(f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in counts.items())
        age = "of unknown age" if self.hours is None else f"{self.hours:.1f} h old"
        spent = "" if self.spent is None else f", about ${self.spent:.2f} so far"
        return f"{self.env} ({self.region}), {age}, {self.cost}{spent}: {what}"


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def regions(cloud: Cloud) -> list[str]:
    """The regions that are open to this account."""
    try:
        return sorted(one["RegionName"] for one in cloud.ec2.describe_regions()["Regions"])
    except (ClientError, BotoCoreError) as error:
        raise explain(error, "list regions") from error


def leftovers(cloud: Cloud, names: Iterable[str] = (), now: datetime | None = None) -> list[Leftover]:
    """Everything under this project's tag, by region and environment.

    Args:
        names: regions; none: the one that ``cloud`` is in.
        now: for the ages.
    """
    now = now or datetime.now(UTC)
    found = []
    for name in list(names) or [cloud.region]:
        there = cloud if name == cloud.region else connect(region=name)
        by_env: dict[str, list[Resource]] = {}
        for one in survey(there).all:
            by_env.setdefault(one.env, []).append(one)
        for env, resources in sorted(by_env.items()):
            times = [one.created for one in resources if one.created]
            created = min(times) if times else None
            hours = None if created is None else (now - created).total_seconds() / 3600
            found.append(Leftover(env, name, resources, created, hours, cost_of_resources(resources, name)))
    return found
