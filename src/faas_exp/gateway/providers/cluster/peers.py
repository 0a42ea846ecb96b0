"""The other gateways of the cluster: who leads, and what the leader reads of the others' counters."""

from __future__ import annotations

import asyncio
import re
from time import monotonic

from faas_exp.gateway.fleet import Share
from faas_exp.gateway.http.client import ClientError, request

_TIMEOUT = 1.0
_UNKNOWN = 10**6
_SAMPLE = re.compile(rb"^gateway_function_invocation_(total|started)\{(.*?)\} (\d+)$", re.MULTILINE)
_LABEL = re.compile(rb'(\w+)="([^"]*)"')


class _Counters:
    """One function's counters at one gateway."""

    __slots__ = ("answered", "started", "successes")

    def __init__(self) -> None:
        self.started = 0
        self.answered = 0
        self.successes = 0


def read_counters(text: bytes) -> dict[str, _Counters]:
    """Counters by function, from a gateway's ``/metrics``."""
    found: dict[str, _Counters] = {}
    for kind, labels, value in _SAMPLE.findall(text):
        named = dict(_LABEL.findall(labels))
        counters = found.setdefault(named.get(b"function_name", b"").decode(errors="replace"), _Counters())
        count = int(value)
        if kind == b"started":
            counters.started = count
        else:
            counters.answered += count
            if named.get(b"code", b"").startswith(b"2"):
                counters.successes += count
    return found


class Peers:
    """The fleet as the orchestrator shows it: the gateway with the lowest id (of its task, pod or machine) leads.

    While it changes two may lead for a moment, or none; ``expected`` of ``scale`` makes the first harmless, and the
    second only takes time.

    Args:
        me: this gateway's own id; "" when the cluster does not run it, and then it leads only where no other is.
        port: where gateways listen.
    """

    def __init__(self, me: str, port: int) -> None:
        self._me = me
        self._port = port
        self._gateways: dict[str, str] = {}
        self._led = False
        self._before: dict[str, dict[str, _Counters]] = {}
        self._silent: set[str] = set()
        self._shares: dict[str, Share] = {}
        self._since = 0.0

    def follow(self, gateways: dict[str, str]) -> None:
        """Takes over which gateways there are: task id to address."""
        self._gateways = gateways
        for gone in self._before.keys() - gateways.keys():
            del self._before[gone]

    @property
    def leads(self) -> bool:
        """Whether this gateway decides."""
        return not self._gateways or min(self._gateways) == self._me

    async def refresh(self) -> bool:
        """See ``Fleet``."""
        if not self.leads:
            self._led = False
            return False
        if not self._led:
            # Nobody knows what was before: a function counts as used until now.
            self._led = True
            self._since = monotonic()
            self._before.clear()
            self._shares.clear()
        others = [task for task in self._gateways if task != self._me]
        answers = await asyncio.gather(*(self._ask(self._gateways[task]) for task in others))
        for share in self._shares.values():
            share.in_flight = 0
        self._silent = {task for task, answer in zip(others, answers, strict=True) if answer is None}
        for task, answer in zip(others, answers, strict=True):
            if answer is not None:
                self._add(self._before.get(task), answer)
                self._before[task] = answer
        return True

    def others(self, name: str) -> Share:
        """See ``Fleet``."""
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = Share(last_used=self._since)
        if self._silent:
            share.in_flight = max(share.in_flight, _UNKNOWN)
        return share

    def _add(self, before: dict[str, _Counters] | None, now: dict[str, _Counters]) -> None:
        for name, counters in now.items():
            share = self._shares.setdefault(name, Share(last_used=self._since))
            share.in_flight += max(0, counters.started - counters.answered)
            if before is None:
                continue
            old = before.get(name) or _Counters()
            # A counter that fell is one that started anew.
            restarted = counters.started < old.started
            share.successes += counters.successes - (0 if restarted else old.successes)
            if share.in_flight or restarted or counters.started != old.started or counters.answered != old.answered:
                share.last_used = monotonic()

    async def _ask(self, host: str) -> dict[str, _Counters] | None:
        try:
            reply = await request(f"http://{host}:{self._port}/metrics", timeout=_TIMEOUT)
        except ClientError:
            return None
        return read_counters(reply.body) if reply.status == 200 else None
