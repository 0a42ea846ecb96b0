"""The interquartile cut, as the thesis made it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def within_fences(values: Sequence[float]) -> list[float]:
    """The values strictly between Tukey's fences, ``Q1 - 1.5 IQR`` and ``Q3 + 1.5 IQR``.

    Quartiles take the midpoint between two order statistics (NumPy's ``midpoint``), as in the thesis; where the
    interquartile range is zero nothing is cut. NaN are dropped first.
    """
    known = [float(value) for value in values if not np.isnan(value)]
    if len(known) < 2:
        return known
    q1, q3 = np.percentile(known, [25, 75], method="midpoint")
    reach = 1.5 * (q3 - q1)
    if reach == 0:
        return known
    return [value for value in known if q1 - reach < value < q3 + reach]


def median_within_fences(values: Sequence[float]) -> float:
    """Median after the cut; NaN when there is nothing to take it of."""
    kept = within_fences(values)
    return float(np.median(kept)) if kept else float("nan")
