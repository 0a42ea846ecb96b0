"""Finding the runs of a result tree, ours or the thesis's, wherever in the tree the user points."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from faas_exp.analysis import names
from faas_exp.analysis.errors import NoResultsError
from faas_exp.analysis.files import need_folder, read_json_object
from faas_exp.analysis.model import Leaf, LeftOut

OWN, JMETER = "requests.csv", "summary.jtl"
SHAPE = "<orchestrator>/<function>/<sequential|parallel>/<autoscaling|noautoscaling>/<case>/<run>/"


def find_leaves(source: Path, exclude: Sequence[str] = ()) -> tuple[list[Leaf], list[LeftOut]]:
    """Every run (or chunk) under ``source``, in natural order, and what looks like one but isn't.

    ``source`` may be the result folder, one orchestrator's folder in it, or one function's. ``exclude`` names
    functions.

    Raises:
        NoResultsError: no such folder, or nothing in it has the shape of a run.
    """
    need_folder(source)
    leaves: list[Leaf] = []
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    for folder, has_own, has_jmeter in _folders(source):
        parts = folder.relative_to(source).parts
        split = _split(parts)
        if split is None:
            if has_own or has_jmeter:
                left_out.append(LeftOut(str(folder), f"is not at {SHAPE}"))
            continue
        prefix, (load, scaling, case, run, chunk) = split
        orchestrator, function = _who(source, prefix)
        seen.add(function)
        if function in exclude:
            continue
        if not (has_own or has_jmeter):
            left_out.append(LeftOut(str(folder), f"has no {OWN} and no {JMETER}"))
            continue
        leaf = Leaf(
            path=folder,
            kind="own" if has_own else "jmeter",
            prefix="/".join(prefix),
            orchestrator=orchestrator,
            function=function,
            load=load,
            scaling=scaling,
            case=case,
            run=int(run),
            chunk=chunk,
        )
        leaves.append(leaf)
    complete = _only_complete(leaves, left_out)
    if not seen and not left_out:
        raise NoResultsError(
            f"{source}: found no runs (it holds: {_listing(source)}), allowed: {SHAPE} with {OWN} or {JMETER}"
        )
    if seen and seen <= set(exclude):
        raise NoResultsError(f"{source}: nothing is left: every function in it is excluded ({', '.join(sorted(seen))})")
    absent = sorted(set(exclude) - seen)
    left_out.extend(LeftOut(name, "was to be excluded, but there is no such function here") for name in absent)
    return sorted(complete, key=_order), left_out


def _order(leaf: Leaf) -> tuple[object, ...]:
    return (
        names.natural(leaf.orchestrator),
        names.natural(leaf.function),
        # The thesis's order of execution is sequential first; within a load type the scalings sort by name.
        leaf.load != "sequential",
        leaf.scaling,
        names.natural(leaf.case),
        leaf.run,
        names.chunk_order(leaf.chunk),
    )


def _folders(source: Path) -> Iterator[tuple[Path, bool, bool]]:
    """Folders with request files in them, and folders which stand where a run should but hold none."""
    for here, folders, files in os.walk(source):
        has_own, has_jmeter = OWN in files, JMETER in files
        chunks = [name for name in folders if names.CHUNK.match(name)]
        if has_own or has_jmeter:
            folders[:] = []
        else:
            folders[:] = [name for name in folders if not name.startswith(".")]
        path = Path(here)
        empty_run = not chunks and not (has_own or has_jmeter) and _split(path.relative_to(source).parts) is not None
        if has_own or has_jmeter or empty_run:
            yield path, has_own, has_jmeter


def _split(parts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, str, str, str, str]] | None:
    """Prefix, then load, scaling, case, run, chunk; None when the path is not a run's."""
    chunk = ""
    if parts and names.CHUNK.match(parts[-1]):
        parts, chunk = parts[:-1], parts[-1]
    if len(parts) < 4 or len(parts) > 6:
        return None
    prefix, (load, scaling, case, run) = parts[:-4], parts[-4:]
    if load not in names.LOADS or scaling not in names.SCALINGS or not (run.isascii() and run.isdigit()):
        return None
    return prefix, (load, scaling, case, run, chunk)


def _who(source: Path, prefix: tuple[str, ...]) -> tuple[str, str]:
    """Orchestrator and function: from the path below the source, and above it where the source is deeper."""
    above = ("unnamed", *source.resolve().parts)
    whole = (*above[-2:], *prefix) if len(prefix) < 2 else prefix
    return whole[-2], whole[-1]


def _only_complete(leaves: list[Leaf], left_out: list[LeftOut]) -> list[Leaf]:
    """Our runs are complete when run.json is there; JMeter's have no such mark."""
    verdict: dict[Path, str] = {}
    complete = []
    for leaf in leaves:
        if leaf.kind == "own":
            run = leaf.run_path
            if run not in verdict:
                verdict[run] = ""
                if not (run / "run.json").is_file():
                    verdict[run] = "incomplete: no run.json"
                elif read_json_object(run / "run.json") is None:
                    verdict[run] = "run.json is not a JSON object"
                if verdict[run]:
                    left_out.append(LeftOut(str(run), verdict[run]))
            if verdict[run]:
                continue
        complete.append(leaf)
    return complete


def _listing(folder: Path) -> str:
    inside = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(inside[:5]) + (f" and {len(inside) - 5} more" if len(inside) > 5 else "") if inside else "nothing"
