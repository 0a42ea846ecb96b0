"""The answer over all cases: the geometric mean of the ratios, and how often each orchestrator wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faas_exp.analysis.inference.bootstrap import interval
from faas_exp.analysis.inference.compare import BETTER, EQUIVALENT, UNDECIDED, WORSE, Comparison
from faas_exp.analysis.inference.metrics import RESPONSE
from faas_exp.analysis.inference.samples import CellKey


@dataclass(frozen=True, slots=True)
class Overall:
    """One pair over many cells: a's median response time divided by b's.

    ``ratio`` is the geometric mean over cells, each counting the same; the interval resamples runs and requests within
    the cells. It speaks of these functions and cases, not of functions in general.
    """

    a: str
    b: str
    cells: int
    ratio: float
    low: float
    high: float
    better: int
    worse: int
    equivalent: int
    undecided: int

    def turned(self) -> Overall:
        """The same, b to a."""
        return Overall(
            self.b, self.a, self.cells, 1 / self.ratio, 1 / self.high, 1 / self.low,
            self.worse, self.better, self.equivalent, self.undecided,
        )  # fmt: skip

    @property
    def faster_first(self) -> Overall:
        """The same, with the faster orchestrator as ``a``."""
        return self if self.ratio <= 1 else self.turned()

    @property
    def sure(self) -> bool:
        """Whether the interval leaves no doubt about the direction."""
        return bool(self.high < 1 or self.low > 1)


def overall(comparison: Comparison, where: Callable[[CellKey], bool] = lambda cell: True) -> list[Overall]:
    """Every pair that shares a cell with ``where``; cells after cold starts have another table and are left out."""
    found = []
    pairs = comparison.pairs
    for (a, b), by_cell in comparison.log_ratios.items():
        chosen = {cell: logs for cell, logs in by_cell.items() if cell.phase != "cold" and where(cell)}
        if not chosen:
            continue
        rows = pairs[(pairs["metric"] == RESPONSE.name) & (pairs["a"] == a) & (pairs["b"] == b)]
        keys = [CellKey(*key) for key in rows[list(CellKey._fields)].itertuples(index=False, name=None)]
        rows = rows[[key in chosen for key in keys]]
        low, high = interval(np.mean(list(chosen.values()), axis=0), comparison.options.confidence)
        counts = rows["verdict"].value_counts()
        found.append(
            Overall(
                a=a,
                b=b,
                cells=len(rows),
                ratio=float(np.exp(np.log(rows["ratio"]).mean())),
                low=float(np.exp(low)),
                high=float(np.exp(high)),
                better=int(counts.get(BETTER, 0)),
                worse=int(counts.get(WORSE, 0)),
                equivalent=int(counts.get(EQUIVALENT, 0)),
                undecided=int(counts.get(UNDECIDED, 0)),
            )
        )
    return found
