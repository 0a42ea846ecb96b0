"""The proxy against replicas that misbehave: refuse, break off, send too much, answer too early."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from faas_exp.gateway.http.connection import ClientConnection
from faas_exp.gateway.http.exchange import Exchange
from faas_exp.gateway.http.request import Request
from faas_exp.gateway.http.server import Limits, Server
from faas_exp.gateway.metrics import FunctionMetrics, Metrics
from faas_exp.gateway.model import FunctionSpec, FunctionState, Replica
from faas_exp.gateway.proxy import ProxyExchange
from faas_exp.gateway.routing import FunctionRoute, RouteTable

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Front:
    """A proxy in this event loop, in front of given replicas of function ``f``."""

    max_body = 1e9
    exec_timeout = 2.0
    ready_timeout = 1.0
    access_log = False

    def __init__(self) -> None:
        self.table = RouteTable()
        self.metrics = Metrics()
        self.server = Server(self.route, Limits())
        self.port = 0

    def route(self, connection: ClientConnection, request: Request) -> Exchange:
        return ProxyExchange(connection, request, self, b"f", request.target, self.table.functions.get(b"f"))

    def metrics_of(self, name: str) -> FunctionMetrics:
        return self.metrics.of(name)

    def needs_replica(self, function: FunctionRoute) -> str:
        return ""

    async def look_up(self, name: bytes) -> FunctionRoute | None:
        return None

    def replicas(self, *ports: int) -> None:
        found = tuple(Replica(f"r{place}", "127.0.0.1", port, 0) for place, port in enumerate(ports))
        self.table.apply("f", FunctionState(FunctionSpec("f", "i"), len(ports), found))

    async def ask(self, message: bytes = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(message)
        answer = bytearray()
        try:
            while data := await asyncio.wait_for(reader.read(65536), 8):
                answer += data
        except ConnectionResetError:
            answer += b"<reset>"
        writer.close()
        return bytes(answer)


def run(scenario: Callable[[Front], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        front = Front()
        front.port = await front.server.bind("127.0.0.1", 0)
        await front.server.serve()
        try:
            await asyncio.wait_for(scenario(front), 25)
            assert sum(f.in_flight for f in front.table.functions.values()) == 0
            assert all(r.in_flight == 0 for f in front.table.functions.values() for r in f.replicas)
        finally:
            await front.server.close(0)

    asyncio.run(main())


async def replica(script: Script) -> int:
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


async def says(*pieces: bytes, pause: float = 0.0, then: str = "close") -> int:
    """A replica that reads a request's head and says the same to each."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause)
                if then == "close":
                    break
                if then == "reset":
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    return await replica(script)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_refused_connection_goes_to_another_replica() -> None:
    async def scenario(front: Front) -> None:
        front.replicas(closed_port(), closed_port(), await says(OK, then="stay"))
        for _ in range(20):
            answer = await front.ask()
            assert answer.startswith(b"HTTP/1.1 200"), answer
        assert front.metrics.of("f").codes == {200: 20}

    run(scenario)


def test_a_request_waits_while_everybody_refuses() -> None:
    async def scenario(front: Front) -> None:
        front.replicas(closed_port())
        asking = asyncio.gather(*(front.ask() for _ in range(20)))
        await asyncio.sleep(0.4)
        front.replicas(await says(OK, then="stay"))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in await asking)

    run(scenario)


def test_nobody_accepts_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faas_exp.gateway.proxy._CONNECT_PATIENCE", 0.5)

    async def scenario(front: Front) -> None:
        front.replicas(closed_port())
        answer = await front.ask()
        assert answer.startswith(b"HTTP/1.1 502")
        assert b"no replica of f accepts connections" in answer

    run(scenario)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_no_usable_response_is_a_502(said: bytes) -> None:
    async def scenario(front: Front) -> None:
        front.replicas(await says(said))
        answer = await front.ask()
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n"), answer
        assert front.metrics.of("f").codes == {502: 1}

    run(scenario)


