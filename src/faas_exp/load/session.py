"""A load run inside one Locust process: what its users share, and the recorder on Locust's ``request`` event."""

from __future__ import annotations

import traceback
from time import perf_counter_ns, process_time_ns
from typing import Any

from gevent.event import Event

from faas_exp.load.client import Client, Target
from faas_exp.load.loop import Loop
from faas_exp.load.pacing import Pacer, arrivals
from faas_exp.load.reply import HttpError, NoAnswer, Reply
from faas_exp.load.request import RequestTemplate
from faas_exp.load.rows import Rows
from faas_exp.load.schedstat import waited_ns
from faas_exp.load.spec import LoadSpec
from faas_exp.load.tickets import Tickets

_ATTRIBUTE = "faas_exp_session"


class Session:
    """One process's part of a run.

    Attributes:
        rows: the requests that ended.
        gate: users wait here until all of them exist, in every process.
        pacer: the open loop's schedule; None in a closed loop.
        wall_ns_at_zero: Unix time (ns) at zero of the monotonic clock, known from ``begin`` on.
        capped: requests of an open loop that started late because no user was free.
    """

    def __init__(self, spec: LoadSpec, target: Target, tickets: Tickets, first_user: int = 0, step: int = 1) -> None:
        """Args: first_user, step: this process's users are first_user, first_user + step, …"""
        self.spec = spec
        self.target = target
        self.tickets = tickets
        self.template = RequestTemplate(spec)
        self.loop = Loop(spec.timeout)
        self.rows = Rows()
        self.gate = Event()
        self.waiting = 0
        self.pacer: Pacer | None = None
        self.stopping = False
        self.failure = ""
        self.exhausted = 0
        self.capped = 0
        self._next_user = first_user
        self._step = step
        self.wall_ns_at_zero = 0
        self._errors: dict[int | str, Exception] = {}
        self._fire: Any = None
        self._begin = (0, 0, 0)

    def attach(self, environment: Any) -> None:
        """Listen to the environment's events. Users find their session by ``session_of``."""
        setattr(environment, _ATTRIBUTE, self)
        environment.events.request.add_listener(self._on_request)
        environment.events.user_error.add_listener(self._on_user_error)
        self._fire = environment.events.request.fire

    def enrol(self) -> int:
        """The number of a user that goes to work."""
        number = self._next_user
        self._next_user += self._step
        return number

    def assign(self, tickets: Tickets, first_user: int) -> None:
        """Before ``begin``: this process's share, when it was not known from the start."""
        self.tickets = tickets
        self._next_user = first_user

    def client(self) -> Client:
        """A connection for the greenlet that asks."""
        return Client(self.target, self.loop, head_request=self.spec.method == "HEAD")

    def begin(self, start_ns: int, wall_ns_at_zero: int) -> None:
        """Start the clock and let the users go.

        Args:
            start_ns: monotonic time of the start; zero of an open loop's schedule.
            wall_ns_at_zero: Unix time at zero of the monotonic clock. One value for the whole run, so that time stamps
                don't jump when the wall clock is set.
        """
        self.wall_ns_at_zero = wall_ns_at_zero
        self.loop.start()
        if self.spec.rate is not None:
            schedule = arrivals(self.spec.rate, self.spec.arrivals, self.spec.seed)
            self.pacer = Pacer(self.tickets, schedule, start_ns, self.waiting)
        self._begin = (perf_counter_ns(), process_time_ns(), waited_ns())
        self.gate.set()

    def finish(self) -> dict[str, Any]:
        """Stop the clock; what this process used and met."""
        wall, cpu, waited = self._begin
        facts = {
            "wall_ns": perf_counter_ns() - wall,
            "cpu_ns": process_time_ns() - cpu,
            "sched_wait_ns": waited_ns() - waited,
            "issued": self.tickets.issued,
            "connections": self.loop.connections,
            "resent": self.loop.resent,
            "exhausted": self.exhausted,
            "capped": self.capped,
            "failure": self.failure,
        }
        self.stopping = True
        if self.pacer is not None:
            self.pacer.close()
        self.loop.stop()
        return facts

    def report(self, user: Any, reply: Reply) -> None:
        """Fire Locust's ``request`` event for a request that ended."""
        error: Exception | None = None
        if not reply.ok:
            key = reply.status_code or reply.error
            error = self._errors.get(key)
            if error is None:
                error = NoAnswer(reply.error) if not reply.status_code else HttpError(reply.status_code)
                self._errors[key] = error
            if reply.exhausted:
                self.exhausted += 1
        spec = self.spec
        self._fire(
            request_type=spec.method,
            name=user.request_name,
            response_time=(reply.end_ns - reply.start_ns) / 1e6,
            response_length=reply.size,
            response=reply,
            context=user.context(),
            exception=error,
            start_time=(self.wall_ns_at_zero + reply.start_ns) / 1e9,
            url=user.request_url,
        )

    def _on_request(self, response: Any = None, **_: Any) -> None:
        # Other users in the same locustfile fire this event too; rows are of our own requests.
        if type(response) is Reply:
            self.rows.add(response)

    def _on_user_error(self, exception: BaseException, tb: Any = None, **_: Any) -> None:
        where = traceback.extract_tb(tb)[-1] if tb else None
        place = f" ({where.filename}:{where.lineno})" if where else ""
        self.failure = self.failure or f"{type(exception).__name__}: {exception}{place}"
        self.stopping = True


def session_of(environment: Any) -> Session:
    """The session that ``attach`` put there."""
    session: Session = getattr(environment, _ATTRIBUTE)
    return session
