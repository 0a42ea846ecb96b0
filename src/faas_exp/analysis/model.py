"""The nouns of the analysis: a leaf of the result tree, the tidy table, a data set, and what a command did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

CELL = ("orchestrator", "function", "load", "scaling", "case")
"""What makes a cell: all of its runs were made under the same conditions."""

KEY = (*CELL, "run", "chunk")
"""What names a row of the tidy table; ``chunk`` is empty unless the function is measured warm and cold."""

RUN_COLUMNS = (
    *KEY,
    "count",
    "errors",
    "error_pct",
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "mean",
    "min",
    "max",
    "throughput",
    "cold_responses",
    "first_response",
    "replicas_seen",
    "void",
    "void_reasons",
    "users",
    "start_ms",
    "end_ms",
    "wall_s",
    "thesis_res_time",
    "thesis_throughput",
    "whole_ms",
    "source",
    "config_hash",
    "prefix",
    "leaf",
)
"""Columns of the tidy table, one row per run or chunk. Times in ms over successful requests, ``throughput`` in
successes per second of wall time, ``error_pct`` in percent, ``start_ms`` and ``end_ms`` Unix ms, ``users`` as
recorded.

``thesis_res_time`` and ``thesis_throughput`` are the thesis's own definitions (see ``measure``); ``whole_ms`` tells
that times were recorded in whole milliseconds; ``prefix`` is where in the tree the run stood; ``leaf`` joins the
detail tables.
"""

SourceKind = Literal["own", "jmeter", "summary", "case"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One folder that holds the requests of a run, or of one warm or cold chunk of a run.

    ``prefix`` is the path from the source to the load type: ``swarm/gofunction``, or ``gofunction`` when the source
    is one orchestrator's folder.
    """

    path: Path
    kind: SourceKind
    prefix: str
    orchestrator: str
    function: str
    load: str
    scaling: str
    case: str
    run: int
    chunk: str = ""

    @property
    def cell(self) -> tuple[str, str, str, str, str]:
        return (self.orchestrator, self.function, self.load, self.scaling, self.case)

    @property
    def run_path(self) -> Path:
        """The run's folder: the parent of a chunk, else the leaf itself."""
        return self.path.parent if self.chunk else self.path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in the tree which is not in the numbers, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(slots=True)
class Provenance:
    """Where the numbers come from: manifests by orchestrator, facts of the runs, and what was left out.

    ``errors`` are contradictions in the data (runs of two configurations in one cell); ``notes`` are rows or values
    which were not usable inside runs that were.
    """

    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Dataset:
    """Everything the statistics, the figures and the report need.

    Attributes:
        runs: the tidy table (``RUN_COLUMNS``).
        quantiles: by ``leaf``, quantiles of successful response times at ``measure.GRID``; empty without requests.
        timeline: by ``leaf`` and slot: ``leaf, second, width_s, count, errors, p50, p95, replicas``.
        first: first and cold responses: ``leaf, rank, offset_ms, elapsed, replica, start_after_ms, cold, success``.
        provenance: where it comes from.
    """

    runs: pd.DataFrame
    quantiles: dict[int, FloatArray]
    timeline: pd.DataFrame
    first: pd.DataFrame
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Written:
    """What a command wrote, and what the user should know about it."""

    destination: Path
    files: Sequence[Path]
    notes: Sequence[str] = ()
    errors: Sequence[str] = ()

    def lines(self) -> list[str]:
        """For a terminal: errors, notes, then where the files are."""
        return [
            *(f"error: {line}" for line in self.errors),
            *(f"note: {line}" for line in self.notes),
            f"{len(self.files)} files in {self.destination}",
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True, slots=True)
class AggregateReport(Written):
    """What ``aggregate`` read, what it wrote, and what it left out and why."""

    runs: int = 0
    leaves: int = 0
    requests: int = 0
    voids: int = 0
    left_out: Sequence[LeftOut] = ()

    def lines(self) -> list[str]:
        return [
            *(f"error: {line}" for line in self.errors),
            *(f"left out: {item}" for item in self.left_out),
            *(f"note: {line}" for line in self.notes),
            f"read {self.requests:,} requests of {self.runs:,} runs"
            + (f" ({self.voids} void: counted, not in the statistics)" if self.voids else ""),
            f"{len(self.files)} files in {self.destination}",
        ]
