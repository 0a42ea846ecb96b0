"""What earlier runs left: every environment that still has something at AWS, how old, at what price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from faas_exp.aws.errors import FAILURES, explain
from faas_exp.aws.prices import Cost, cost_of_resources
from faas_exp.aws.session import Cloud, connect
from faas_exp.aws.survey import Resource, survey
from faas_exp.clouds.leftovers import Rest, by_env


@dataclass(frozen=True)
class Leftover(Rest[Resource]):
    """One environment in one region.

    Attributes:
        spent: about what it has cost since, US dollars, as if all of it had been there from the start.
    """

    region: str
    cost: Cost

    @property
    def spent(self) -> float | None:
        return None if self.hours is None else round(self.hours * self.cost.per_hour, 2)

    def __str__(self) -> str:
        spent = "" if self.spent is None else f", about ${self.spent:.2f} so far"
        return f"{self.env} ({self.region}), {self.age}, {self.cost}{spent}: {self.what}"


def regions(cloud: Cloud) -> list[str]:
    """The regions that are open to this account."""
    try:
        return sorted(one["RegionName"] for one in cloud.ec2.describe_regions()["Regions"])
    except FAILURES as error:
        raise explain(error, "list regions") from error


def leftovers(cloud: Cloud, names: Iterable[str] = (), now: datetime | None = None) -> list[Leftover]:
    """Everything under this project's tag, by region and environment.

    Args:
        names: regions; none: the one that ``cloud`` is in.
        now: for the ages.
    """
    found: list[Leftover] = []
    for name in list(names) or [cloud.region]:
        there = cloud if name == cloud.region else connect(region=name)
        found += [
            Leftover(**vars(rest), region=name, cost=cost_of_resources(rest.resources, name))
            for rest in by_env(survey(there).all, now)
        ]
    return found
