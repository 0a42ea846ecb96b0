"""The swarm provider's own parts: the service made of a function, the agent's conversation over TLS, who scales.

What Swarm itself does with them is tested on real machines.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from swarm_memory import SPEC, MemoryEngine, agent_of, certificate, gateway_of, until

from faas_exp.errors import ConfigError
from faas_exp.gateway.model import FunctionSpec, FunctionState, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError
from faas_exp.gateway.providers.cluster.deployed import Deployed, Task
from faas_exp.gateway.providers.cluster.peers import Peers
from faas_exp.gateway.providers.swarm import services
from faas_exp.gateway.providers.swarm.agent import Agent
from faas_exp.gateway.providers.swarm.settings import SwarmSettings
from faas_exp.gateway.providers.swarm.wire import tls_context


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


def test_who_asked_for_the_number_is_kept_beside_it() -> None:
    service = {"Spec": {**as_service(SPEC, 2)["Spec"], "UpdateConfig": {"Parallelism": 4}}}  # type: ignore[dict-item]
    assert not services.autoscaled(service)
    raised = services.scaled_spec(service, 6, by_autoscaler=True)
    assert services.autoscaled({"Spec": raised})
    assert raised["TaskTemplate"] == service["Spec"]["TaskTemplate"], "no replica is replaced over it"
    assert raised["UpdateConfig"] == service["Spec"]["UpdateConfig"]
    by_hand = {**raised, "Mode": {"Replicated": {"Replicas": 7}}}
    assert not services.autoscaled({"Spec": by_hand}), "somebody else has changed it since"
    assert not services.autoscaled({"Spec": services.scaled_spec({"Spec": raised}, 6, by_autoscaler=False)})


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


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "agent")


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
