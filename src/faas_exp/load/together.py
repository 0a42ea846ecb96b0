"""Rows of several Locust workers, gathered by their master over Locust's own messages."""

from __future__ import annotations

from typing import Any

from gevent.event import Event

from faas_exp.load.rows import Rows
from faas_exp.load.session import Session
from faas_exp.load.spec import LoadSpec

ROWS = "faas-exp-rows"
DONE = "faas-exp-done"
# Rows per message: 5 MB.
_BATCH = 100_000


def send_rows(runner: Any, session: Session, facts: dict[str, Any]) -> None:
    """A worker's rows and facts, to the master."""
    for first in range(0, max(len(session.rows), 1), _BATCH):
        dump = session.rows.dump(first, min(first + _BATCH, len(session.rows)))
        runner.send_message(ROWS, {"rows": dump, "wall_ns_at_zero": session.wall_ns_at_zero})
    runner.send_message(DONE, facts)


class Collector:
    """Puts the rows of several machines on one clock: each machine's wall clock, so these must agree (NTP).

    Attributes:
        complete: every worker is done.
        wall_ns_at_zero: Unix time at zero of the rows' clock.
    """

    def __init__(self, spec: LoadSpec, workers: int) -> None:
        self.spec = spec
        self.rows = Rows()
        self.facts: list[dict[str, Any]] = []
        self.workers = workers
        self.complete = Event()
        self.wall_ns_at_zero: int | None = None

    def add_rows(self, dump: dict[str, Any], wall_ns_at_zero: int) -> None:
        """Rows of one worker."""
        if self.wall_ns_at_zero is None:
            self.wall_ns_at_zero = wall_ns_at_zero
        self.rows.load(dump, wall_ns_at_zero - self.wall_ns_at_zero)

    def add_facts(self, facts: dict[str, Any]) -> None:
        """One worker is done."""
        self.facts.append(facts)
        if len(self.facts) == self.workers:
            self.complete.set()

    def on_rows(self, msg: Any, **_: Any) -> None:
        """Listener for ``ROWS``."""
        self.add_rows(msg.data["rows"], msg.data["wall_ns_at_zero"])

    def on_done(self, msg: Any, **_: Any) -> None:
        """Listener for ``DONE``."""
        self.add_facts(msg.data)
