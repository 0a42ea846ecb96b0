"""What an environment costs per hour, from the dated list in ``prices.yml``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from faas_exp.aws.spec import Wish
from faas_exp.aws.survey import Resource


@dataclass(frozen=True)
class Cost:
    """List prices of running things, US dollars per hour; traffic and tax come on top.

    Attributes:
        per_hour: the sum of what has a price.
        lines: one for each kind of thing, for people.
        unpriced: what is not in the list.
        as_of: year and month of the list.
    """

    per_hour: float
    lines: list[str]
    unpriced: list[str]
    as_of: str

    def __str__(self) -> str:
        text = f"about ${self.per_hour:.3f} per hour, ${self.per_hour * 24:.2f} per day (list prices of {self.as_of})"
        return text + (f", without {', '.join(self.unpriced)}: no price known" if self.unpriced else "")


def cost_of_wish(wish: Wish, region: str) -> Cost:
    """What an environment will cost when it is all there."""
    machines = Counter(machine.instance_type for machine in wish.machines)
    addresses = 1 + any(machine.public for machine in wish.machines)
    return _cost(region, machines, sum(machine.volume_size for machine in wish.machines), 1, addresses)


def cost_of_resources(resources: Iterable[Resource], region: str) -> Cost:
    """What these cost now: machines that run, disks, NAT gateways, addresses (they cost whether used or not)."""
    machines: Counter[str] = Counter()
    gigabytes = gateways = addresses = 0
    for one in resources:
        if one.kind == "instance" and one.state in ("pending", "running"):
            machines[one.raw["InstanceType"]] += 1
        elif one.kind == "volume":
            gigabytes += one.raw.get("Size", 0)
        elif one.kind == "nat gateway" and one.state in ("pending", "available"):
            gateways += 1
        elif one.kind == "elastic address":
            addresses += 1
    return _cost(region, machines, gigabytes, gateways, addresses)


def _cost(region: str, machines: Counter[str], gigabytes: int, gateways: int, addresses: int) -> Cost:
    table = price_list()
    prices = table["regions"].get(region, {})
    per_type = prices.get("machines_hour", {})
    gp3 = prices.get("gp3_gb_month")
    items: list[tuple[str, int, float | None]] = [
        *((f"{count} x {name}", count, per_type.get(name)) for name, count in sorted(machines.items())),
        (f"{gigabytes} GB gp3", gigabytes, gp3 / table["hours_per_month"] if gp3 else None),
        (f"{gateways} NAT gateway", gateways, prices.get("nat_gateway_hour")),
        (f"{addresses} public address{'es' if addresses != 1 else ''}", addresses, table["public_address_hour"]),
    ]
    present = [item for item in items if item[1]]
    priced = [(what, count * price) for what, count, price in present if price is not None]
    return Cost(
        per_hour=round(sum(price for _, price in priced), 4),
        lines=[f"{what}: ${price:.4f}" for what, price in priced],
        unpriced=[f"{what} in {region}" for what, _, price in present if price is None],
        as_of=str(table["as_of"]),
    )


@cache
def price_list() -> dict[str, Any]:
    """The list as it stands in the package."""
    text = files("faas_exp.aws").joinpath("prices.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
