"""An agent is lost over a call: what may be done twice is done again, and no call fails that was carried out."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from swarm_memory import SPEC, MemoryEngine, agent_of, certificate, gateway_of

from faas_exp.gateway.model import FunctionSpec
from faas_exp.gateway.provider import FunctionExistsError, ProviderError
from faas_exp.gateway.providers.cluster.deployed import Deployed
from faas_exp.gateway.providers.swarm.provider import SwarmProvider


class Relay:
    """Stands between gateway and agent, and can cut every connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.get_running_loop()
        self.cuts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            onward, other = await asyncio.open_connection("127.0.0.1", self._port)
            self._writers |= {writer, other}
            await asyncio.gather(self._pump(reader, other), self._pump(onward, writer))

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.transport.abort()

    def cut(self) -> None:
        """From any thread; returns when it is done."""
        done = threading.Event()

        def now() -> None:
            for writer in self._writers:
                writer.transport.abort()
            self._writers.clear()
            self.cuts += 1
            done.set()

        self._loop.call_soon_threadsafe(now)
        assert done.wait(10)


class Fragile(MemoryEngine):
    """Loses the connection over the next change, before or after it is carried out."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], None] | None = None
        self.after: Callable[[], None] | None = None

    def _lose_before(self) -> None:
        if self.before is not None:
            cut, self.before = self.before, None
            cut()
            raise ProviderError("nobody hears this")

    def _lose_after(self) -> None:
        if self.after is not None:
            cut, self.after = self.after, None
            cut()

    def deploy(self, spec: FunctionSpec) -> None:
        self._lose_before()
        super().deploy(spec)
        self._lose_after()

    def update(self, spec: FunctionSpec) -> None:
        self._lose_before()
        super().update(spec)
        self._lose_after()

    def scale(self, name: str, replicas: int, expected: int | None) -> bool:
        self._lose_before()
        done = super().scale(name, replicas, expected)
        self._lose_after()
        return done

    def delete(self, name: str) -> None:
        self._lose_before()
        super().delete(name)
        self._lose_after()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "agent")


@asynccontextmanager
async def cluster(pair: tuple[Path, Path]) -> AsyncIterator[tuple[Fragile, Relay, SwarmProvider]]:
    engine = Fragile()
    async with agent_of(engine, pair) as port:
        relay = Relay(port)
        server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
        async with gateway_of([server.sockets[0].getsockname()[1]], pair) as (provider, _):
            yield engine, relay, provider
        server.close()


CALLS: dict[str, Callable[[SwarmProvider], Awaitable[None]]] = {
    "deploy": lambda provider: provider.deploy(replace(SPEC, name="new")),
    "update": lambda provider: provider.update(replace(SPEC, image="other")),
    "scale": lambda provider: provider.scale("echo", 7),
    "autoscale": lambda provider: provider.scale("echo", 7, expected=2),
    "delete": lambda provider: provider.delete("echo"),
}
OUTCOMES: dict[str, Callable[[dict[str, Deployed]], bool]] = {
    "deploy": lambda functions: functions["new"].wanted == 2,
    "update": lambda functions: functions["echo"].spec.image == "other",
    "scale": lambda functions: functions["echo"].wanted == 7,
    "autoscale": lambda functions: functions["echo"].wanted == 7 and functions["echo"].autoscaled,
    "delete": lambda functions: "echo" not in functions,
}


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_survives_the_loss_of_its_connection(call: str, carried_out: bool, pair: tuple[Path, Path]) -> None:
    async def scenario() -> None:
        async with cluster(pair) as (engine, relay, provider):
            await provider.deploy(SPEC)
            if carried_out:
                engine.after = relay.cut
            else:
                engine.before = relay.cut
            await CALLS[call](provider)
            assert relay.cuts == 1
            assert OUTCOMES[call](engine.functions)

    asyncio.run(scenario())


def test_somebody_elses_function_is_not_taken_for_our_own(pair: tuple[Path, Path]) -> None:
    async def scenario() -> None:
        async with cluster(pair) as (engine, relay, provider):
            engine.functions["echo"] = Deployed(replace(SPEC, image="other"), 1, "")
            engine.before = relay.cut
            with pytest.raises(FunctionExistsError):
                await provider.deploy(SPEC)
            assert engine.functions["echo"].spec.image == "other"

    asyncio.run(scenario())
