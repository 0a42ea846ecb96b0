"""From the rows and what the load processes said of themselves to the statistics, verdict included."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from faas_exp.errors import LoadError
from faas_exp.load import judge
from faas_exp.load.rows import Rows
from faas_exp.load.spec import LoadSpec
from faas_exp.load.stats import GeneratorFacts, LoadStats, summarise


def outcome(
    spec: LoadSpec,
    rows: Rows,
    facts: list[dict[str, Any]],
    wall_ns_at_zero: int,
    calibration: dict[str, Any] | None,
    machines: Sequence[dict[str, Any]] = (),
) -> LoadStats:
    """Statistics and verdict of a run.

    Args:
        rows: of all load processes.
        facts: what each of them said of itself (``Session.finish``, ``stopped``, ``locust``).
        wall_ns_at_zero: Unix time at zero of the rows' clock, ns.
        calibration: of the load generator, if known.
        machines: what the master of several machines says of each.

    Raises:
        LoadError: the load generator failed, or its rows are not the requests asked for.
    """
    failures = [fact["failure"] for fact in facts if fact["failure"]]
    if failures:
        raise LoadError(f"the load generator failed: {failures[0]}")
    if len(rows) != spec.number_of_requests and not any(fact["stopped"] for fact in facts):
        raise LoadError(f"the load generator lost count: {len(rows)} rows of {spec.number_of_requests} requests")
    busiest = max(facts, key=judge.cpu_pct)
    generator = GeneratorFacts(
        cpu_pct=round(judge.cpu_pct(busiest), 2),
        sched_wait_pct=round(100 * busiest["sched_wait_ns"] / busiest["wall_ns"], 2),
        send_lag_ms=judge.spread_ms(rows.lag),
        connections=sum(fact["connections"] for fact in facts),
        resent=sum(fact["resent"] for fact in facts),
        capped=sum(fact["capped"] for fact in facts),
        judged=judge.judged(facts),
        python=platform.python_version(),
        locust=facts[0]["locust"],
        calibration=together(machines) if machines else calibration,
    )
    plain = summarise(rows, spec, wall_ns_at_zero, len(facts), generator, [])
    median, expected = plain.elapsed_ms["p50"], spec.number_of_requests
    if machines:
        void = judge.machine_reasons(facts, machines, median, expected, len(rows))
    else:
        void = judge.reasons(facts, rows.lag, median, expected, len(rows))
    generators = [_of_machine(machine, facts, wall_ns_at_zero) for machine in machines]
    return replace(plain, void=bool(void), void_reasons=void, generators=generators)


def _of_machine(machine: dict[str, Any], facts: Sequence[dict[str, Any]], wall_ns_at_zero: int) -> dict[str, Any]:
    """A machine as in ``stats.json``."""
    busiest = max((fact for fact in facts if fact["generator"] == machine["name"]), key=judge.cpu_pct)
    last = machine["last_ns"]
    kept = ("name", "users", "processes", "requests", "send_lag_ms", "clock", "versions", "machine", "calibration")
    return {
        **{key: machine[key] for key in kept},
        "cpu_pct": round(judge.cpu_pct(busiest), 2),
        "sched_wait_pct": round(100 * busiest["sched_wait_ns"] / busiest["wall_ns"], 2),
        "end_ms": None if last is None else (last + wall_ns_at_zero) // 1000 / 1000,
    }


def together(machines: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The calibrations of several machines as one: ceilings add up, of floors and costs the highest counts. None when
    one is not known."""
    known = [machine["calibration"] for machine in machines]
    if not all(known):
        return None
    highest = {key: max(one[key] for one in known) for key in ("cpu_us", "floor_p50_ms", "floor_p99_ms")}
    ceiling = round(sum(one["ceiling_rps"] for one in known), 1)
    return {**known[0], **highest, "ceiling_rps": ceiling, "generators": len(known)}
