"""A swarm in memory, with a real agent and real gateways' providers around it, which speak over TLS."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from faas_exp.gateway.model import FunctionSpec
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError
from faas_exp.gateway.providers.cluster.deployed import Deployed
from faas_exp.gateway.providers.swarm.agent import Agent
from faas_exp.gateway.providers.swarm.provider import SwarmProvider
from faas_exp.gateway.providers.swarm.settings import SwarmSettings
from faas_exp.gateway.providers.swarm.wire import View, tls_context
from faas_exp.gateway.routing import RouteTable

SPEC = FunctionSpec(
    name="echo",
    image="registry:5000/echo@sha256:1",
    env_process="cat",
    environment={"greeting": "{{.Node.ID}} = {{", "write_timeout": "5s", "empty": ""},
    labels={"com.openfaas.scale.min": "2", "team": "x"},
    annotations={"why": "test"},
    secrets=("token",),
    limits={"memory": "64Mi", "cpu": "250m"},
    requests={"memory": "", "cpu": "0.5"},
    read_only_root_filesystem=True,
)


class MemoryEngine:
    """Swarm as far as the conversation needs one."""

    def __init__(self) -> None:
        self.functions: dict[str, Deployed] = {}
        self.gateways: dict[str, str] = {}
        self.slowness = 0.0

    def view(self) -> View:
        time.sleep(self.slowness)
        return View(dict(self.functions), dict(self.gateways))

    def get(self, name: str) -> Deployed | None:
        return self.functions.get(name)

    def deploy(self, spec: FunctionSpec) -> None:
        if spec.name in self.functions:
            raise FunctionExistsError("there")
        self.functions[spec.name] = Deployed(spec, spec.scale.minimum, "2026-01-01T00:00:00Z")

    def update(self, spec: FunctionSpec) -> None:
        self.functions[spec.name] = replace(self.functions[spec.name], spec=spec)

    def scale(self, name: str, replicas: int, expected: int | None) -> bool:
        if name not in self.functions:
            raise FunctionNotFoundError("gone")
        if expected is not None and self.functions[name].wanted != expected:
            return False
        self.functions[name] = replace(self.functions[name], wanted=replicas, autoscaled=expected is not None)
        return True

    def delete(self, name: str) -> None:
        if self.functions.pop(name, None) is None:
            raise FunctionNotFoundError("gone")

    def events(self) -> Iterator[dict[str, object]]:
        return iter(())

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-subj", "/CN=agent", "-days", "2"]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def agent_of(engine: MemoryEngine, pair: tuple[Path, Path]) -> AsyncIterator[int]:
    agent = Agent(engine)  # type: ignore[arg-type]
    port = await agent.start("127.0.0.1", 0, tls_context(*pair, server=True))
    try:
        yield port
    finally:
        await agent.close()


@asynccontextmanager
async def gateway_of(ports: list[int], pair: tuple[Path, Path]) -> AsyncIterator[tuple[SwarmProvider, RouteTable]]:
    agents = tuple(("127.0.0.1", port) for port in ports)
    provider = SwarmProvider(SwarmSettings(agents, *pair))
    table = RouteTable()
    await provider.start(table.apply, table)
    try:
        yield provider, table
    finally:
        await provider.close()


async def until(what: object, seconds: float = 10.0) -> None:
    assert callable(what)
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.01)
