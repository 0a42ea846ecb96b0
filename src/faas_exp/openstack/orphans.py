"""What earlier runs left: every environment that still has something in the project, and how old it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from faas_exp.clouds.leftovers import Rest, by_env
from faas_exp.openstack.session import Cloud
from faas_exp.openstack.survey import Resource, survey


@dataclass(frozen=True)
class Leftover(Rest[Resource]):
    """One environment."""

    region: str

    def __str__(self) -> str:
        return f"{self.env} ({self.region or 'default region'}), {self.age}: {self.what}"


def leftovers(cloud: Cloud, env: str | None = None, now: datetime | None = None) -> list[Leftover]:
    """Everything under this project's mark, by environment.

    Args:
        env: only this one.
        now: for the ages.
    """
    return [Leftover(**vars(rest), region=cloud.region) for rest in by_env(survey(cloud, env).all, now)]
