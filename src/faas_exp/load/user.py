"""The Locust user: sends requests until the run has no more tickets."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import gevent
from locust import User, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING

from faas_exp.load.session import session_of

# After a request without an answer a user waits, doubling, before the next: see docs/load.md.
_FIRST_PAUSE_NS = 5_000_000
_LONGEST_PAUSE_NS = 100_000_000


class FunctionUser(User):
    """One concurrent caller of one function.

    All of a user's requests are made in one Locust task: going through the task scheduler for each would cost a turn of
    the event loop, which would be part of the next request's delay.
    """

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.session = session_of(environment)
        self.number = -1
        spec = self.session.spec
        self.request_name = spec.name
        self.request_url = spec.url.rstrip("/") + spec.path

    @task
    def call_function(self) -> None:
        session = self.session
        session.waiting += 1
        session.gate.wait()
        self.number = session.enrol()
        client = session.client()
        try:
            if session.pacer is None:
                self._closed_loop(client)
            else:
                self._open_loop(client, session.pacer)
        finally:
            client.release()
        raise StopUser

    def _going(self) -> bool:
        return self._state == LOCUST_STATE_RUNNING and not self.session.stopping

    def _closed_loop(self, client: Any) -> None:
        session = self.session
        take = session.tickets.take
        lags = session.rows.lag
        render = session.template.render
        source = session.template.random_for(self.number, session.spec.seed)
        number = self.number
        pause = _FIRST_PAUSE_NS
        # End of the last answer; 0: the next request is not an answer's successor.
        seen = 0
        while self._going() and take() >= 0:
            request = render(source)
            start = perf_counter_ns()
            if seen:
                lags.append(start - seen)
            reply = client.exchange(request, start)
            reply.user = number
            session.report(self, reply)
            if reply.status_code:
                seen = reply.end_ns
                pause = _FIRST_PAUSE_NS
            else:
                seen = 0
                gevent.sleep(max(start + pause - perf_counter_ns(), 0) / 1e9)
                pause = min(2 * pause, _LONGEST_PAUSE_NS)

    def _open_loop(self, client: Any, pacer: Any) -> None:
        session = self.session
        lags = session.rows.lag
        render = session.template.render
        source = session.template.random_for(self.number, session.spec.seed)
        number = self.number
        free = 0
        while self._going() and (intended := pacer.take()) >= 0:
            request = render(source)
            pacer.hold(intended)
            start = perf_counter_ns()
            # Late for want of a free user is the server's or the cap's doing; late beyond that is the generator's.
            if pacer.starved and free > intended:
                session.capped += 1
                lags.append(start - free)
            else:
                lags.append(start - intended)
            reply = client.exchange(request, intended)
            reply.user = number
            free = reply.end_ns
            session.report(self, reply)
