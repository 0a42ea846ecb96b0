"""The swarm provider's own parts: the service made of a function, the agent's conversation over TLS, who scales.

What Swarm itself does with them is tested on real machines.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from faas_exp.errors import ConfigError
from faas_exp.gateway.model import FunctionSpec, FunctionState, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError
from faas_exp.gateway.providers.swarm import services
from faas_exp.gateway.providers.swarm.agent import Agent
from faas_exp.gateway.providers.swarm.peers import Peers
from faas_exp.gateway.providers.swarm.provider import SwarmProvider
from faas_exp.gateway.providers.swarm.settings import SwarmSettings
from faas_exp.gateway.providers.swarm.wire import Deployed, Task, View, tls_context
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


def as_service(spec: FunctionSpec, replicas: int = 2) -> dict[str, object]:
    return {"Spec": services.service_spec(spec, replicas, spec.image, "net", {"token": "id1"}, ("node.role==worker",))}


# a function as a service


def test_what_is_deployed_comes_back_as_it_was() -> None:
    service = as_service(SPEC, 7)
    assert services.function_spec(service) == SPEC
    assert services.wanted_replicas(service) == 7
    own_fprocess = replace(SPEC, environment={"fprocess": "other"})
    assert services.function_spec(as_service(own_fprocess)) == own_fprocess


def test_the_environment_stands_in_no_label_and_is_no_template() -> None:
    wish = as_service(SPEC)["Spec"]
    assert isinstance(wish, dict)
    assert "Node.ID" not in str(wish["Labels"])
    environment = wish["TaskTemplate"]["ContainerSpec"]["Env"]
    assert 'greeting={{"{{"}}.Node.ID}} = {{"{{"}}' in environment
    assert "REPLICA_ID={{.Task.ID}}" in environment


def test_no_virtual_ip_and_time_to_finish() -> None:
    wish = as_service(SPEC)["Spec"]
    assert isinstance(wish, dict)
    assert wish["EndpointSpec"] == {"Mode": "dnsrr"}
    container = wish["TaskTemplate"]["ContainerSpec"]
    assert container["StopGracePeriod"] == 6 * 10**9
    assert container["Secrets"][0]["File"]["Name"] == "/var/openfaas/secrets/token"
    assert wish["TaskTemplate"]["Resources"] == {
        "Limits": {"MemoryBytes": 64 * 2**20, "NanoCPUs": 250_000_000},
        "Reservations": {"NanoCPUs": 500_000_000},
    }
    assert wish["TaskTemplate"]["Placement"] == {"Constraints": ["node.role==worker"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"limits": {"memory": "lots"}}, "limits.memory: found 'lots'"),
        ({"limits": {"memory": "1Mi"}}, "at least 6Mi"),
        ({"limits": {"cpu": "0"}}, "limits.cpu: found '0'"),
        ({"constraints": ("disk=ssd",)}, "constraints: found 'disk=ssd'"),
    ],
)
def test_what_swarm_would_not_take_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidFunctionError, match=says):
        as_service(replace(SPEC, **change))  # type: ignore[arg-type]


def test_other_services_are_no_functions() -> None:
    assert services.function_spec({"Spec": {"Labels": {"com.docker.stack": "x"}}}) is None
    assert services.function_spec({"Spec": {"Labels": {services.FUNCTION_LABEL: "{"}}}) is None


@pytest.mark.parametrize("agents", ["", "host", "host:0", "a:1,b:x"])
def test_settings_name_what_is_wrong(agents: str) -> None:
    with pytest.raises(ConfigError, match="swarm_agents"):
        SwarmSettings.from_environment({"swarm_agents": agents, "swarm_certificate": "c", "swarm_key": "k"})


# agent and gateways


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
        self.functions[name] = replace(self.functions[name], wanted=replicas)
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


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "agent")


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


def test_a_change_by_one_gateway_is_known_to_the_others_when_it_answers(pair: tuple[Path, Path]) -> None:
    async def scenario() -> None:
        engine = MemoryEngine()
        async with (
            agent_of(engine, pair) as port,
            gateway_of([port], pair) as (one, _),
            gateway_of([port], pair) as two,
        ):
            engine.slowness = 0.4
            await one.deploy(SPEC)
            await until(lambda: b"echo" in two[1].functions, 0.1)
            engine.slowness = 0.0
            assert two[1].functions[b"echo"].wanted == 2
            with pytest.raises(FunctionExistsError):
                await two[0].deploy(SPEC)
            await one.scale("echo", 5, expected=3)
            assert engine.functions["echo"].wanted == 2, "another number was asked for meanwhile"
            await one.scale("echo", 5, expected=2)
            assert (await two[0].get("echo") or FunctionState(SPEC, 0)).wanted == 5
            await two[0].delete("echo")
            await until(lambda: b"echo" not in two[1].functions, 0.5)
            with pytest.raises(FunctionNotFoundError):
                await one.scale("echo", 1)
            assert await one.get("echo") is None

    asyncio.run(scenario())


def test_a_replica_serves_once_it_answers_and_no_more_when_it_is_gone(pair: tuple[Path, Path]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            writer.write(b"HTTP/1.1 200 OK\r\nX-Replica-Id: t1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        engine = MemoryEngine()
        spare = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = spare.sockets[0].getsockname()[1]
        spare.close()
        async with agent_of(engine, pair) as agent, gateway_of([agent], pair) as (provider, table):
            engine.functions["echo"] = Deployed(SPEC, 1, "", (Task("t1", "127.0.0.1", port, 1),))
            await until(lambda: b"echo" in table.functions)
            await asyncio.sleep(0.2)
            assert not table.functions[b"echo"].replicas, "it runs but does not answer"
            server = await asyncio.start_server(answer, "127.0.0.1", port)
            await until(lambda: len(table.functions[b"echo"].replicas) == 1)
            assert ((await provider.get("echo")) or FunctionState(SPEC, 0)).available == 1
            server.close()
            await until(lambda: not table.functions[b"echo"].replicas)

    asyncio.run(scenario())


def test_a_task_under_a_former_address_is_not_taken_for_another(pair: tuple[Path, Path]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nX-Replica-Id: former\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        engine = MemoryEngine()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        engine.functions["echo"] = Deployed(SPEC, 1, "", (Task("t1", "127.0.0.1", port, 1),))
        async with agent_of(engine, pair) as agent, gateway_of([agent], pair) as (_, table):
            await asyncio.sleep(0.3)
            assert not table.functions[b"echo"].replicas
        server.close()

    asyncio.run(scenario())


def test_a_lost_agent_is_replaced_by_another_and_routes_stay(pair: tuple[Path, Path]) -> None:
    async def scenario() -> None:
        engine = MemoryEngine()
        engine.functions["echo"] = Deployed(SPEC, 1, "")
        async with agent_of(engine, pair) as second:
            first = Agent(engine)  # type: ignore[arg-type]
            port = await first.start("127.0.0.1", 0, tls_context(*pair, server=True))
            async with gateway_of([port, second], pair) as (provider, table):
                await first.close()
                await provider.scale("echo", 4)
                assert table.functions[b"echo"].wanted == 4

    asyncio.run(scenario())


def test_nobody_without_the_key_gets_in(pair: tuple[Path, Path], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with agent_of(MemoryEngine(), pair) as port:
            stranger = tls_context(*certificate(tmp_path, "stranger"), server=False)
            stranger.verify_mode = ssl.CERT_NONE
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=stranger)
                writer.write(b'{"id": 1, "call": "view", "with": {}}\n')
                await reader.readuntil(b"\n")

    asyncio.run(scenario())


# who scales


def test_the_lowest_task_leads_and_adds_up_what_the_others_count() -> None:
    counters = {"200": 10, "500": 1}
    started = 11

    async def metrics(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        lines = [
            f'gateway_function_invocation_total{{code="{c}",function_name="echo"}} {n}' for c, n in counters.items()
        ]
        body = "\n".join(
            [*lines, f'gateway_function_invocation_started{{function_name="echo"}} {started}', ""]
        ).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        writer.close()

    async def scenario() -> None:
        nonlocal started
        server = await asyncio.start_server(metrics, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        peers = Peers("a", port)
        assert await peers.refresh(), "alone, it leads"
        peers.follow({"b": "127.0.0.1", "a": "192.0.2.1"})
        assert await peers.refresh()
        assert peers.others("echo").successes == 0, "what was before counts for nothing"
        used = peers.others("echo").last_used
        counters["200"], started = 25, 28
        assert await peers.refresh()
        share = peers.others("echo")
        assert (share.successes, share.in_flight) == (15, 2)
        assert share.last_used > used
        counters.update({"200": 3, "500": 0})
        started = 3
        assert await peers.refresh()
        assert peers.others("echo").successes == 18, "that gateway has started anew"
        server.close()
        await server.wait_closed()
        assert await peers.refresh()
        assert peers.others("echo").in_flight > 1000, "one that does not tell may be busy"
        peers.follow({"0": "192.0.2.1", "a": "192.0.2.2"})
        assert not await peers.refresh(), "another leads"

    asyncio.run(scenario())
