"""Reading a whole result tree into one data set, several files at a time."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from faas_exp.analysis.coldstart import FirstResponses, first_responses
from faas_exp.analysis.errors import AnalysisError, BadFileError
from faas_exp.analysis.measure import Measures, measure
from faas_exp.analysis.model import CELL, Dataset, FloatArray, Leaf, LeftOut, Provenance
from faas_exp.analysis.requests import read_requests
from faas_exp.analysis.run_facts import RunFacts, differences, facts_of, manifests
from faas_exp.analysis.tidy import runs_frame
from faas_exp.analysis.timeline import COLUMNS as TIMELINE_COLUMNS
from faas_exp.analysis.timeline import timeline
from faas_exp.analysis.tree import JMETER, OWN, find_leaves

FIRST_COLUMNS = ("leaf", "rank", "offset_ms", "elapsed", "replica", "start_after_ms", "cold", "success")
_BIG_FILE = 256 << 20


@dataclass(frozen=True, slots=True)
class _Read:
    leaf: Leaf
    facts: RunFacts
    measures: Measures
    slots: dict[str, FloatArray]
    first: FirstResponses
    replicas_seen: int
    bad: dict[str, int]


def collect(source: Path, exclude: Sequence[str] = (), workers: int | None = None) -> Dataset:
    """Read every complete run under ``source``.

    Args:
        source: a result tree, or one orchestrator's or function's folder in it.
        exclude: functions to leave out.
        workers: files read at once; default one more than there are cores.

    Raises:
        NoResultsError: there is nothing with the shape of a run.
        AnalysisError: there are runs, but none of them can be used.
    """
    leaves, left_out = find_leaves(source, exclude)
    provenance = Provenance(left_out=left_out, manifests=manifests(source, leaves))
    reads: list[_Read] = []
    for leaf, outcome in zip(leaves, _read_all(leaves, workers), strict=True):
        if isinstance(outcome, BadFileError):
            provenance.left_out.append(LeftOut(str(outcome.path), f"found {outcome.found}, allowed: {outcome.allowed}"))
        elif isinstance(outcome, AnalysisError):
            provenance.left_out.append(LeftOut(str(leaf.path), str(outcome)))
        else:
            reads.append(outcome)
    reads = _without_mixed_configurations(reads, provenance)
    if not reads:
        reasons = [*provenance.errors, *map(str, provenance.left_out)]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise AnalysisError(f"{source}: no usable run: {reasons[0]}{more}")
    _note(reads, provenance)
    return _dataset(reads, provenance)


def _read_all(leaves: list[Leaf], workers: int | None) -> list[_Read | AnalysisError]:
    """Small files side by side; a huge one alone, so that memory holds one of them at a time."""
    big = [leaf for leaf in leaves if _size(leaf) > _BIG_FILE]
    small = [leaf for leaf in leaves if _size(leaf) <= _BIG_FILE]
    found: dict[Leaf, _Read | AnalysisError] = {}
    # Arrow and NumPy let go of the interpreter lock, so threads are enough and nothing has to be copied between
    # processes.
    # One more than cores: one may wait for the disk or the lock.
    with ThreadPoolExecutor(max_workers=workers or (os.cpu_count() or 1) + 1) as pool:
        found |= dict(zip(small, pool.map(_try, small), strict=True))
    found |= {leaf: _try(leaf) for leaf in big}
    return [found[leaf] for leaf in leaves]


def _size(leaf: Leaf) -> int:
    try:
        return _requests_file(leaf).stat().st_size
    except OSError:
        return 0


def _requests_file(leaf: Leaf) -> Path:
    return leaf.path / (OWN if leaf.kind == "own" else JMETER)


def _try(leaf: Leaf) -> _Read | AnalysisError:
    try:
        return _read(leaf)
    except AnalysisError as error:
        return error


def _read(leaf: Leaf) -> _Read:
    requests = read_requests(_requests_file(leaf))
    return _Read(
        leaf=leaf,
        facts=facts_of(leaf),
        measures=measure(requests),
        slots=timeline(requests),
        first=first_responses(requests),
        replicas_seen=len(requests.replicas),
        bad=requests.bad,
    )


def _without_mixed_configurations(reads: list[_Read], provenance: Provenance) -> list[_Read]:
    """A cell whose runs were made under two configurations is no cell: say so and leave all of it out."""
    cells: dict[tuple[str, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for read in reads:
        if read.facts.config:
            cells[read.leaf.cell][read.facts.config].append(read.leaf.run)
    mixed = {cell: by_config for cell, by_config in cells.items() if len(by_config) > 1}
    for cell, by_config in mixed.items():
        groups = "; ".join("runs " + ", ".join(map(str, sorted(set(runs)))) for runs in by_config.values())
        provenance.errors.append(
            f"{'/'.join(cell)}: found runs of {len(by_config)} configurations ({groups}; they differ in "
            f"{differences(*list(by_config)[:2])}), allowed: one; the case is left out"
        )
    return [read for read in reads if read.leaf.cell not in mixed]


def _note(reads: list[_Read], provenance: Provenance) -> None:
    facts: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for read in reads:
        leaf = read.leaf
        for key, value in read.facts.facts.items():
            facts[leaf.orchestrator][key][value] = None
        name = "/".join(filter(None, (*leaf.cell, str(leaf.run), leaf.chunk)))
        provenance.notes.extend(f"{name}: {count:,} {reason}, left out" for reason, count in read.bad.items())
        expected, found = read.facts.expected, int(read.measures.numbers["count"]) + sum(read.bad.values())
        if expected and found not in expected:
            provenance.notes.append(f"{name}: {found:,} requests, {expected[0]:,} were asked for")
    provenance.facts = {name: {key: list(seen) for key, seen in of.items()} for name, of in facts.items()}


def _dataset(reads: list[_Read], provenance: Provenance) -> Dataset:
    return Dataset(
        runs=runs_frame(_row(number, read) for number, read in enumerate(reads)),
        quantiles={n: read.measures.quantiles for n, read in enumerate(reads) if read.measures.quantiles is not None},
        timeline=_timeline(reads),
        first=_first(reads),
        provenance=provenance,
    )


def _row(number: int, read: _Read) -> dict[str, Any]:
    leaf, facts, numbers = read.leaf, read.facts, dict(read.measures.numbers)
    if facts.told_error_pct is not None:
        numbers["error_pct"] = facts.told_error_pct
    return {
        **{name: getattr(leaf, name) for name in CELL},
        **numbers,
        "run": leaf.run,
        "chunk": leaf.chunk,
        "cold_responses": read.first.cold_count,
        "first_response": read.first.first_response,
        "replicas_seen": read.replicas_seen,
        "void": facts.void,
        "void_reasons": "; ".join(facts.void_reasons),
        "users": facts.users,
        "whole_ms": read.measures.whole_ms,
        "source": leaf.kind,
        "config_hash": facts.config_hash,
        "prefix": leaf.prefix,
        "leaf": number,
    }


def _timeline(reads: list[_Read]) -> pd.DataFrame:
    sizes = [len(read.slots["second"]) for read in reads]
    columns: dict[str, Any] = {"leaf": np.repeat(np.arange(len(reads)), sizes)}
    columns |= {name: np.concatenate([read.slots[name] for read in reads]) for name in TIMELINE_COLUMNS}
    return pd.DataFrame(columns)


def _first(reads: list[_Read]) -> pd.DataFrame:
    sizes = [len(read.first.rank) for read in reads]
    columns: dict[str, Any] = {"leaf": np.repeat(np.arange(len(reads)), sizes)}
    for name in FIRST_COLUMNS[1:]:
        parts = [getattr(read.first, name) for read in reads]
        columns[name] = [item for part in parts for item in part] if name == "replica" else np.concatenate(parts)
    return pd.DataFrame(columns)
