"""``/async-function/…``: a bounded queue in memory, and workers that invoke through the gateway's own front door."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from faas_exp.gateway import log
from faas_exp.gateway.http import wire
from faas_exp.gateway.http.client import ClientError, Reply, request

_CALLBACK_TIMEOUT = 30.0
_OWN = {b"host", b"content-length", b"connection", b"x-callback-url"}


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call to be made.

    Attributes:
        function: name.
        target: ``/function/<name>…`` with path and query.
        headers: the caller's, framing left out.
        callback: URL that gets the result, "" for none.
    """

    function: str
    call_id: bytes
    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    callback: str


class AsyncQueue:
    """Takes invocations and works them off.

    Args:
        size: invocations that may wait.
        size_bytes: bytes of their bodies that may wait.
        workers: invocations made at once.
        timeout: seconds an invocation may take.
    """

    def __init__(self, size: int, size_bytes: int, workers: int, timeout: float) -> None:
        self._size = size
        self._room = size_bytes
        self._timeout = timeout
        self._running = 0
        self._waiting: deque[Invocation] = deque()
        self._more = asyncio.Semaphore(0)
        self._workers = [asyncio.create_task(self._work()) for _ in range(workers)]
        self.base_url = ""

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, invocation: Invocation) -> bool:
        """Queues an invocation; False when the queue is full."""
        if len(self._waiting) >= self._size or len(invocation.body) > self._room:
            return False
        self._room -= len(invocation.body)
        self._waiting.append(invocation)
        self._more.release()
        return True

    async def close(self) -> None:
        """Stops the workers; what waits or is under way is lost, and counted in the log."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._waiting or self._running:
            log.trouble("queued invocations lost", waiting=len(self._waiting), running=self._running)

    async def _work(self) -> None:
        while True:
            await self._more.acquire()
            invocation = self._waiting.popleft()
            self._running += 1
            try:
                await self._invoke(invocation)
            except Exception as error:  # a worker must outlive any single invocation
                log.trouble("queued invocation failed", function=invocation.function, error=repr(error))
            self._running -= 1
            self._room += len(invocation.body)

    async def _invoke(self, call: Invocation) -> None:
        started = time.monotonic()
        url = self.base_url + call.target
        try:
            reply = await request(url, call.method, call.headers, call.body, self._timeout)
        except ClientError as error:
            # Upstream's worker reports 503 when it could not reach the function.
            reply = Reply(503, [], f"{error}\n".encode())
        if not call.callback:
            return
        seconds = time.monotonic() - started
        headers = [
            (name, value)
            for name, value in reply.headers
            if name.lower() not in wire.HOP_BY_HOP and name.lower() not in _RESULT
        ]
        headers += [
            (b"X-Call-Id", call.call_id),
            (b"X-Function-Name", call.function.encode()),
            (b"X-Function-Status", b"%d" % reply.status),
            (b"X-Duration-Seconds", b"%.6f" % seconds),
        ]
        try:
            await request(call.callback, "POST", headers, reply.body, _CALLBACK_TIMEOUT)
        except ClientError as error:
            log.trouble("callback failed", function=call.function, call_id=call.call_id.decode(), error=str(error))


_RESULT = {b"content-length", b"host", b"x-call-id", b"x-function-name", b"x-function-status", b"x-duration-seconds"}


def is_url(text: str) -> bool:
    """Whether a result can be posted there."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def passed_on(pieces: list[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Headers from a request's ``forward`` that go with a queued invocation."""
    pairs = ((pieces[place], pieces[place + 2]) for place in range(0, len(pieces), 4))
    return tuple(pair for pair in pairs if pair[0].lower() not in _OWN)
