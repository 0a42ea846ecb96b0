"""From the requests of one run to its numbers.

Definitions. Response times are those of successful requests, in ms. ``throughput`` is successes per second of wall
time, from the first start to the last end. Percentiles interpolate linearly between order statistics (Hyndman and
Fan, type 7).

The thesis defines two of them otherwise, and its tables can only be reproduced its way: a success is a response code of
exactly 200, and the time of a run goes from the start of the first row to the *start* of the last row, with the
milliseconds of both read as a decimal fraction (``.5`` for 5 ms). ``thesis_throughput`` is that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faas_exp.analysis.model import FloatArray
from faas_exp.analysis.requests import Requests

GRID: FloatArray = np.concatenate([np.linspace(0.0, 1.0, 1001)[:-1], [0.9995, 0.9999, 1.0]])
"""Probabilities at which the distribution of a run is kept: every 0.1 %, and further into the tail."""

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Measures:
    """The numbers of one run or chunk, by column of the tidy table, and the quantiles of its response times."""

    numbers: dict[str, float]
    quantiles: FloatArray | None
    whole_ms: bool


def quantile_of_sorted(values: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Type-7 quantiles of values that are already sorted; ``numpy.quantile`` would sort again."""
    position = probabilities * (len(values) - 1)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, len(values) - 1)
    weight = position - low
    result: FloatArray = values[low] * (1 - weight) + values[high] * weight
    return result


def measure(requests: Requests) -> Measures:
    """Compute the numbers of one run; undefined ones (a median of no successes) are NaN."""
    count = len(requests)
    good: FloatArray = np.sort(requests.elapsed[requests.success])
    start = float(requests.time.min())
    end = float((requests.time + requests.elapsed).max())
    wall_s = (end - start) / 1000
    numbers = {
        "count": count,
        "errors": count - len(good),
        "error_pct": 100.0 * (count - len(good)) / count,
        "throughput": len(good) / wall_s if wall_s > 0 else NAN,
        "start_ms": start,
        "end_ms": end,
        "wall_s": wall_s,
        "mean": NAN,
        "min": NAN,
        "max": NAN,
        "thesis_throughput": thesis_throughput(
            requests.time[0], requests.time[-1], int(requests.code_200.sum()), count
        ),
        "thesis_res_time": NAN,
    }
    numbers |= dict.fromkeys(PERCENTILES, NAN)
    quantiles = None
    if len(good):
        quantiles = quantile_of_sorted(good, GRID)
        numbers |= {"mean": float(good.mean()), "min": float(good[0]), "max": float(good[-1])}
        exact = quantile_of_sorted(good, np.array(list(PERCENTILES.values())))
        numbers |= dict(zip(PERCENTILES, exact.tolist(), strict=True))
    if requests.code_200.any():
        same = np.array_equal(requests.code_200, requests.success)
        numbers["thesis_res_time"] = numbers["p50"] if same else float(np.median(requests.elapsed[requests.code_200]))
    # Most files tell with their first times already.
    whole = bool(len(good)) and not np.any(good[:64] % 1) and not np.any(good % 1)
    return Measures(numbers, quantiles, whole)


def thesis_throughput(first_ms: float, last_ms: float, successes: int, rows: int) -> float:
    """Throughput as the thesis computed it, in requests per second; NaN where its formula has no value.

    Its milliseconds were printed without leading zeros behind a decimal point, so that 7 ms became 0.7 s, and its
    interval forgets whole days.
    """
    if rows < 2:
        return NAN
    microseconds = _as_thesis_read(last_ms) - _as_thesis_read(first_ms)
    interval = (microseconds % (86_400 * 1_000_000)) / 1_000_000
    return successes / interval if interval else NAN


def _as_thesis_read(time_ms: float) -> int:
    """Microseconds of a time stamp whose milliseconds were taken for a decimal fraction."""
    seconds, milliseconds = divmod(int(time_ms), 1000)
    return seconds * 1_000_000 + int(str(milliseconds).ljust(6, "0"))
