"""The noise floor: how much the same thing differs from itself (A/A).

A function or orchestrator called ``<name>~aa`` is ``<name>`` under a second name. Whatever differs between the two is
noise, so a ratio between orchestrators that is no farther from 1 than theirs is not news.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from faas_exp.analysis import names
from faas_exp.analysis.inference.metrics import RESPONSE, Metric
from faas_exp.analysis.inference.ranks import mann_whitney
from faas_exp.analysis.inference.samples import CellKey, Sample, samples
from faas_exp.analysis.model import Dataset


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """How far apart twins are.

    Attributes:
        twins: one row per pair of twins: cell, orchestrator, medians, ``ratio``, ``deviation`` = max(ratio, 1/ratio)
            - 1,
            and the p-value of the test between them.
        median, p95, largest: of the deviations.
        false_alarms: share of twins which a test at alpha, without correction, calls different: about alpha when all is
            well.
    """

    twins: pd.DataFrame
    median: float
    p95: float
    largest: float
    false_alarms: float


def noise_floor(data: Dataset, alpha: float = 0.05, metric: Metric = RESPONSE) -> NoiseFloor | None:
    """The noise floor of one metric; None when nothing was measured twice."""
    rows = list(_twins(data, metric))
    if not rows:
        return None
    twins = pd.DataFrame(rows)
    deviation = twins["deviation"].to_numpy()
    return NoiseFloor(
        twins=twins,
        median=float(np.median(deviation)),
        p95=float(np.quantile(deviation, 0.95)),
        largest=float(deviation.max()),
        false_alarms=float((twins["p"] <= alpha).mean()),
    )


def _twins(data: Dataset, metric: Metric) -> Iterator[dict[str, Any]]:
    found: dict[tuple[CellKey, str], Sample] = {}
    for cell, by_orchestrator in samples(data, metric):
        found |= {(cell, name): sample for name, sample in by_orchestrator.items()}
    for (cell, orchestrator), sample in found.items():
        base = (cell._replace(function=names.base_of(cell.function)), names.base_of(orchestrator))
        other = found.get(base)
        if base == (cell, orchestrator) or other is None or not sample.median > 0 or not other.median > 0:
            continue
        ratio = other.median / sample.median
        yield {
            **base[0]._asdict(),
            "orchestrator": base[1],
            "twin": f"{orchestrator}/{cell.function}",
            "n": len(other),
            "n_twin": len(sample),
            "median": other.median,
            "median_twin": sample.median,
            "ratio": ratio,
            "deviation": max(ratio, 1 / ratio) - 1,
            "p": mann_whitney(other.values, sample.values)[1],
        }
