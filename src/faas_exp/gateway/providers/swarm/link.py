"""A gateway's conversation with one of the agents; with another when that one is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import ssl
from collections.abc import Callable
from typing import Any

from faas_exp.gateway import log
from faas_exp.gateway.provider import ProviderError
from faas_exp.gateway.providers.swarm.wire import LINE_LIMIT, View, encode, raise_error

_CONNECT_TIMEOUT = 2.0
_CALL_TIMEOUT = 30.0
_PATIENCE = 15.0
_PAUSE = 0.25
# An agent sends nothing while nothing changes; this asks whether it still lives.
_SILENCE = 3.0

_TRIES = 3

Address = tuple[str, int]


class AgentLostError(ProviderError):
    """The agent was lost before it answered: the call may have been carried out, or not."""


class Link:
    """Keeps a connection to an agent that answers.

    Args:
        agents: where agents listen; one per manager.
        tls: see ``wire.tls_context``.
        seen: called with every view.
    """

    def __init__(self, agents: tuple[Address, ...], tls: ssl.SSLContext, seen: Callable[[View], None]) -> None:
        # Not all gateways at the first manager.
        self._agents = list(agents)
        random.shuffle(self._agents)
        self._tls = tls
        self._seen = seen
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._first = asyncio.Event()
        self._reason = "not tried yet"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connects, and returns when the first view has come.

        Raises:
            ProviderError: no agent answers.
        """
        self._task = asyncio.create_task(self._keep())
        try:
            await asyncio.wait_for(self._first.wait(), _PATIENCE)
        except TimeoutError:
            await self.close()
            where = ", ".join(f"{host}:{port}" for host, port in self._agents)
            raise ProviderError(f"no agent of the swarm answers at {where}: {self._reason}") from None

    async def close(self) -> None:
        """Ends the conversation."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def call(self, name: str, /, **given: Any) -> Any:
        """One call, sent once.

        Raises:
            AgentLostError: see there.
            ProviderError: no agent answers.
            FaasExpError: what the agent answers.
        """
        try:
            await asyncio.wait_for(self._connected.wait(), _PATIENCE)
        except TimeoutError:
            raise ProviderError(f"no agent of the swarm answers: {self._reason}") from None
        writer = self._writer
        assert writer is not None  # noqa: S101 - connected
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(encode({"id": number, "call": name, "with": given}))
            answer = await asyncio.wait_for(future, _CALL_TIMEOUT)
        except TimeoutError:
            raise ProviderError(f"the swarm did not answer within {_CALL_TIMEOUT:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            raise_error(answer)
        return answer["ok"]

    async def ask(self, name: str, /, **given: Any) -> Any:
        """A call that does no harm when it is carried out twice: sent again, on a new connection, when the agent is
        lost over it.

        Raises:
            ProviderError, FaasExpError: as ``call``.
        """
        for _ in range(_TRIES - 1):
            with contextlib.suppress(AgentLostError):
                return await self.call(name, **given)
        return await self.call(name, **given)

    async def _keep(self) -> None:
        for host, port in itertools.cycle(self._agents):
            try:
                await self._converse(host, port)
                self._reason = f"{host}:{port} ended the conversation"
            except (OSError, ValueError, TimeoutError, ssl.SSLError) as error:
                self._reason = f"{host}:{port}: {str(error) or type(error).__name__}"
            except Exception as error:  # the link must outlive any single fault
                log.failure("agent not understood", agent=f"{host}:{port}")
                self._reason = f"{host}:{port}: {type(error).__name__}"
            self._lost()
            log.trouble("agent lost", agent=f"{host}:{port}", reason=self._reason)
            await asyncio.sleep(_PAUSE)

    async def _converse(self, host: str, port: int) -> None:
        connecting = asyncio.open_connection(host, port, ssl=self._tls, limit=LINE_LIMIT)
        reader, writer = await asyncio.wait_for(connecting, _CONNECT_TIMEOUT)
        alive = asyncio.create_task(self._ask_for_life(writer))
        try:
            # With TLS 1.3 a refused certificate shows at the first read only.
            self._take(await asyncio.wait_for(reader.readline(), _CONNECT_TIMEOUT + _SILENCE))
            self._writer = writer
            self._connected.set()
            log.event("agent found", agent=f"{host}:{port}")
            while True:
                self._take(await asyncio.wait_for(reader.readline(), 3 * _SILENCE))
        finally:
            alive.cancel()
            writer.close()
            with contextlib.suppress(Exception):
                writer.transport.abort()

    async def _ask_for_life(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(_SILENCE)
            writer.write(encode({"id": 0, "call": "ping", "with": {}}))

    def _take(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the connection was closed")
        message = json.loads(line)
        if "view" in message:
            self._seen(View.from_json(message["view"]))
            self._first.set()
            return
        future = self._waiting.get(message["id"])
        if future is not None and not future.done():
            future.set_result(message)

    def _lost(self) -> None:
        self._connected.clear()
        self._writer = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AgentLostError(f"the agent was lost before it answered: {self._reason}"))
