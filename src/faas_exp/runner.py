"""One run, from "are the right replicas up?" to ``run.json``."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faas_exp import __version__
from faas_exp.enough import decision_for
from faas_exp.grid import Chunk, Run
from faas_exp.load import Fleet, LoadSpec, run_load
from faas_exp.machine import machine_facts
from faas_exp.openfaas import OpenFaaS, Probe
from faas_exp.platform_metrics import collect
from faas_exp.results import finish_run, new_run, read_run, write_json, writer_lock
from faas_exp.schema import StoppingRule

# After the last run a replica may just be being replaced; more than this and the platform is broken.
_HEAL_TIMEOUT = 60.0
# Beyond the platform's own idle time: its idler looks only every so often.
_IDLE_GRACE = 180.0


@dataclass(frozen=True)
class RunSettings:
    """What a run needs beside its place in the grid.

    Attributes:
        http_host: ``Host`` header when the server is an address.
        cold_start: ``idle`` or ``forced``; None for a function without cold starts.
        inactivity_duration: minutes after which the platform scales to zero.
        delay: seconds without load before the run.
        redo: do it even if it is complete.
        order: position in the executed plan.
        calibration: file with the load generator's calibration, if there is one.
        gateway_version, image: recorded as they are.
        stopping_rule, most_runs: of the case; the run is left out when the rule says that it is known well enough.
        generators: machines that make the load together; None: this one alone.
        prometheus_url: asked after the run for what the machines and the gateway did meanwhile.
    """

    uri: str
    method: str = "POST"
    data: str | None = None
    headers: dict[str, str] | None = None
    param: tuple[int, int] | None = None
    http_host: str | None = None
    rate: float | None = None
    arrivals: str = "constant"
    request_timeout: float = 310.0
    run_timeout: float | None = None
    processes: int | str = 1
    cold_start: str | None = None
    inactivity_duration: float | None = None
    delay: float = 0.0
    redo: bool = False
    order: int = 0
    calibration: Path | None = None
    gateway_version: str | None = None
    image: str | None = None
    prometheus_url: str | None = None
    generators: Fleet | None = None
    stopping_rule: StoppingRule | None = None
    most_runs: int = 1


def execute_run(run: Run, settings: RunSettings, gateway: OpenFaaS, root: Path) -> dict[str, Any]:
    """Do a run and write it into the tree below ``root``.

    A run that is complete already with the same configuration is returned as it is, with ``skipped`` true.

    Returns:
        The record that is in ``run.json``, plus ``skipped`` and ``stats`` (per chunk).

    Raises:
        PlatformError: the replicas are not as the case wants them. Nothing is written then.
        LoadError: the load generator could not run.
        ResultsError: the tree can't be written.
    """
    with writer_lock(root, run.orchestrator):
        existing = read_run(root / run.path)
        if existing is not None and not settings.redo and existing.get("config_hash") == run.config_hash:
            return {**existing, "skipped": True, "stats": {}}
        if settings.stopping_rule is not None:
            decision = decision_for(root, run, settings.stopping_rule, settings.most_runs)
            if decision is not None and decision.stop:
                return {"skipped": True, "reason": f"not needed: {decision.reason}", "void": False, "stats": {}}
        if settings.delay:
            time.sleep(settings.delay)
        before = _check_replicas(run, settings, gateway)
        started = datetime.now(UTC)
        stats: dict[str, dict[str, Any]] = {}
        with new_run(root, run) as folder:
            for chunk in run.chunks:
                if chunk.cold:
                    _await_zero(run, settings, gateway)
                spec = _spec(run, chunk, settings, gateway)
                stats[chunk.name] = run_load(spec, folder / chunk.name, settings.generators).to_dict()
            if settings.prometheus_url:
                now = datetime.now(UTC).timestamp()
                seen = collect(settings.prometheus_url, run.function, started.timestamp(), now)
                write_json(folder / "metrics.json", seen)
            status = gateway.get(run.function)
            reasons = [f"{name or 'run'}: {reason}" for name, s in stats.items() for reason in s["void_reasons"]]
            record: dict[str, Any] = {
                "schema": 1,
                "config_hash": run.config_hash,
                "config": run.config,
                "orchestrator": run.orchestrator,
                "function": run.name,
                "load": run.load,
                "scaling": run.scaling,
                "case": run.case,
                "run": run.run,
                "users": run.users,
                "replicas": run.replicas,
                "replicas_seen": {"before": before, "after": status.available if status else 0},
                "number_of_requests": run.number_of_requests,
                "chunks": [c.name for c in run.chunks if c.name],
                "seed": run.seed,
                "order": settings.order,
                "started": started.isoformat(timespec="milliseconds"),
                "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "void": any(s["void"] for s in stats.values()),
                "void_reasons": reasons,
                "versions": _versions(settings, stats),
                "machine": machine_facts(),
                "generators": _generators(stats),
                "server": gateway.url,
                "image": settings.image,
            }
            finish_run(folder, record)
    return {**record, "skipped": False, "stats": stats}


def _check_replicas(run: Run, settings: RunSettings, gateway: OpenFaaS) -> int:
    """The replicas that are up; for a case with a fixed number, exactly that number, or an error."""
    status = gateway.get(run.function)
    if status is not None and status.available == 0 and settings.cold_start:
        # Asleep since the last idle time. The first chunk is a warm one: wake it with a request that is not counted.
        gateway.invoke(Probe(settings.uri, settings.method, settings.data), timeout=_HEAL_TIMEOUT)
    return gateway.wait_ready(run.function, run.replicas, None, _HEAL_TIMEOUT).available


def _await_zero(run: Run, settings: RunSettings, gateway: OpenFaaS) -> None:
    """No replica is up when this returns."""
    if settings.cold_start == "forced":
        gateway.scale(run.function, 0)
        gateway.wait_zero(run.function, _HEAL_TIMEOUT)
        return
    # The thesis waits a minute more than the platform's idle time.
    time.sleep(((settings.inactivity_duration or 0) + 1) * 60)
    gateway.wait_zero(run.function, _IDLE_GRACE)


def _spec(run: Run, chunk: Chunk, settings: RunSettings, gateway: OpenFaaS) -> LoadSpec:
    return LoadSpec(
        url=gateway.url,
        path="/" + settings.uri.lstrip("/"),
        method=settings.method,
        users=run.users,
        number_of_requests=chunk.number_of_requests,
        data=settings.data,
        headers=dict(settings.headers or {}),
        param=settings.param,
        seed=chunk.seed,
        rate=settings.rate,
        arrivals=settings.arrivals,
        duration=settings.run_timeout,
        processes=settings.processes,
        timeout=settings.request_timeout,
        label=run.function,
        http_host=settings.http_host,
        calibration=settings.calibration,
    )


def _generators(stats: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The machines that made the load together, with their clocks in each chunk; empty when it was one alone."""
    first = next(iter(stats.values()))["generators"]
    return [
        {
            **{key: one[key] for key in ("name", "users", "processes", "versions", "machine")},
            "clock": {chunk: of["generators"][number]["clock"] for chunk, of in stats.items()},
        }
        for number, one in enumerate(first)
    ]


def _versions(settings: RunSettings, stats: dict[str, dict[str, Any]]) -> dict[str, Any]:
    generator = next(iter(stats.values()))["generator"]
    return {
        "faas_exp": __version__,
        "python": platform.python_version(),
        "locust": generator.get("locust"),
        "gateway": settings.gateway_version,
    }
