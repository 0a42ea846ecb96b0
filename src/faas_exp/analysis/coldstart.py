"""Cold starts: which responses waited for a replica to start, and the first responses of a chunk.

A response is cold when the replica that served it started after the request was sent, or when it is that replica's
first response and the replica started during the chunk. Both are told by the header with the replica's start time,
never by the response time. A cold chunk of thousands of requests holds a handful of cold ones: its median says
nothing about them, so they are kept one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faas_exp.analysis.model import BoolArray, FloatArray, IntArray
from faas_exp.analysis.requests import Requests

FIRST = 50
"""How many of the first responses of a run or chunk are kept (cold ones are kept beyond it)."""

MOST_COLD = 500
"""How many cold responses of a run or chunk are kept; their count is always whole."""


@dataclass(frozen=True, slots=True)
class FirstResponses:
    """First and cold responses of one run or chunk, in the order in which they were sent.

    ``rank`` counts from 0; ``offset_ms`` from the first request; ``start_after_ms`` is how long after the request was
    sent the replica started (negative: it was there already, NaN: unknown).
    """

    rank: IntArray
    offset_ms: FloatArray
    elapsed: FloatArray
    replica: list[str]
    start_after_ms: FloatArray
    cold: BoolArray
    success: BoolArray
    cold_count: int | None
    first_response: float


def cold_mask(requests: Requests) -> BoolArray | None:
    """Which responses were cold; None when no response told its replica's start time."""
    known = np.isfinite(requests.replica_start)
    if not known.any():
        return None
    cold: BoolArray = known & (requests.replica_start > requests.time)
    started_here = known & (requests.replica >= 0) & (requests.replica_start >= requests.time.min())
    where = np.flatnonzero(started_here)
    if len(where):
        # The file is in the order of completion, so the first row of a replica is its first response.
        _, first = np.unique(requests.replica[where], return_index=True)
        cold[where[first]] = True
    return cold


def first_responses(requests: Requests) -> FirstResponses:
    """The first responses by time of sending, and every cold one (up to ``MOST_COLD``)."""
    cold = cold_mask(requests)
    count = len(requests)
    earliest = np.argpartition(requests.time, FIRST)[:FIRST] if count > FIRST else np.arange(count)
    chosen = earliest if cold is None else np.union1d(earliest, np.flatnonzero(cold)[:MOST_COLD])
    chosen = chosen[np.argsort(requests.time[chosen], kind="stable")]
    good = chosen[requests.success[chosen]]
    return FirstResponses(
        rank=np.arange(len(chosen)),
        offset_ms=requests.time[chosen] - requests.time.min(),
        elapsed=requests.elapsed[chosen],
        replica=[requests.replicas[code] if code >= 0 else "" for code in requests.replica[chosen]],
        start_after_ms=requests.replica_start[chosen] - requests.time[chosen],
        cold=np.zeros(len(chosen), bool) if cold is None else cold[chosen],
        success=requests.success[chosen],
        cold_count=None if cold is None else int(cold.sum()),
        first_response=float(requests.elapsed[good[0]]) if len(good) else float("nan"),
    )
