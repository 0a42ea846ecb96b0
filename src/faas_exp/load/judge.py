"""Was it the server that was measured, or the load generator?

The rules and their reasons are in docs/load.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from faas_exp.load.stats import percentile

MAX_CPU_PCT = 80.0
# p99 of the send lag, as a share of the median response time …
MAX_LAG_SHARE = 0.05
# … but never less than this, ms: one time slice that another process got.
LAG_FLOOR_MS = 1.0
# Below these a run is too short to be told from its own first moments.
MIN_CPU_S = 0.2
MIN_LAGS = 200


def spread_ms(lags: array[int]) -> dict[str, float] | None:
    """p50, p99 and maximum of lags given in nanoseconds; None when there are none."""
    if not lags:
        return None
    ordered = sorted(lags)
    values = {"p50": percentile(ordered, 50), "p99": percentile(ordered, 99), "max": ordered[-1]}
    return {name: round(value / 1e6, 6) for name, value in values.items()}


def reasons(
    processes: list[dict[str, Any]], lags: array[int], median_ms: float | None, expected: int, count: int
) -> list[str]:
    """Why a run is void; empty when it is not.

    Args:
        processes: what each load process said of itself (``wall_ns``, ``cpu_ns``, ``stopped``, ``exhausted``).
        lags: send lags, ns.
        median_ms: of the response times of successful requests; None without any.
        expected, count: requests asked for and made.
    """
    return [
        *_cut_short(processes, expected, count),
        *_of_machine("generator", processes, spread_ms(lags), len(lags), median_ms),
    ]


def machine_reasons(
    processes: list[dict[str, Any]],
    machines: Sequence[dict[str, Any]],
    median_ms: float | None,
    expected: int,
    count: int,
) -> list[str]:
    """The same for several machines; each reason names its machine.

    Args:
        processes: as for ``reasons``, each with its machine as ``generator``.
        machines: of each its ``name``, ``send_lag_ms``, number of ``lags``, and ``ran_off_ms`` of its clock.
    """
    found = _cut_short(processes, expected, count)
    for machine in machines:
        who = f"generator {machine['name']}"
        own = [process for process in processes if process["generator"] == machine["name"]]
        found += _of_machine(who, own, machine["send_lag_ms"], machine["lags"], median_ms)
        if machine["ran_off_ms"] is not None:
            found.append(f"{who}: its clock ran off by {machine['ran_off_ms']:.3f} ms during the run")
    return found


def _cut_short(processes: list[dict[str, Any]], expected: int, count: int) -> list[str]:
    if any(process["stopped"] for process in processes):
        return [f"duration: stopped by the guard with {count} of {expected} requests done"]
    return []


def _of_machine(
    who: str, processes: list[dict[str, Any]], lag: dict[str, float] | None, lags: int, median_ms: float | None
) -> list[str]:
    found = []
    share = max(cpu_pct(process) for process in processes)
    if share > MAX_CPU_PCT and judged(processes):
        found.append(f"{who}: {share:.0f} % of a core used, more than {MAX_CPU_PCT:.0f} %: use more processes")
    if lag is not None and median_ms is not None and lags >= MIN_LAGS:
        allowed = max(MAX_LAG_SHARE * median_ms, LAG_FLOOR_MS)
        if lag["p99"] > allowed:
            found.append(f"{who}: p99 of the send lag {lag['p99']:.3f} ms, more than {allowed:.3f} ms")
    exhausted = sum(process["exhausted"] for process in processes)
    if exhausted:
        found.append(f"{who}: {exhausted} requests had no free local port, socket or buffer")
    return found


def cpu_pct(process: dict[str, Any]) -> float:
    """Share of one core."""
    return 100 * process["cpu_ns"] / process["wall_ns"] if process["wall_ns"] else 0.0


def judged(processes: list[dict[str, Any]]) -> bool:
    """Whether there was enough work to tell saturation from the first moments."""
    most: int = max(process["cpu_ns"] for process in processes)
    return most >= MIN_CPU_S * 1e9
