"""The choices a reviewer asks about, in one place: they are printed in every report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["table", "function", "all"]

ENOUGH_RUNS = 5
"""From so many runs on, the percentile interval covers what it says (simulated: 96-97 % at 5 and more, 88 % at 3)."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to compare.

    Attributes:
        alpha: level of the tests, after Holm's correction.
        confidence: of the intervals.
        margin: ratios within 1/(1 + margin) … 1 + margin count as equivalent.
        error_margin: error rates within so many percentage points of each other count as equivalent.
        family: which comparisons of one metric are corrected together: those of one table (function and load type),
            of one function, or all.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """

    alpha: float = 0.05
    confidence: float = 0.95
    margin: float = 0.05
    error_margin: float = 1.0
    family: Family = "table"
    resamples: int = 4_000
    seed: int = 20_200_901
