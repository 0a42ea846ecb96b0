"""Open loop: requests start when the schedule says so, not when the last answer is there."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Iterator
from itertools import count
from time import perf_counter_ns
from typing import Any

from gevent import get_hub, getcurrent

from faas_exp.load.tickets import Tickets

_CLOCK_MONOTONIC = 1
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
# A sleeping process is back some 50 to 100 µs after its alarm. So the alarm rings this much early and the rest is spent
# awake, unless another request is under way or the next arrival is near anyway.
_EARLY_NS = 150_000
_FAR_NS = 1_000_000


def arrivals(rate: float, kind: str, seed: int) -> Iterator[int]:
    """Nanoseconds from the start of the run to each request, without end.

    Args:
        rate: requests per second.
        kind: ``constant`` (every 1/rate seconds, the first at once) or ``poisson`` (independent exponential gaps).
        seed: of the gaps; the same seed gives the same schedule.
    """
    if kind == "constant":
        yield from (int(number * 1e9 / rate) for number in count())
    source = random.Random(f"{seed}/arrivals")  # noqa: S311
    at = 0.0
    while True:
        at += source.expovariate(rate)
        yield int(at * 1e9)


class _ITimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Alarm:
    """A Linux timer descriptor. The event loop's own timers are late by up to a millisecond: epoll counts in those."""

    def __init__(self, callback: Any) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _ITimerSpec()
        self._watcher: Any = get_hub().loop.io(self._fd, 1)
        self._callback = callback
        self._watcher.start(self._rang)

    def set(self, at_ns: int) -> None:
        """Call back at ``at_ns`` (monotonic clock), at once when that has passed."""
        # A zero value would disarm the timer.
        self._spec.value_s, self._spec.value_ns = divmod(max(at_ns, 1), 10**9)
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._fd)

    def _rang(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        self._callback()


class Pacer:
    """Hands each arrival to a user that is free, the one that became free last (as a pool of connections would).

    When no user is free the arrival waits for one; its intended time stays what it was.

    Attributes:
        starved: the arrival that ``take`` returned last had to wait because every user was busy.
    """

    def __init__(self, tickets: Tickets, schedule: Iterator[int], start_ns: int, users: int) -> None:
        """Args: start_ns: monotonic time of the schedule's zero. users: how many will come to take."""
        self._tickets = tickets
        self._schedule = schedule
        self._drawn = 0
        self._start_ns = start_ns
        self.starved = False
        self._idle: list[Any] = []
        self._next_ns: int | None = None
        self._users = users
        self._armed_ns = 0
        self._alarm = Alarm(self._due)
        self._advance()

    def take(self) -> int:
        """Wait for an arrival; its intended start (monotonic, ns), or -1 when there are no more.

        It may return a moment early: call ``hold`` when everything is ready to send.
        """
        due = self._next_ns
        if due is None:
            return -1
        if due <= perf_counter_ns():
            # With others idle, it is the alarm that is late.
            self.starved = not self._idle
            self._advance()
            return due
        me = getcurrent()
        self._idle.append(me)
        self._arm(due)
        try:
            return int(get_hub().switch())
        except BaseException:
            if me in self._idle:
                self._idle.remove(me)
            raise

    @staticmethod
    def hold(intended_ns: int) -> None:
        """Let the last moment before an intended start pass."""
        while perf_counter_ns() < intended_ns:
            pass

    def close(self) -> None:
        """No more arrivals; users that wait are told so."""
        self._next_ns = None
        self._alarm.close()
        get_hub().loop.run_callback(self._dismiss)

    def _advance(self) -> None:
        number = self._tickets.take()
        if number < 0:
            self._next_ns = None
            # By the hub: a greenlet that switches to another by itself is not switched back to.
            get_hub().loop.run_callback(self._dismiss)
            return
        # Processes share the schedule: skip the arrivals that others took.
        at = 0
        while self._drawn <= number:
            at = next(self._schedule)
            self._drawn += 1
        self._next_ns = self._start_ns + at

    def _dismiss(self) -> None:
        while self._idle:
            self._idle.pop().switch(-1)

    def _arm(self, at_ns: int) -> None:
        if at_ns != self._armed_ns:
            self._armed_ns = at_ns
            self._alarm.set(at_ns - _EARLY_NS if at_ns - perf_counter_ns() > _FAR_NS else at_ns)

    def _due(self) -> None:
        self._armed_ns = 0
        while self._idle and self._next_ns is not None:
            due = self._next_ns
            left = due - perf_counter_ns()
            if left > _EARLY_NS:
                self._arm(due)
                return
            if left > 0 and len(self._idle) < self._users:
                # An answer may come in this moment, and must not wait for us.
                self._armed_ns = due
                self._alarm.set(due)
                return
            self._advance()
            self.starved = False
            self._idle.pop().switch(due)
