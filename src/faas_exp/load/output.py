"""The two files of a run, written so that they are either complete or not there."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faas_exp.errors import LoadError
from faas_exp.load.rows import Rows
from faas_exp.load.stats import LoadStats, elapsed_us

ROWS_FILE = "requests.csv"
STATS_FILE = "stats.json"
HEADER = "timeStamp,elapsed,label,responseCode,responseMessage,success,bytes,user,replica,replicaStart\n"
# Bytes of a row beside its label, generously; what is reserved and not used is given back.
_ROW_BYTES = 110
_BATCH = 20_000


def load_error(error: OSError, doing: str) -> LoadError:
    """An operating system's error as a user should read it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LoadError(f"disk full: {doing}")
    return LoadError(f"{doing}: {os.strerror(error.errno).lower() if error.errno else error}")


class RunFiles:
    """``requests.csv`` and ``stats.json`` in the making."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, int] = {}

    def open(self, reserve: int) -> None:
        """Open both under other names and reserve room for the rows, so that a full disk is known before the load."""
        for name in (ROWS_FILE, STATS_FILE):
            self._parts[name] = os.open(self._part(name), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(self._parts[ROWS_FILE], 0, reserve)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            # A file system that can't reserve finds out later.

    def write(self, rows: Rows, stats: LoadStats, label: str, wall_ns_at_zero: int) -> None:
        """Write everything, then put it in place: the rows first, ``stats.json`` last."""
        with open(self._parts[ROWS_FILE], "w", encoding="utf-8", newline="", closefd=False) as file:
            file.write(HEADER)
            for batch in _lines(rows, label, wall_ns_at_zero):
                file.write(batch)
            # Over the reserved room, not after giving it back: somebody else might take it.
            file.truncate()
        with open(self._parts[STATS_FILE], "w", encoding="utf-8", closefd=False) as file:
            file.write(json.dumps(stats.to_dict(), indent=1, ensure_ascii=False) + "\n")
        for handle in self._parts.values():
            os.fsync(handle)
        for name in (ROWS_FILE, STATS_FILE):
            self._part(name).rename(self._folder / name)
        _sync_folder(self._folder)

    def close(self) -> None:
        """Let go, and remove what was not put in place."""
        for name, handle in self._parts.items():
            os.close(handle)
            self._part(name).unlink(missing_ok=True)
        self._parts.clear()

    def _part(self, name: str) -> Path:
        return self._folder / f".{name}.part"


@contextmanager
def run_files(folder: Path, count: int, label: str) -> Iterator[RunFiles]:
    """The files of a run of ``count`` requests; earlier ones in the folder are removed first.

    Raises:
        LoadError: the folder can't be made or written, the disk is full, another run is writing there.
    """
    files = RunFiles(folder)
    lock = -1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LoadError(f"{folder}: another load run is writing there") from None
        # Old results beside a run that failed would be taken for its own.
        for name in (STATS_FILE, ROWS_FILE):
            (folder / name).unlink(missing_ok=True)
        files.open(len(HEADER) + count * (_ROW_BYTES + len(label.encode())))
        yield files
    except OSError as error:
        raise load_error(error, f"writing the results into {folder}") from error
    finally:
        files.close()
        if lock >= 0:
            os.close(lock)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(text: str) -> str:
    """A CSV field (RFC 4180)."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _lines(rows: Rows, label: str, wall_ns_at_zero: int) -> Iterator[str]:
    label = _quoted(label)
    errors = [_quoted(text) for text in rows.errors]
    replicas = [_quoted(name.decode("latin-1")) for name in rows.replicas]
    start, code, size, user = rows.start, rows.code, rows.size, rows.user
    error, replica, since = rows.error, rows.replica, rows.replica_start
    elapsed = elapsed_us(rows)
    batch: list[str] = []
    for i in rows.order():
        at = (start[i] + wall_ns_at_zero) // 1000
        took = elapsed[i]
        status = code[i]
        batch.append(
            f"{at // 1000}.{at % 1000:03d},{took // 1000}.{took % 1000:03d},{label},{status},{errors[error[i]]},"
            f"{'true' if 200 <= status < 300 else 'false'},{size[i]},{user[i]},{replicas[replica[i]]},"
            f"{since[i] if since[i] >= 0 else ''}\n"
        )
        if len(batch) == _BATCH:
            yield "".join(batch)
            batch.clear()
    yield "".join(batch)
