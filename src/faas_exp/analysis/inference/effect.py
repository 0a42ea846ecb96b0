"""How large a difference is, apart from whether it is there."""

from __future__ import annotations

import numpy as np

from faas_exp.analysis.model import FloatArray

SMALL, MEDIUM, LARGE = 0.56, 0.64, 0.71
"""Thresholds of Vargha and Delaney (2000), for A12 at or above one half."""


def a12(a: FloatArray, b: FloatArray) -> float:
    """Vargha and Delaney's A12: the probability that a run of ``a`` has a larger value than one of ``b``, ties
    counting half.

    0.5 means no difference. NaN for an empty sample.
    """
    if not len(a) or not len(b):
        return float("nan")
    larger = np.subtract.outer(a, b)
    return float(((larger > 0).sum() + 0.5 * (larger == 0).sum()) / larger.size)


def magnitude(value: float) -> str:
    """``negligible``, ``small``, ``medium`` or ``large``; empty when there is no value."""
    if np.isnan(value):
        return ""
    distance = max(value, 1 - value)
    if distance < SMALL:
        return "negligible"
    return "small" if distance < MEDIUM else "medium" if distance < LARGE else "large"
