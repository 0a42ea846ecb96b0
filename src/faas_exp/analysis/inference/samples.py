"""From the tidy table to samples: one value per run, because the run is the unit that was repeated.

A run of warm and cold chunks gives one warm and one cold value, each the median over its chunks: the chunks of a run
share its machines, its deployment and its hour, and pooling them as if they were runs would multiply the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from faas_exp.analysis.inference.metrics import Metric
from faas_exp.analysis.model import Dataset, FloatArray


class CellKey(NamedTuple):
    """What orchestrators are compared in. ``phase`` is ``warm``, ``cold``, or empty."""

    function: str
    load: str
    scaling: str
    case: str
    phase: str


@dataclass(frozen=True)
class Part:
    """One chunk of a run, or the whole run: its value, and where known the distribution behind it."""

    value: float
    quantiles: FloatArray | None
    count: int


@dataclass(frozen=True)
class Sample:
    """The runs of one orchestrator in one cell, for one metric."""

    runs: tuple[tuple[Part, ...], ...]

    @cached_property
    def values(self) -> FloatArray:
        """One value per run."""
        return np.array([float(np.median([part.value for part in run])) for run in self.runs])

    @property
    def median(self) -> float:
        return float(np.median(self.values)) if self.runs else float("nan")

    def __len__(self) -> int:
        return len(self.runs)


def usable(data: Dataset) -> pd.DataFrame:
    """The runs that count: not void."""
    return data.runs[~data.runs["void"]]


def samples(data: Dataset, metric: Metric) -> Iterator[tuple[CellKey, dict[str, Sample]]]:
    """Per cell the samples by orchestrator, in the order of the tidy table; runs without a value are left out."""
    runs = usable(data)
    runs = runs[runs[metric.column].notna()]
    phase = runs["chunk"].str.extract(r"^(warm|cold)_", expand=False).fillna("")
    if metric.cold_only:
        runs, phase = runs[phase == "cold"], phase[phase == "cold"]
    keys = ["function", "load", "scaling", "case"]
    for key, cell in runs.groupby([*keys, phase.rename("phase")], sort=False):
        by_orchestrator = {
            str(name): sample_of(data, group, metric) for name, group in cell.groupby("orchestrator", sort=False)
        }
        yield CellKey(*map(str, key)), by_orchestrator


def sample_of(data: Dataset, rows: pd.DataFrame, metric: Metric) -> Sample:
    """The sample in these rows of the tidy table, all of one orchestrator and cell, grouped by run."""
    return Sample(tuple(_parts(data, run, metric) for _, run in rows.groupby("run", sort=False)))


def _parts(data: Dataset, run: pd.DataFrame, metric: Metric) -> tuple[Part, ...]:
    hierarchical = metric.quantile is not None
    return tuple(
        Part(float(value), data.quantiles.get(int(leaf)) if hierarchical else None, int(count) - int(errors))
        for value, leaf, count, errors in zip(run[metric.column], run["leaf"], run["count"], run["errors"], strict=True)
    )
