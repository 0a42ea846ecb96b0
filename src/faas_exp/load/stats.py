"""What a run came to, in numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from faas_exp.load.rows import Rows
from faas_exp.load.spec import LoadSpec

_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Linear interpolation between closest ranks: numpy's default (Hyndman and Fan's type 7).

    Args:
        ordered: the sample, ascending, not empty.
        percent: 0 to 100.
    """
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class GeneratorFacts:
    """How the load generator itself fared.

    Attributes:
        cpu_pct: share of one core, of the process that used most.
        sched_wait_pct: share of the run in which that process was ready to run but had no core.
        send_lag_ms: how late requests were sent: p50, p99, max in milliseconds; None without any.
        connections: TCP connections opened.
        resent: requests sent again because the server had closed an idle connection.
        capped: open loop: requests that started late because every user was busy.
        judged: the run was long enough to be told saturated or not.
    """

    cpu_pct: float
    sched_wait_pct: float
    send_lag_ms: dict[str, float] | None
    connections: int
    resent: int
    capped: int
    judged: bool
    python: str
    locust: str
    calibration: dict[str, Any] | None = None


@dataclass(frozen=True)
class LoadStats:
    """One run, as in ``stats.json``.

    Times are milliseconds; ``start_ms`` and ``end_ms`` Unix time; ``throughput`` successes per second of ``wall_s``.
    ``elapsed_ms`` is over successful requests; its values are None when there were none. ``responseCodes`` and
    ``elapsed_ms`` have the names of the file's keys. ``generators`` tells of each machine, when there were several.
    """

    count: int
    errors: int
    error_pct: float
    response_codes: dict[str, int]
    elapsed_ms: dict[str, float | None]
    throughput: float
    start_ms: float
    end_ms: float
    wall_s: float
    users: int
    processes: int
    rate: float | None
    void: bool
    void_reasons: list[str]
    generator: GeneratorFacts
    replicas: dict[str, int] = field(default_factory=dict)
    generators: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As in ``stats.json``."""
        values = asdict(self)
        values["responseCodes"] = values.pop("response_codes")
        order = list(asdict(self))
        order[order.index("response_codes")] = "responseCodes"
        return {key: values[key] for key in order}


def elapsed_us(rows: Rows) -> list[int]:
    """Response time of each row, in the microseconds that the file shows."""
    return [(end - start + 500) // 1000 for start, end in zip(rows.start, rows.end, strict=True)]


def summarise(
    rows: Rows,
    spec: LoadSpec,
    wall_ns_at_zero: int,
    processes: int,
    generator: GeneratorFacts,
    void_reasons: list[str],
) -> LoadStats:
    """Statistics of the rows of a run. Computed from what the file shows, so that a reader gets the same numbers."""
    times = elapsed_us(rows)
    good = sorted(time for time, code in zip(times, rows.code, strict=True) if 200 <= code < 300)
    count = len(rows)
    first = min(rows.start, default=0)
    last = max(rows.end, default=0)
    wall = round((last - first) / 1e9, 6)
    names = [name.decode("latin-1") for name in rows.replicas]
    by_replica = Counter(rows.replica)
    by_replica.pop(0, None)
    return LoadStats(
        count=count,
        errors=count - len(good),
        error_pct=round(100 * (count - len(good)) / count, 6) if count else 0.0,
        response_codes={str(code): number for code, number in sorted(Counter(rows.code).items())},
        elapsed_ms=_spread(good),
        throughput=round(len(good) / wall, 6) if wall else 0.0,
        start_ms=_unix_ms(first, wall_ns_at_zero) if count else 0.0,
        end_ms=_unix_ms(last, wall_ns_at_zero) if count else 0.0,
        wall_s=wall,
        users=spec.users,
        processes=processes,
        rate=spec.rate,
        void=bool(void_reasons),
        void_reasons=void_reasons,
        generator=generator,
        replicas={names[number]: times for number, times in sorted(by_replica.items())},
    )


def _unix_ms(at_ns: int, wall_ns_at_zero: int) -> float:
    return (at_ns + wall_ns_at_zero) // 1000 / 1000


def _spread(good: list[int]) -> dict[str, float | None]:
    names = ["min", "mean", *(f"p{p:g}" for p in _PERCENTILES), "max"]
    if not good:
        return dict.fromkeys(names)
    values = [good[0], sum(good) / len(good), *(percentile(good, p) for p in _PERCENTILES), good[-1]]
    return {name: round(value / 1000, 6) for name, value in zip(names, values, strict=True)}
