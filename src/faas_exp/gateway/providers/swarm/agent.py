"""The agent on a manager: what gateways may do with Swarm, and nothing else.

A gateway stands on a worker, where Swarm's API is not to be had, and on the functions' network. It gets functions and
replica numbers from here, over mutual TLS, never Docker's API: with that, whoever takes over a gateway could take over
every node.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faas_exp.errors import FaasExpError
from faas_exp.gateway import log
from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers.swarm.engine import Engine
from faas_exp.gateway.providers.swarm.wire import LINE_LIMIT, View, encode, error_message

# Seconds between looks at Swarm: while something is under way, and while nothing is.
_BUSY = 0.1
_CALM = 1.0
_CONVERGING = 3.0
_EVENTS_PAUSE = 1.0
_PARALLEL_CALLS = 8


class Agent:
    """Serves gateways for one manager.

    Args:
        engine: of the manager; the agent closes it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_PARALLEL_CALLS, thread_name_prefix="engine")
        self._gateways: set[asyncio.StreamWriter] = set()
        self._view: View | None = None
        self._line = b""
        self._look = asyncio.Event()
        self._looking = asyncio.Lock()
        self._busy_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self._closing = False

    async def start(self, host: str, port: int, tls: ssl.SSLContext) -> int:
        """Serves from now on.

        Returns:
            the port.

        Raises:
            OSError: the address can't be had.
        """
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls, limit=LINE_LIMIT)
        self._run(self._watch())
        # It may wait for Docker's next event for ever, and must not keep the process alive over it.
        follow = threading.Thread(target=self._follow_events, args=(asyncio.get_running_loop(),), daemon=True)
        follow.start()
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends all conversations."""
        self._closing = True
        self._server.close()
        for writer in list(self._gateways):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._engine.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # watching

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                if self._gateways:
                    await self._look_once()
            except FaasExpError as error:
                # Gateways go on with what they know, and look for an agent whose manager answers.
                log.trouble("Swarm can't be watched", error=str(error))
                self._engine.forget()
                self._view = None
                for writer in list(self._gateways):
                    writer.close()
            self._look.clear()
            pause = _BUSY if loop.time() < self._busy_until else _CALM
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), pause)

    async def _look_once(self) -> None:
        # One after the other, or an older view could be told after a newer one.
        async with self._looking:
            await self._look_now()

    async def _look_now(self) -> None:
        loop = asyncio.get_running_loop()
        view = await self._ask(self._engine.view)
        if any(len(f.tasks) != f.wanted for f in view.functions.values()):
            self._busy_until = max(self._busy_until, loop.time() + _BUSY * 2)
        if view != self._view:
            self._view = view
            self._line = encode({"view": view.to_json()})
            for writer in list(self._gateways):
                self._send(writer, self._line)

    def _changed(self) -> None:
        loop = asyncio.get_running_loop()
        self._busy_until = loop.time() + _CONVERGING
        self._look.set()

    def _follow_events(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: Docker's events only say when to look."""
        while not self._closing:
            try:
                for _ in self._engine.events():
                    loop.call_soon_threadsafe(self._changed)
            except (FaasExpError, RuntimeError):
                # The engine restarts, or our loop has ended; the calm look every second goes on meanwhile.
                pass
            if not self._closing:
                time.sleep(_EVENTS_PAUSE)

    # one gateway

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        log.event("gateway connected", address=peer)
        self._gateways.add(writer)
        try:
            if self._view is None:
                self._look.set()
            else:
                self._send(writer, self._line)
            while line := await reader.readline():
                self._run(self._answer(writer, line))
        except (OSError, ValueError, ssl.SSLError):
            pass
        finally:
            self._gateways.discard(writer)
            writer.close()
            log.event("gateway gone", address=peer)

    async def _answer(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        try:
            message = json.loads(line)
            number, call, given = message["id"], message["call"], message["with"]
        except (ValueError, KeyError, TypeError):
            writer.close()
            return
        try:
            answer: dict[str, Any] = {"ok": await self._do(call, given)}
        except FaasExpError as error:
            answer = error_message(error)
        except Exception as error:  # one faulty call must not end the conversation
            log.failure("call failed", call=call)
            answer = {"error": "failed", "text": f"internal error: {type(error).__name__}"}
        self._send(writer, encode({"id": number, **answer}))

    async def _do(self, call: str, given: dict[str, Any]) -> Any:
        engine = self._engine
        match call:
            case "ping":
                return None
            case "view":
                return (await self._ask(engine.view)).to_json()
            case "get":
                found = await self._ask(lambda: engine.get(given["name"]))
                return None if found is None else found.to_json()
            case "deploy" | "update":
                spec = FunctionSpec.from_json(given["spec"])
                await self._ask(lambda: engine.deploy(spec) if call == "deploy" else engine.update(spec))
                log.event(f"function {call}", function=spec.name, image=spec.image)
            case "scale":
                done = await self._ask(lambda: engine.scale(given["name"], given["replicas"], given["expected"]))
                log.event("function scale", function=given["name"], replicas=given["replicas"], done=done)
            case "delete":
                await self._ask(lambda: engine.delete(given["name"]))
                log.event("function delete", function=given["name"])
            case _:
                raise InvalidFunctionError(
                    f"call: found {call!r}, allowed: ping, view, get, deploy, update, scale, delete"
                )
        self._changed()
        # Every gateway hears of it before the caller does: who deletes by one gateway finds it gone at the others.
        await self._look_once()
        return None

    async def _ask(self, question: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, question)

    @staticmethod
    def _send(writer: asyncio.StreamWriter, line: bytes) -> None:
        if writer.transport.get_write_buffer_size() > LINE_LIMIT:
            # It has stopped reading; it will come again.
            writer.transport.abort()
        elif not writer.is_closing():
            writer.write(line)

    def _run(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
