"""Result trees made up for the tests of the analysis: realistic times, known ratios between orchestrators."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

OWN_HEADER = "timeStamp,elapsed,label,responseCode,responseMessage,success,bytes,user,replica,replicaStart"
JMETER_HEADER = (
    "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,"
    "grpThreads,allThreads,URL,Latency,IdleTime,Connect"
)
START = 1_700_000_000_000
RATIOS = {"k8s": 1.0, "nomad": 1.25, "swarm": 0.8}
"""True ratios of medians to k8s."""

TYPES = {
    ("sequential", "noautoscaling"): ("replica1", "replica10"),
    ("parallel", "autoscaling"): ("user_5", "user_50"),
    ("parallel", "noautoscaling"): ("replica1", "replica10"),
}


def own_run(
    folder: Path,
    elapsed: Sequence[float] | np.ndarray,
    *,
    errors: Iterable[int] = (),
    start: float = START,
    users: int = 1,
    replicas: int = 1,
    replica_start: float = START - 60_000,
    cold_start: float = 0,
    run_json: Mapping[str, Any] | None = None,
    stats: Mapping[str, Any] | None = None,
    complete: bool = True,
    label: str = "gofunction",
) -> Path:
    """One leaf with ``requests.csv``, ``stats.json`` and, unless it is a chunk, ``run.json``.

    ``cold_start``: the replicas started so many ms after the first request; those sent before waited for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed, times = set(errors), np.asarray(elapsed, float)
    begun = replica_start if not cold_start else start + cold_start
    rows = []
    # A closed loop: every user sends when it was answered; while there is no replica everybody waits for it.
    free = [start] * users
    for i, e in enumerate(times):
        user = int(np.argmin(free))
        sent = free[user]
        took = max(e, begun - sent + e) if cold_start else e
        free[user] = sent + took
        code, ok, why = (500, "false", "") if i in failed else (200, "true", "")
        line = f"{sent:.3f},{took:.3f},{label},{code},{why},{ok},19,{user},{label}-{i % replicas},{begun:.0f}"
        rows.append((sent + took, line))
    lines = [OWN_HEADER, *(line for _, line in sorted(rows))]
    (folder / "requests.csv").write_text("\n".join(lines) + "\n")
    (folder / "stats.json").write_text(
        json.dumps({"count": len(times), "void": False, "void_reasons": [], **(stats or {})})
    )
    if complete and not folder.name.startswith(("warm_", "cold_")):
        write_run_json(folder, **{"number_of_requests": len(times), "users": users, **(run_json or {})})
    return folder


def write_run_json(folder: Path, **values: Any) -> None:
    known = {
        "schema": 1,
        "config_hash": "abc",
        "void": False,
        "versions": {"faas_exp": "0.1.0", "python": "3.11.2", "locust": "2.43.4", "gateway": "portable"},
        "machine": {"hostname": "bastion", "cpus": 2, "memory_mb": 8192, "kernel": "6.1", "cpu_model": "EPYC"},
        "image": "sha256:1234",
    }
    (folder / "run.json").write_text(json.dumps({**known, **values}))


def jmeter_run(
    folder: Path,
    elapsed: Sequence[int] | np.ndarray,
    *,
    codes: Mapping[int, str] | None = None,
    start: int = START,
    step: int | None = None,
    error_pct: float | None = None,
) -> Path:
    """One leaf as JMeter writes it; ``codes`` gives the response code of single rows, the others are 200."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, at = [JMETER_HEADER], start
    for i, e in enumerate(np.asarray(elapsed, int)):
        code = (codes or {}).get(i, "200")
        ok = "true" if code == "200" else "false"
        lines.append(
            f'{at},{e},HTTP Request,{code},"OK, fine",Thread Group 1-{i % 15},text,{ok},,255,180,15,15,'
            f"http://gateway.openfaas.local:80/function/gofunction,{e},0,0"
        )
        at += int(step if step is not None else e)
    (folder / "summary.jtl").write_text("\n".join(lines) + "\n")
    if error_pct is not None:
        (folder / "results").mkdir(exist_ok=True)
        (folder / "results" / "statistics.json").write_text(json.dumps({"Total": {"errorPct": error_pct}}))
    return folder


def campaign(
    root: Path,
    *,
    ratios: Mapping[str, float] = RATIOS,
    functions: Sequence[str] = ("gofunction", "pythonfunction"),
    types: Mapping[tuple[str, str], Sequence[str]] = TYPES,
    runs: int = 6,
    requests: int = 300,
    spread: float = 0.03,
    error_share: float = 0.0,
    cold: Sequence[str] = (),
    chunks: int = 2,
    seed: int = 1,
) -> Path:
    """A tree of ours: lognormal times, run-to-run spread, and ratios between orchestrators that hold in every cell.

    ``cold`` names functions measured in warm and cold chunks.
    """
    for orchestrator, ratio in ratios.items():
        for function in (*functions, *cold):
            for (load, scaling), cases in types.items():
                for case in cases:
                    key = zlib.crc32(f"{seed}/{orchestrator}/{function}/{load}/{scaling}/{case}".encode())
                    rng = np.random.default_rng(key)
                    # The level knows nothing of the orchestrator: the ratio is then exactly the one asked for.
                    level = 2.0 + zlib.crc32(f"{function}/{load}/{scaling}/{case}".encode()) % 20
                    number = int("".join(c for c in case if c.isdigit()) or 1)
                    users = number if case.startswith("user_") else 1 if load == "sequential" else 15
                    replicas = number if case.startswith("replica") else 4
                    for run in range(1, runs + 1):
                        folder = root / orchestrator / function / load / scaling / case / str(run)
                        median = level * ratio * np.exp(rng.normal(0, spread))
                        begin = START + run * 3_600_000
                        parts = [f"{kind}_{k}" for k in range(chunks) for kind in ("warm", "cold")]
                        for k, chunk in enumerate(parts if function in cold else [""]):
                            times = median * np.exp(rng.normal(0, 0.35, requests))
                            wait = 600 * ratio * np.exp(rng.normal(0, 0.2)) if chunk.startswith("cold") else 0
                            own_run(
                                folder / chunk if chunk else folder,
                                times,
                                errors=np.flatnonzero(rng.random(requests) < error_share).tolist(),
                                start=begin + 100_000 * k,
                                users=users,
                                replicas=replicas,
                                cold_start=wait,
                                label=function,
                            )
                        if function in cold:
                            write_run_json(folder, number_of_requests=requests * len(parts), chunks=parts, users=users)
        manifest = {
            "experiment": {"experiment": {"number_of_runs": runs}},
            "seed": 42,
            "calibration": {"floor_ms": 0.2},
        }
        (root / orchestrator / "manifest.json").write_text(json.dumps(manifest))
    return root
