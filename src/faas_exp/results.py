"""The result tree on disk: what is complete, what is not, and never half of anything.

A run's folder counts only when it holds ``run.json``, which is renamed into place last. Everything else in the tree may
be cut off at any moment.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faas_exp.errors import ResultsError
from faas_exp.grid import Deployment, Run
from faas_exp.lifeline import head, is_alive

RUN_FILE = "run.json"


@dataclass
class TreeState:
    """What of a plan is there already.

    Attributes:
        complete: paths of runs that need not be done again.
        void: of these, the ones marked void.
        enough: runs that the stopping rule makes needless.
        other: runs that are complete but belong to another configuration: path → keys that differ.
    """

    complete: set[str] = field(default_factory=set)
    void: set[str] = field(default_factory=set)
    enough: set[str] = field(default_factory=set)
    other: dict[str, list[str]] = field(default_factory=dict)


def read_run(folder: Path) -> dict[str, Any] | None:
    """``run.json`` of a run's folder; None when the run is incomplete."""
    try:
        data = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        # A power cut can leave an empty file after a rename on some file systems: redo the run.
        return None
    return data if isinstance(data, dict) else None


def survey(root: Path, runs: Sequence[Run]) -> TreeState:
    """Compare a plan with what is on disk."""
    state = TreeState()
    for run in runs:
        data = read_run(root / run.path)
        if data is None:
            continue
        path = str(run.path)
        if data.get("config_hash") != run.config_hash:
            state.other[path] = differing_keys(data.get("config") or {}, run.config)
        else:
            state.complete.add(path)
            if data.get("void"):
                state.void.add(path)
    return state


def differing_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Which keys of two configurations differ, with both values where they are short."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            found.extend(f"{key}.{inner}" for inner in differing_keys(before, after))
        else:
            text = f"{key} {before!r} → {after!r}"
            found.append(text if len(text) <= 100 else key)
    return found


def refuse_mixing(root: Path, state: TreeState) -> None:
    """Stop before runs of two configurations meet in one tree.

    Raises:
        ResultsError: says which keys changed and what the user can do.
    """
    if not state.other:
        return
    path, keys = next(iter(state.other.items()))
    what = ", ".join(keys) or "an older format"
    raise ResultsError(
        f"{root}: {len(state.other)} runs are of another configuration, e.g. {path} ({what}); nothing was touched. "
        "Choose another result_dir, undo the change, or set experiment_replace=true to move the old runs aside"
    )


def set_aside(root: Path, state: TreeState) -> Path | None:
    """Move the runs of other configurations to ``<root>/.replaced/<time>/``; returns that folder."""
    if not state.other:
        return None
    target = root / ".replaced" / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for path in state.other:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(target / path)
    return target


def pending(plan: Sequence[Deployment], state: TreeState, *, redo_void: bool = False) -> list[Deployment]:
    """The plan without what is complete; deployments without runs fall out."""
    done = (state.complete - state.void if redo_void else state.complete) | state.enough
    rest = []
    for deployment in plan:
        runs = tuple(run for run in deployment.runs if str(run.path) not in done)
        if runs:
            rest.append(Deployment(**{**deployment.__dict__, "runs": runs}))
    return rest


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the operating system's errors while writing into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResultsError(
                f"{folder}: the disk is full; complete runs are safe, free some space and give the same command again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ResultsError(f"{folder}: not writable for this user ({os.strerror(error.errno)})") from error
        raise


@contextmanager
def new_run(root: Path, run: Run) -> Iterator[Path]:
    """A fresh folder for a run, in the place where it will stay; what was left of an earlier try is removed.

    The folder is complete only after :func:`finish_run`.
    """
    folder = root / run.path
    with disk_errors(root):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        yield folder


def finish_run(folder: Path, record: dict[str, Any]) -> None:
    """Declare a run complete: everything is on disk, then ``run.json`` appears."""
    with disk_errors(folder):
        write_json(folder / RUN_FILE, record)


def archive_run(root: Path, run: Run) -> Path:
    """Pack a complete run's folder beside it, to be carried to another machine; the next call replaces it."""
    path = root / run.orchestrator / ".outbox.tar.gz"
    with disk_errors(root), tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(root / run.path, arcname=".")
    return path


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One plain file or folder. (``extractall`` has no filter in Debian 12's Python, and trusts what it gets.)"""
    target = folder / member.name
    if ".." in Path(member.name).parts or not target.is_relative_to(folder):
        raise ResultsError(f"{member.name}: the archive wants to write outside of its folder")
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif member.isfile():
        target.parent.mkdir(parents=True, exist_ok=True)
        source = tar.extractfile(member)
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)  # type: ignore[arg-type]  # a plain file has content
    else:
        raise ResultsError(f"{member.name}: the archive holds something that is no plain file")


def adopt_run(root: Path, path: Path, archive: Path) -> None:
    """Unpack a run from another machine into the tree: the folder appears whole, or not at all.

    Raises:
        ResultsError: the archive holds no complete run, or the tree can't be written.
    """
    target = root / path
    with disk_errors(root):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".incoming.") as scratch:
            folder = Path(scratch, "run")
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack(tar, member, folder)
            if read_run(folder) is None:
                raise ResultsError(f"{path}: what came from the machine that made the load is not a complete run")
            if target.exists():
                shutil.rmtree(target)
            folder.rename(target)


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, sort_keys=True, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_manifest(root: Path, orchestrator: str, facts: dict[str, Any]) -> None:
    """Lay facts over ``<root>/<orchestrator>/manifest.json``; what is there and not named stays."""
    path = root / orchestrator / "manifest.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    merged = {**known, **facts}
    if merged != known:
        with disk_errors(root):
            write_json(path, merged)


def claim(root: Path, orchestrator: str) -> None:
    """Let one command at a time run an orchestrator's part of a tree: two would remove each other's functions.

    The claim ends with the command, however that ends.

    Raises:
        ResultsError: another command that still runs has it; names its pid.
    """
    me = head()
    if me is None:
        return
    folder = root / orchestrator
    path = folder / ".owner.json"
    with disk_errors(root), _locked(folder / ".owner.lock"):
        try:
            owner = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            owner = {}
        same_machine = owner.get("hostname") == socket.gethostname()
        if same_machine and owner["pid"] != me[0] and is_alive(owner["pid"], owner["start"]):
            raise ResultsError(
                f"{folder}: another experiment is being run there (pid {owner['pid']}); wait for it or stop it"
            )
        write_json(path, {"hostname": socket.gethostname(), "pid": me[0], "start": me[1]})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def writer_lock(root: Path, orchestrator: str) -> Iterator[None]:
    """One writer per orchestrator and tree.

    Raises:
        ResultsError: another process is writing there; names its pid.
    """
    folder = root / orchestrator
    with disk_errors(root):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise ResultsError(
                f"{folder}: another experiment is writing there (pid {pid}); wait for it or stop it"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
