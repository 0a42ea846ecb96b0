"""The gateway: who answers which path, and what starts and ends with it."""

from __future__ import annotations

import asyncio
import json
import resource
from functools import cache
from importlib import resources
from urllib.parse import unquote

import yaml

from faas_exp.gateway.api import BODY_LIMIT, PREFIX, SystemApi
from faas_exp.gateway.asyncqueue import AsyncQueue, Invocation, is_url, passed_on
from faas_exp.gateway.credentials import Credentials
from faas_exp.gateway.forwarding import new_call_id
from faas_exp.gateway.http.connection import ClientConnection
from faas_exp.gateway.http.exchange import JSON, BufferedExchange, Exchange, ReadyExchange, Response, text
from faas_exp.gateway.http.request import Request
from faas_exp.gateway.http.server import Limits, Server
from faas_exp.gateway.metrics import Metrics
from faas_exp.gateway.provider import Provider
from faas_exp.gateway.proxy import ProxyExchange
from faas_exp.gateway.routing import FunctionRoute, RouteTable
from faas_exp.gateway.scaler import Scaler
from faas_exp.gateway.settings import Settings

_PROXY = b"/function/"
_ASYNC = b"/async-function/"
_CHALLENGE = (b"WWW-Authenticate", b'Basic realm="Restricted"')
_ALLOW_INVOKE = (b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_STOP_GRACE = 5.0


class Gateway:
    """One gateway in one event loop.

    Args:
        settings: see docs/gateway.md.
        provider: not started.
        credentials: for ``/system/…``; None leaves it open.
    """

    def __init__(self, settings: Settings, provider: Provider, credentials: Credentials | None) -> None:
        self._settings = settings
        self._provider = provider
        self._credentials = credentials
        self._table = RouteTable()
        self._metrics = Metrics()
        self._api = SystemApi(provider, self._metrics, settings.function_namespace)
        self._suffix = f".{settings.function_namespace}".encode()
        self._look_ups: dict[str, asyncio.Task[FunctionRoute | None]] = {}
        self._server: Server
        self._queue: AsyncQueue
        self._scaler: Scaler
        # What the proxy asks for on every request.
        self.max_body = settings.body_limit
        self.exec_timeout = settings.exec_timeout
        self.ready_timeout = settings.ready_timeout
        self.access_log = settings.access_log
        self.metrics_of = self._metrics.of

    async def start(self, host: str, port: int) -> int:
        """Binds, connects the provider, and serves.

        Returns:
            the port.

        Raises:
            OSError: the address can't be had.
            ProviderError: the orchestrator can't be used.
        """
        settings = self._settings
        limits = Limits(
            read_timeout=settings.read_timeout,
            idle_timeout=settings.idle_timeout,
            max_head=settings.max_header_size,
            max_connections=settings.max_connections or _connections_possible(),
        )
        self._server = Server(self._route, limits)
        self._scaler = Scaler(settings, self._provider, self._table, self._metrics)
        patience = settings.exec_timeout + settings.ready_timeout
        self._queue = AsyncQueue(settings.async_queue_size, settings.async_queue_bytes, settings.max_inflight, patience)
        port = await self._server.bind(host, port)
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
        self._queue.base_url = f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"
        # Before anybody is served: a function must not be "not found" because it is not restored yet.
        await self._provider.start(self._table.apply, self._table)
        await self._server.serve()
        return port

    async def close(self) -> None:
        """Takes no more requests, finishes what it can within some seconds, ends the provider."""
        await self._server.close(_STOP_GRACE)
        await self._queue.close()
        await self._scaler.close()
        await self._provider.close()

    # for the proxy

    def needs_replica(self, function: FunctionRoute) -> str:
        """See ``ProxyPolicy``."""
        return self._scaler.needs_replica(function)

    async def look_up(self, name: bytes) -> FunctionRoute | None:
        """See ``ProxyPolicy``; many requests for one name ask once."""
        plain = unquote(name.decode(errors="replace"))
        task = self._look_ups.get(plain)
        if task is None:
            task = self._look_ups[plain] = asyncio.create_task(self._ask_provider(plain))
            task.add_done_callback(lambda _: self._look_ups.pop(plain, None))
        return await asyncio.shield(task)

    async def _ask_provider(self, name: str) -> FunctionRoute | None:
        known = self._table.functions.get(name.encode())
        if known is None:
            state = await self._provider.get(name)
            if state is not None:
                self._table.apply(name, state)
                known = self._table.functions[name.encode()]
        return known

    # paths

    def _route(self, connection: ClientConnection, request: Request) -> Exchange:
        target = request.target
        if target.startswith(_PROXY):
            if request.method == b"TRACE":
                # It would show a caller what stands between it and the function.
                return ReadyExchange(connection, request, text(405, "TRACE is not supported", _ALLOW_INVOKE))
            name, path = self._split(target, len(_PROXY))
            return ProxyExchange(connection, request, self, name, path, self._table.functions.get(name))
        if target.startswith(PREFIX):
            if self._credentials is not None and not self._credentials.match(request.authorization):
                return ReadyExchange(connection, request, text(401, "invalid credentials", _CHALLENGE))
            return BufferedExchange(connection, request, self._api.handle, BODY_LIMIT)
        if target.startswith(_ASYNC):
            return self._enqueue_exchange(connection, request)
        return ReadyExchange(connection, request, self._open(request))

    def _split(self, target: bytes, start: int) -> tuple[bytes, bytes]:
        """The function's name, and the path and query that it gets to see."""
        query = target.find(b"?", start)
        end = len(target) if query < 0 else query
        slash = target.find(b"/", start, end)
        if slash >= 0:
            name, path = target[start:slash], target[slash:]
        else:
            name, path = target[start:end], b"/" + target[end:]
        if name.endswith(self._suffix):
            name = name[: -len(self._suffix)]
        return name, path

    def _open(self, request: Request) -> Response:
        path = request.target.partition(b"?")[0]
        if path not in (b"/healthz", b"/metrics", b"/openapi.json"):
            return text(404, f"{path.decode(errors='replace')} not found")
        if request.method not in (b"GET", b"HEAD"):
            return text(405, "method not allowed", (b"Allow", b"GET, HEAD"))
        if path == b"/healthz":
            return text(200, "OK")
        if path == b"/openapi.json":
            return Response(200, openapi(), JSON)
        return Response(200, self._render_metrics(), _METRICS_TYPE)

    def _render_metrics(self) -> bytes:
        functions = self._table.functions.values()
        available = {function.name: sum(not r.draining for r in function.replicas) for function in functions}
        gauges = [
            ("gateway_open_connections", "Connections of clients", float(len(self._server.connections))),
            ("gateway_requests_in_flight", "Invocations not answered", float(sum(f.in_flight for f in functions))),
            ("gateway_requests_waiting", "Invocations without a replica", float(sum(f.waiting for f in functions))),
            ("gateway_async_queue_length", "Queued invocations", float(len(self._queue))),
        ]
        return self._metrics.render(available, gauges)

    # queued invocations

    def _enqueue_exchange(self, connection: ClientConnection, request: Request) -> Exchange:
        if request.method != b"POST":
            return ReadyExchange(connection, request, text(405, "method not allowed", (b"Allow", b"POST")))
        limit = min(self.max_body, float(self._settings.async_queue_bytes))
        return BufferedExchange(connection, request, self._enqueue, int(limit))

    async def _enqueue(self, request: Request, body: bytes) -> Response:
        name, path = self._split(request.target, len(_ASYNC))
        plain = unquote(name.decode(errors="replace"))
        if self._table.functions.get(name) is None and await self.look_up(name) is None:
            return text(404, f"function {plain} not found")
        call_id = request.call_id or new_call_id()
        headers = passed_on(request.forward)
        if request.call_id is None:
            headers += ((b"X-Call-Id", call_id),)
        callback = (request.callback_url or b"").decode("latin-1")
        if request.callback_url is not None and not is_url(callback):
            return text(400, f"X-Callback-Url: found {callback!r}, allowed: an http or https URL")
        invocation = Invocation(
            function=plain,
            call_id=call_id,
            method=request.method.decode(),
            target=(_PROXY + name + path).decode("latin-1"),
            headers=headers,
            body=body,
            callback=callback,
        )
        if not self._queue.offer(invocation):
            return text(429, "the queue is full", (b"Retry-After", b"1"), (b"X-Call-Id", call_id))
        return Response(202, headers=((b"X-Call-Id", call_id),))


@cache
def openapi() -> bytes:
    """The API's OpenAPI document, as JSON."""
    text = (resources.files(__package__) / "openapi.yml").read_text(encoding="utf-8")
    return json.dumps(yaml.safe_load(text)).encode()


def raise_file_limit() -> None:
    """As many descriptors as we may have: a request in flight needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _connections_possible() -> int:
    # Half for clients, half for replicas, and a reserve for logs, health checks and starts.
    return max(64, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 256) // 2)
