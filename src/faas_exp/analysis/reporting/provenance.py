"""What was run: machines, versions, settings, calibration, and everything that is not in the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from faas_exp.analysis import names
from faas_exp.analysis.inference.samples import usable
from faas_exp.analysis.model import Dataset
from faas_exp.analysis.reporting.model import Section, Text
from faas_exp.analysis.reporting.values import void_table
from faas_exp.analysis.tables import Table

MOST_LINES, MOST_ITEMS = 200, 20
_WORDS = {
    "versions.faas_exp": "faas-exp",
    "versions.python": "Python",
    "versions.locust": "Locust",
    "versions.gateway": "Gateway",
    "machine.hostname": "Load generator's machine",
    "machine.cpus": "its cores",
    "machine.memory_mb": "its memory (MB)",
    "machine.kernel": "its kernel",
    "machine.cpu_model": "its processor",
    "number_of_requests": "Requests per run",
    "server": "Server",
    "image": "Images",
    "seed": "Seeds",
}


def what_was_run(data: Dataset) -> Section:
    """Tables of what was run, and lists of what was left out."""
    section = Section("What was run")
    section.blocks.append(_extent(data))
    facts = _facts(data)
    if facts is not None:
        section.blocks.append(facts)
    manifests = _manifests(data)
    if manifests is not None:
        section.blocks.append(manifests)
    voids = data.runs[data.runs["void"]]
    if len(voids):
        section.sections.append(Section("Void runs", [void_table(voids)]))
    for title, lines in (
        ("Left out", [str(item) for item in data.provenance.left_out]),
        ("Contradictions", data.provenance.errors),
        ("Unusable rows and counts that differ", data.provenance.notes),
    ):
        if lines:
            more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
            section.sections.append(
                Section(title, [Text([*lines[:MOST_LINES], *more], listed=True)], folded=len(lines) > 8)
            )
    return section


def _extent(data: Dataset) -> Table:
    """How much was measured, per orchestrator."""
    runs = usable(data)
    rows = []
    for orchestrator in names.in_natural_order(data.runs["orchestrator"]):
        of_one = runs[runs["orchestrator"] == orchestrator]
        cells = of_one.groupby(["function", "load", "scaling", "case"])["run"].nunique()
        per_case = f"{cells.min()} to {cells.max()}" if len(cells) and cells.min() != cells.max() else str(cells.max())
        sources = ", ".join(
            sorted({"own": "faas-exp", "jmeter": "JMeter"}.get(s, f"{s} files") for s in of_one["source"])
        )
        rows.append(
            (
                names.display(orchestrator),
                str(of_one["function"].nunique()),
                str(len(cells)),
                per_case if len(cells) else "0",
                f"{int(of_one['count'].sum()):,}",
                str(int(data.runs[data.runs["orchestrator"] == orchestrator]["void"].sum())),
                ", ".join(dict.fromkeys(sources.split(", "))),
            )
        )
    heads = ("Orchestrator", "Functions", "Cases", "Runs per case", "Requests", "Void", "Measured with")
    return Table("Extent", heads, rows, frozenset(heads[1:6]))


def _facts(data: Dataset) -> Table | None:
    """Versions and machines, one column per orchestrator; values that vary are all shown."""
    facts = data.provenance.facts
    if not facts:
        return None
    orchestrators = names.in_natural_order(facts)
    keys = [key for key in _WORDS if any(key in facts[name] for name in orchestrators)]
    keys += sorted({key for name in orchestrators for key in facts[name]} - set(keys))
    rows = [(_WORDS.get(key, key), *(_values(facts[name].get(key, [])) for name in orchestrators)) for key in keys]
    return Table("Machines and versions", ("", *map(names.display, orchestrators)), rows)


def _values(values: list[str]) -> str:
    return ", ".join(map(_plain, values)) if len(values) <= 3 else f"{len(values)} different ones"


def _plain(value: str) -> str:
    """A version which a gateway gives as a JSON object, as words."""
    try:
        parts = json.loads(value) if value.startswith("{") else {}
    except ValueError:
        parts = {}
    return " ".join(str(part) for part in parts.values() if part) or value


def _manifests(data: Dataset) -> Table | None:
    """Settings, calibration and platform from the manifests, flat, one column per orchestrator."""
    manifests = data.provenance.manifests
    flat = {name: dict(_flat({k: v for k, v in manifests[name].items() if k != "plan"})) for name in manifests}
    flat = {name: values for name, values in flat.items() if values}
    if not flat:
        return None
    orchestrators = names.in_natural_order(flat)
    keys = list(dict.fromkeys(key for name in orchestrators for key in flat[name]))[:MOST_LINES]
    rows = [(key, *(flat[name].get(key, "") for name in orchestrators)) for key in keys]
    return Table("Experiment, calibration, platform", ("", *map(names.display, orchestrators)), rows)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and short values; lists of plain things in one line, others by their length."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        named = all(isinstance(item, Mapping) and "name" in item for item in value) and value
        plain = all(not isinstance(item, Mapping | list) for item in value)
        items = [str(item["name"]) for item in value] if named else [str(item) for item in value] if plain else []
        yield prefix, ", ".join(items) if 0 < len(items) <= MOST_ITEMS else f"{len(value)} entries"
    elif value is not None and value != "":
        text = str(value)
        yield prefix, text if len(text) <= 120 else text[:117] + "…"
