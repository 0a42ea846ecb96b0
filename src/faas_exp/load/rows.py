"""The requests of a run as columns: 48 bytes each, and nothing for the garbage collector to walk."""

from __future__ import annotations

import itertools
import operator
import os
from array import array
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from faas_exp.load.reply import Reply

# name → type code. Times are nanoseconds of the monotonic clock, which all processes of a machine share.
_COLUMNS = {
    "start": "q",
    "end": "q",
    "size": "q",
    "replica_start": "q",
    "code": "H",
    "user": "I",
    "error": "I",
    "replica": "I",
}


class Rows:
    """Rows in the order in which requests ended. ``errors`` and ``replicas`` are the texts that ``error`` and
    ``replica`` number; number 0 is the empty text."""

    def __init__(self) -> None:
        self.start = array("q")
        self.end = array("q")
        self.size = array("q")
        self.replica_start = array("q")
        self.code = array("H")
        self.user = array("I")
        self.error = array("I")
        self.replica = array("I")
        # How long after it could have been sent each request was sent, ns; see the user's loops.
        self.lag = array("q")
        self.errors = {"": 0}
        self.replicas = {b"": 0}

    def __len__(self) -> int:
        return len(self.end)

    def add(self, reply: Reply) -> None:
        """Record a request."""
        self.start.append(reply.start_ns)
        self.end.append(reply.end_ns)
        self.size.append(reply.size)
        self.replica_start.append(reply.replica_start)
        self.code.append(reply.status_code)
        self.user.append(reply.user)
        errors, replicas = self.errors, self.replicas
        self.error.append(errors.setdefault(reply.error, len(errors)))
        self.replica.append(replicas.setdefault(reply.replica, len(replicas)))

    def order(self) -> Iterable[int]:
        """Row numbers by time of completion."""
        end = self.end
        if all(a <= b for a, b in pairwise(end)):
            return range(len(end))
        return sorted(range(len(end)), key=end.__getitem__)

    def dump(self, first: int = 0, last: int | None = None) -> dict[str, Any]:
        """Rows ``first`` to ``last`` as bytes and plain values, for another process to ``load``. The lags go with the
        first row."""
        last = len(self) if last is None else last
        columns = {name: getattr(self, name)[first:last].tobytes() for name in _COLUMNS}
        columns["lag"] = b"" if first else self.lag.tobytes()
        replicas = [name.decode("latin-1") for name in self.replicas]
        return {"errors": list(self.errors), "replicas": replicas, "columns": columns}

    def load(self, dump: Mapping[str, Any], shift_ns: int = 0, clock: Callable[[int], int] | None = None) -> None:
        """Append what another process dumped.

        Args:
            dump: from ``dump``; columns may be anything that has bytes.
            shift_ns: added to its times.
            clock: a time of its clock on this one. A row's end keeps its distance from its start, which one and the
                same clock has measured.
        """
        shifts: Iterable[int] = itertools.repeat(shift_ns)
        if clock is not None:
            begins = array("q")
            begins.frombytes(dump["columns"]["start"])
            shifts = [clock(at) - at for at in begins]
        errors = array("I", (self.errors.setdefault(text, len(self.errors)) for text in dump["errors"]))
        names = [text.encode("latin-1") for text in dump["replicas"]]
        replicas = array("I", (self.replicas.setdefault(name, len(self.replicas)) for name in names))
        for name, code in {**_COLUMNS, "lag": "q"}.items():
            column = array(code)
            column.frombytes(dump["columns"][name])
            if name == "error":
                column = array(code, (errors[number] for number in column))
            elif name == "replica":
                column = array(code, (replicas[number] for number in column))
            elif (shift_ns or clock is not None) and name in ("start", "end"):
                column = array(code, map(operator.add, column, shifts))
            getattr(self, name).extend(column)


def put(rows: Rows, fd: int) -> dict[str, Any]:
    """Write the columns of a dump to a descriptor; what this returns is the rest of it, for ``get``."""
    dump = rows.dump()
    for column in dump["columns"].values():
        rest = memoryview(column)
        while rest:
            rest = rest[os.write(fd, rest) :]
    return {**dump, "columns": {name: len(column) for name, column in dump["columns"].items()}}


def get(fd: int, rest: Mapping[str, Any]) -> dict[str, Any]:
    """A dump that ``put`` wrote."""
    columns = {}
    at = 0
    for name, size in rest["columns"].items():
        column = os.pread(fd, size, at)
        while len(column) < size:
            column += os.pread(fd, size - len(column), at + len(column))
        columns[name] = column
        at += size
    return {**rest, "columns": columns}
