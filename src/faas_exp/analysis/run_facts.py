"""What the JSON files beside the requests say: ``run.json``, ``stats.json``, ``manifest.json``, JMeter's statistics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faas_exp.analysis.files import read_json_object
from faas_exp.analysis.model import Leaf

MANIFEST = "manifest.json"
PER_RUN = ("seed",)
"""Keys of a run's configuration that differ between the runs of a cell by design."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run besides its requests.

    ``config`` is what the run was made under, without what differs from run to run by design (the seed), as canonical
    text: equal in all runs of a cell. ``expected`` are the numbers of requests the leaf may hold; ``told_error_pct``
    is JMeter's own figure; ``facts`` are the versions and machine facts to show, flat: ``machine.cpus`` → ``2``.
    """

    config_hash: str = ""
    config: str = ""
    void: bool = False
    void_reasons: tuple[str, ...] = ()
    expected: tuple[int, ...] = ()
    users: int | None = None
    told_error_pct: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def facts_of(leaf: Leaf) -> RunFacts:
    """Read the files beside a leaf's requests; what is missing or broken is simply not known."""
    if leaf.kind == "jmeter":
        statistics = read_json_object(leaf.path / "results" / "statistics.json") or {}
        total = statistics.get("Total")
        return RunFacts(told_error_pct=_number(total.get("errorPct")) if isinstance(total, dict) else None)
    run = read_json_object(leaf.run_path / "run.json") or {}
    stats = read_json_object(leaf.path / "stats.json") or {}
    reasons = stats.get("void_reasons")
    void_reasons = tuple(str(reason) for reason in reasons) if isinstance(reasons, list) else ()
    void = stats.get("void") is True or run.get("void") is True
    if void and not void_reasons:
        void_reasons = ("the run is marked void",) if not leaf.chunk else ("another chunk of the run is void",)
    chunks = run.get("chunks")
    requests = int(_number(run.get("number_of_requests")) or 0)
    expected: tuple[int, ...] = (requests,)
    if leaf.chunk and isinstance(chunks, list) and chunks:
        share, rest = divmod(requests, len(chunks))
        expected = (share, share + 1) if rest else (share,)
    users = _number(run.get("users"))
    return RunFacts(
        config_hash=str(run.get("config_hash") or ""),
        config=_configuration(run),
        void=void,
        void_reasons=void_reasons if void else (),
        expected=expected if requests else (),
        users=int(users) if users is not None else None,
        facts=_flat(run),
    )


def manifests(source: Path, leaves: list[Leaf]) -> dict[str, dict[str, Any]]:
    """The manifest of every orchestrator in the tree that has one."""
    found: dict[str, dict[str, Any]] = {}
    for orchestrator in dict.fromkeys(leaf.orchestrator for leaf in leaves):
        folders = [source / orchestrator]
        folders += [leaf.run_path.parents[4] for leaf in leaves if leaf.orchestrator == orchestrator][:1]
        for folder in folders:
            manifest = read_json_object(folder / MANIFEST)
            if manifest is not None:
                found[orchestrator] = manifest
                break
    return found


def _configuration(run: Mapping[str, Any]) -> str:
    config = run.get("config")
    if not isinstance(config, dict) or not config:
        return str(run.get("config_hash") or "")
    return json.dumps({key: value for key, value in config.items() if key not in PER_RUN}, sort_keys=True)


def differences(one: str, other: str) -> str:
    """Names of the keys in which two configurations differ, for a message."""
    try:
        left, right = json.loads(one), json.loads(other)
        keys = sorted(key for key in {*left, *right} if left.get(key) != right.get(key))
    except (ValueError, TypeError, AttributeError):
        keys = []
    return ", ".join(keys) or "their hash"


def _flat(run: Mapping[str, Any]) -> dict[str, str]:
    """Versions, machine and image as flat text, for the report's table of what was run."""
    flat: dict[str, str] = {}
    for section in ("versions", "machine"):
        value = run.get(section)
        if isinstance(value, dict):
            flat |= {f"{section}.{key}": str(item) for key, item in value.items() if item not in (None, "")}
    for key in ("image", "server", "seed", "number_of_requests"):
        if run.get(key) not in (None, ""):
            flat[key] = str(run[key])
    return flat


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