@pytest.mark.parametrize(
    ("head", "then"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "reset"),
    ],
)
def test_a_body_cut_short_is_cut_short_for_the_client(head: bytes, then: str) -> None:
    """A client must not take half a body for a whole one."""

    async def scenario(front: Front) -> None:
        front.replicas(await says(head, b"half a body", pause=0.1, then=then))
        answer = await front.ask()
        body = answer.partition(b"\r\n\r\n")[2]
        assert not body.endswith(b"0\r\n\r\n"), "no end of chunks that the replica did not send"
        if b"Content-Length: 100" in answer:
            assert len(body) < 100
        assert front.metrics.of("f").codes == {502: 1}

    run(scenario)


def test_a_body_up_to_the_end_of_the_connection() -> None:
    async def scenario(front: Front) -> None:
        front.replicas(await says(b"HTTP/1.1 200 OK\r\n\r\nall ", b"of it", pause=0.05))
        answer = await front.ask()
        assert answer.endswith(b"4\r\nall \r\n5\r\nof it\r\n0\r\n\r\n"), answer
        assert front.metrics.of("f").codes == {200: 1}

    run(scenario)


@pytest.mark.parametrize(
    "surplus", [OK, b"junk", b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned", b"HTTP/1.1 500 X\r\n\r\n"]
)
@pytest.mark.parametrize("together", [True, False])
def test_bytes_that_nobody_asked_for_reach_nobody(surplus: bytes, together: bool) -> None:
    async def scenario(front: Front) -> None:
        pieces = (OK + surplus,) if together else (OK, surplus)
        front.replicas(await says(*pieces, pause=0.02, then="stay"))
        for _ in range(5):
            answer = await front.ask()
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"\r\n\r\nok"), answer
            await asyncio.sleep(0.05)

    run(scenario)


def test_interim_responses_are_skipped() -> None:
    async def scenario(front: Front) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        front.replicas(await says(b"HTTP/1.1 100 Continue\r\n\r\n", hints, OK, pause=0.02, then="stay"))
        answer = await front.ask()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Link" not in answer

    run(scenario)


def test_a_connection_that_the_replica_closed_is_not_used_again() -> None:
    async def scenario(front: Front) -> None:
        front.replicas(await says(OK, then="close"))
        for _ in range(10):
            answer = await front.ask()
            assert answer.startswith(b"HTTP/1.1 200"), answer
            await asyncio.sleep(0.02)

    run(scenario)


def test_an_answer_before_the_request_is_complete() -> None:
    async def scenario(front: Front) -> None:
        front.replicas(await says(OK, then="stay"))
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        writer.write(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nfirst")
        answer = await asyncio.wait_for(reader.read(1000), 5)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Connection: close" in answer
        # The rest is thrown away for a while, so that the answer is not lost in a reset.
        writer.write(b"x" * 100_000)
        await writer.drain()
        writer.close()

    run(scenario)


def test_silence_is_a_504() -> None:
    async def scenario(front: Front) -> None:
        closed = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.read(1000):
                    pass
            except ConnectionError:
                pass
            closed.set()
            writer.close()

        front.exec_timeout = 0.3
        front.replicas(await replica(silent))
        answer = await front.ask()
        assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        await asyncio.wait_for(closed.wait(), 2)

    run(scenario)


def test_a_body_that_stops_is_cut_off() -> None:
    async def scenario(front: Front) -> None:
        front.exec_timeout = 0.3
        front.replicas(await says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", pause=5))
        answer = await front.ask()
        assert len(answer.partition(b"\r\n\r\n")[2]) < 100
        assert front.metrics.of("f").codes == {504: 1}

    run(scenario)


def test_requests_never_mix_on_a_kept_connection() -> None:
    """Many clients, one replica that answers each request with its own path, in random time."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1]
                await asyncio.sleep(hash(path) % 7 / 1000)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def scenario(front: Front) -> None:
        front.replicas(await replica(script), await replica(script))

        async def client(number: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            for turn in range(30):
                path = b"/%d/%d" % (number, turn)
                writer.write(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
                assert head.startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(len(path)) == path
            writer.close()

        await asyncio.gather(*(client(number) for number in range(20)))
        assert front.metrics.of("f").codes == {200: 600}

    run(scenario)
