"""The course of one run over time: requests, errors, response times and replicas per time slot."""

from __future__ import annotations

import numpy as np

from faas_exp.analysis.model import FloatArray
from faas_exp.analysis.requests import Requests

SLOTS = 120
"""At most so many slots per run: what a figure can show."""

PER_SLOT = 20
"""With fewer requests in a slot its median is noise."""

_WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
COLUMNS = ("second", "width_s", "count", "errors", "p50", "p95", "replicas")


def slot_width(wall_s: float, requests: int) -> float:
    """The smallest handy width, in seconds, which gives at most ``SLOTS`` slots with ``PER_SLOT`` requests each or
    more.
    """
    slots = max(1, min(SLOTS, requests // PER_SLOT))
    for width in _WIDTHS:
        if wall_s / width <= slots:
            return width
    return wall_s / slots


def timeline(requests: Requests) -> dict[str, FloatArray]:
    """One entry per slot with requests in it, by ``COLUMNS``.

    Requests belong to the slot in which they were sent; ``replicas`` counts the distinct ones that answered (0: not
    told).
    """
    offset = (requests.time - requests.time.min()) / 1000
    width = slot_width(float(offset.max()), len(offset))
    slot = (offset / width).astype(np.int64)
    slots = int(slot.max()) + 1
    count = np.bincount(slot, minlength=slots).astype(np.float64)
    errors = np.bincount(slot[~requests.success], minlength=slots).astype(np.float64)
    p50, p95 = _percentiles(slot[requests.success], requests.elapsed[requests.success], slots)
    used = count > 0
    return {
        "second": np.flatnonzero(used) * width,
        "width_s": np.full(int(used.sum()), width),
        "count": count[used],
        "errors": errors[used],
        "p50": p50[used],
        "p95": p95[used],
        "replicas": _replicas(slot, requests, slots)[used],
    }


def _percentiles(slot: np.ndarray, elapsed: FloatArray, slots: int) -> tuple[FloatArray, FloatArray]:
    """Median and p95 per slot (nearest rank), by one sort over slot and time together."""
    p50, p95 = np.full(slots, np.nan), np.full(slots, np.nan)
    if len(elapsed):
        span = float(elapsed.max()) + 1.0
        ordered = np.sort(slot * span + elapsed)
        sizes = np.bincount(slot, minlength=slots)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        has = sizes > 0
        for target, share in ((p50, 0.5), (p95, 0.95)):
            at = starts[has] + np.ceil(sizes[has] * share).astype(np.int64) - 1
            target[has] = ordered[at] - np.flatnonzero(has) * span
    return p50, p95


def _replicas(slot: np.ndarray, requests: Requests, slots: int) -> FloatArray:
    known = requests.replica >= 0
    if not known.any():
        return np.zeros(slots)
    kinds = len(requests.replicas)
    # At most SLOTS times the number of replicas: counting is faster than sorting.
    pairs = np.bincount(slot[known] * kinds + requests.replica[known], minlength=slots * kinds)
    seen: FloatArray = (pairs.reshape(slots, kinds) > 0).sum(axis=1).astype(np.float64)
    return seen
