"""Cost per million requests, from prices in the experiment file.

``experiment.prices`` maps an orchestrator, or a machine, to its cost per hour. What a million successful requests
cost is that divided by the requests of an hour at the measured throughput. It is the cost of a cluster kept busy: an
idle hour costs the same and serves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from faas_exp.analysis import names
from faas_exp.analysis.inference.metrics import THROUGHPUT
from faas_exp.analysis.inference.samples import samples
from faas_exp.analysis.model import Dataset


@dataclass(frozen=True, slots=True)
class Costs:
    """``table``: cell, orchestrator, ``per_hour``, ``throughput`` (median over runs), ``per_million``."""

    per_hour: Mapping[str, float]
    table: pd.DataFrame


def costs(data: Dataset) -> Costs | None:
    """Costs of every case; None when no manifest carries prices that fit."""
    per_hour = {name: _per_hour(name, manifest) for name, manifest in data.provenance.manifests.items()}
    known = {name: price for name, price in per_hour.items() if price is not None}
    if not known:
        return None
    rows: list[dict[str, Any]] = []
    for cell, by_orchestrator in samples(data, THROUGHPUT):
        for name in names.in_natural_order(by_orchestrator):
            median = by_orchestrator[name].median
            if name in known and median > 0 and cell.phase != "cold":
                per_million = known[name] / (median * 3600) * 1e6
                rows.append(
                    {
                        **cell._asdict(),
                        "orchestrator": name,
                        "per_hour": known[name],
                        "throughput": median,
                        "per_million": per_million,
                    }
                )
    return Costs(known, pd.DataFrame(rows)) if rows else None


def _per_hour(orchestrator: str, manifest: Mapping[str, Any]) -> float | None:
    """The price of the orchestrator, else the sum over its machines that have one."""
    prices = _prices(manifest)
    if orchestrator in prices:
        return prices[orchestrator]
    platform = manifest.get("platform")
    machines = platform.get("machines") if isinstance(platform, dict) else None
    found = [prices[kind] for kind in map(_kind, machines if isinstance(machines, list) else []) if kind in prices]
    return sum(found) if found else None


def _prices(manifest: Mapping[str, Any]) -> dict[str, float]:
    """``prices`` of the experiment file, in its section ``experiment`` or beside it."""
    file = manifest.get("experiment")
    if not isinstance(file, dict):
        return {}
    section = file.get("experiment")
    prices = (section.get("prices") if isinstance(section, dict) else None) or file.get("prices")
    if not isinstance(prices, dict):
        return {}
    return {str(key): float(value) for key, value in prices.items() if isinstance(value, int | float) and value >= 0}


def _kind(machine: Any) -> str:
    """What a machine's price is listed under: its type or flavour, else its name."""
    if isinstance(machine, dict):
        return str(machine.get("type") or machine.get("flavor") or machine.get("name") or "")
    return str(machine)
