"""When to stop repeating a case: once the interval of its median is narrow enough, or a cap is reached.

The interval is the distribution-free one between two order statistics of the runs (Conover, Practical Nonparametric
Statistics, section 3.2): with B binomial(n, 1/2), the k-th smallest and k-th largest run enclose the median with
probability 1 - 2 P(B < k). It needs six runs before it reaches 95 %. Nothing here looks at another orchestrator, and
no test is made, so stopping early does not bend the p-values that are computed in the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to stop, why, and how wide the interval is.

    ``half_width_pct`` is the larger distance from the median to an end of its interval, in percent of the median;
    infinite while there are too few runs for an interval.
    """

    stop: bool
    reason: str
    runs: int
    half_width_pct: float


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """The narrowest symmetric interval of order statistics that covers the median with at least ``confidence``.

    None when there are too few values for it.
    """
    ordered = sorted(values)
    n = len(ordered)
    best: int | None = None
    tail = 0.0
    for k in range(1, n // 2 + 1):
        # tail is P(B < k): the chance that fewer than k runs lie below the median.
        tail += math.comb(n, k - 1) / 2**n
        if 1 - 2 * tail < confidence:
            break
        best = k
    return None if best is None else (ordered[best - 1], ordered[n - best])


def half_width_pct(values: Sequence[float], confidence: float = 0.95) -> float:
    """Half-width of the median's interval in percent of the median; infinite without an interval or with a median of
    0.
    """
    ends = median_interval(values, confidence)
    if ends is None:
        return math.inf
    ordered = sorted(values)
    n = len(ordered)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return 100 * max(middle - ends[0], ends[1] - middle) / middle if middle > 0 else math.inf


def decide(
    run_medians: Sequence[float],
    *,
    target_pct: float = 5.0,
    least_runs: int = 6,
    most_runs: int = 30,
    confidence: float = 0.95,
) -> Decision:
    """Decide after a run whether another one is needed.

    Args:
        run_medians: one median response time per run so far, ms; void runs and runs without a success (NaN) don't count
            as runs and must not be passed.
        target_pct: stop when the half-width is at most so many percent of the median.
        least_runs: never stop before; two-sided exact tests at 5 % in a family of twelve need six.
        most_runs: always stop then.
        confidence: of the interval.

    Raises:
        ValueError: a median is not a positive number, or the limits contradict each other.
    """
    if least_runs < 1 or most_runs < least_runs or not target_pct > 0 or not 0 < confidence < 1:
        raise ValueError(
            f"stopping: found {least_runs=}, {most_runs=}, {target_pct=}, {confidence=}, allowed: 1 ≤ least ≤ most, "
            "target > 0, 0 < confidence < 1"
        )
    if not all(math.isfinite(value) and value > 0 for value in run_medians):
        raise ValueError("stopping: found a median that is no positive number, allowed: medians of runs with successes")
    runs = len(run_medians)
    width = half_width_pct(run_medians, confidence)
    if runs >= most_runs:
        return Decision(True, f"{runs} runs are the cap", runs, width)
    if runs < least_runs:
        return Decision(False, f"{runs} of at least {least_runs} runs", runs, width)
    if width <= target_pct:
        return Decision(True, f"the interval of the median is within {width:.1f} % of it", runs, width)
    return Decision(
        False, f"the interval of the median is within {width:.1f} % of it, wanted {target_pct:g} %", runs, width
    )
