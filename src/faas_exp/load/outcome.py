"""From the rows and what the load processes said of themselves to the statistics, verdict included."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Any

from faas_exp.errors import LoadError
from faas_exp.load import judge
from faas_exp.load.rows import Rows
from faas_exp.load.spec import LoadSpec
from faas_exp.load.stats import GeneratorFacts, LoadStats, summarise


def outcome(
    spec: LoadSpec, rows: Rows, facts: list[dict[str, Any]], wall_ns_at_zero: int, calibration: dict[str, Any] | None
) -> LoadStats:
    """Statistics and verdict of a run.

    Args:
        rows: of all load processes.
        facts: what each of them said of itself (``Session.finish``, ``stopped``, ``locust``).
        wall_ns_at_zero: Unix time at zero of the rows' clock, ns.
        calibration: of the load generator, if known.

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
        calibration=calibration,
    )
    plain = summarise(rows, spec, wall_ns_at_zero, len(facts), generator, [])
    void = judge.reasons(facts, rows.lag, plain.elapsed_ms["p50"], spec.number_of_requests, len(rows))
    return replace(plain, void=bool(void), void_reasons=void)
