"""The requests of a run as columns: 48 bytes each, and nothing for the garbage collector to walk."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
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

    def write(self, fd: int) -> dict[str, Any]:
        """Write the columns to a descriptor; what this returns is needed to ``read`` them."""
        for name in (*_COLUMNS, "lag"):
            rest = memoryview(getattr(self, name)).cast("B")
            while rest:
                rest = rest[os.write(fd, rest) :]
        return {
            "count": len(self),
            "lags": len(self.lag),
            "errors": list(self.errors),
            "replicas": [name.decode("latin-1") for name in self.replicas],
        }

    def read(self, fd: int, index: dict[str, Any]) -> None:
        """Append what another process wrote."""
        errors = array("I", (self.errors.setdefault(text, len(self.errors)) for text in index["errors"]))
        names = [text.encode("latin-1") for text in index["replicas"]]
        replicas = array("I", (self.replicas.setdefault(name, len(self.replicas)) for name in names))
        with open(fd, "rb", closefd=False) as file:
            file.seek(0)
            for name, code in {**_COLUMNS, "lag": "q"}.items():
                column = array(code)
                column.fromfile(file, index["lags" if name == "lag" else "count"])
                if name == "error":
                    column = array(code, (errors[number] for number in column))
                elif name == "replica":
                    column = array(code, (replicas[number] for number in column))
                getattr(self, name).extend(column)
