"""How many replicas: up by load, down when it is gone, to zero when idle, and from zero when called.

The rule is upstream's classic one (Prometheus's alert APIHighInvocationRate and the gateway's alert handler): more than
``autoscale_target`` successes per second and replica over ``autoscale_window``, for ``autoscale_for``, adds
ceil(factor % of max) replicas; the same again every ``autoscale_interval`` while it lasts. Upstream falls back to the
minimum as soon as the alert is over, which the added replicas themselves bring about; here it falls back when the
minimum could carry the load.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from faas_exp.errors import FaasExpError
from faas_exp.gateway import log
from faas_exp.gateway.metrics import Metrics
from faas_exp.gateway.provider import FunctionNotFoundError, Provider
from faas_exp.gateway.routing import FunctionRoute, RouteTable
from faas_exp.gateway.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

_TICK = 1.0


class RateWindow:
    """Successes per second over a sliding window.

    Args:
        window: seconds.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, total: int) -> float:
        """Takes the counter's value now; returns the rate, over the window's length even while it fills."""
        samples = self._samples
        samples.append((now, total))
        while len(samples) > 2 and now - samples[1][0] >= self._window:
            samples.popleft()
        elapsed = max(now - samples[0][0], self._window)
        return (total - samples[0][1]) / elapsed


class Decision:
    """The autoscaler's memory of one function."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rate = RateWindow(settings.autoscale_window)
        self._high_since: float | None = None
        self._low_since: float | None = None
        self._stepped = -math.inf
        self._raised_to = 0  # what this autoscaler asked for last; 0 when it did not raise

    def next(self, now: float, successes: int, function: FunctionRoute, elsewhere: int = 0) -> int:
        """How many replicas the function should have.

        Args:
            successes: so far, at all gateways.
            elsewhere: requests in flight at other gateways.
        """
        rules = function.rules
        wanted = function.wanted
        rate = self._rate.add(now, successes)
        if rules.minimum >= rules.maximum or not rules.factor or not wanted:
            self._high_since = self._low_since = None
            return wanted
        target = rules.target or self._settings.autoscale_target
        high = rate > target * wanted
        low = rate <= target * max(rules.minimum, 1)
        self._high_since = (self._high_since or now) if high else None
        self._low_since = (self._low_since or now) if low else None
        patience = self._settings.autoscale_for
        if self._high_since is not None and now - self._high_since >= patience and wanted < rules.maximum:
            if now - self._stepped >= self._settings.autoscale_interval:
                self._stepped = now
                self._raised_to = min(rules.maximum, wanted + math.ceil(rules.maximum * rules.factor / 100))
                return self._raised_to
            return wanted
        if wanted != self._raised_to and not function.autoscaled:
            # Somebody asked for this number: it is theirs to change, as no alert is resolved that never fired. What an
            # autoscaler that led before this one has added is ours to take away.
            return wanted
        floor = max(rules.minimum, 1)
        calm = self._low_since is not None and now - self._low_since >= patience
        # Requests in flight are load too, though none has succeeded yet.
        if calm and wanted > floor and function.in_flight + elsewhere <= floor:
            self._raised_to = 0
            return floor
        return wanted


class Scaler:
    """Watches the table's functions and asks the provider for other numbers of replicas."""

    def __init__(self, settings: Settings, provider: Provider, table: RouteTable, metrics: Metrics) -> None:
        self._settings = settings
        self._provider = provider
        self._table = table
        self._metrics = metrics
        self._decisions: dict[str, Decision] = {}
        self._waking: dict[str, asyncio.Task[None]] = {}
        self._task = asyncio.create_task(self._run())

    def needs_replica(self, function: FunctionRoute) -> str:
        """Wakes a function that has no replica, once for all that wait; a text says why that can't be."""
        if function.wanted:
            return ""
        if not self._settings.scale_from_zero:
            return f"function {function.name} is scaled to zero, and scale_from_zero is off"
        name = function.name
        if name not in self._waking:
            task = asyncio.create_task(self._wake(function))
            self._waking[name] = task
            task.add_done_callback(lambda _: self._waking.pop(name, None))
        return ""

    async def close(self) -> None:
        """Stops watching."""
        tasks: Sequence[asyncio.Task[None]] = (self._task, *self._waking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wake(self, function: FunctionRoute) -> None:
        await self._scale(function, max(1, function.rules.minimum), "called at zero")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            if not await self._provider.fleet.refresh():
                # Another gateway decides; what we remember will be old when we must.
                self._decisions.clear()
                continue
            functions = list(self._table.functions.values())
            for gone in self._decisions.keys() - {function.name for function in functions}:
                del self._decisions[gone]
            for function in functions:
                try:
                    await self._look_at(function, monotonic())
                except Exception:  # the watch must outlive any single function
                    log.failure("scaling failed", function=function.name)

    async def _look_at(self, function: FunctionRoute, now: float) -> None:
        rules = function.rules
        others = self._provider.fleet.others(function.name)
        if rules.zero and function.wanted and not function.in_flight and not others.in_flight:
            idle = rules.zero_after if rules.zero_after is not None else self._settings.inactivity_duration
            if now - max(function.last_used, others.last_used) >= idle:
                await self._scale(function, 0, f"idle for {idle:g} s")
                return
        if not self._settings.autoscale:
            return
        decision = self._decisions.setdefault(function.name, Decision(self._settings))
        successes = self._metrics.of(function.name).successes + others.successes
        wanted = decision.next(now, successes, function, others.in_flight)
        if wanted != function.wanted:
            await self._scale(function, wanted, "load" if wanted > function.wanted else "load is gone")

    async def _scale(self, function: FunctionRoute, replicas: int, why: str) -> None:
        before = function.wanted
        try:
            await self._provider.scale(function.name, replicas, expected=before)
        except FunctionNotFoundError:
            return
        except FaasExpError as error:
            log.trouble("scaling failed", function=function.name, replicas=replicas, error=str(error))
            return
        log.event("scaled", function=function.name, before=before, replicas=replicas, why=why)
