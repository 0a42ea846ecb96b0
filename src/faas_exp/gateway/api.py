"""``/system/…``: managing functions, as OpenFaaS's API has it (status codes as its provider for Swarm gives them)."""

from __future__ import annotations

import json
import platform
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from faas_exp import __version__
from faas_exp.gateway import log
from faas_exp.gateway.http.exchange import JSON, Response, text
from faas_exp.gateway.http.request import Request
from faas_exp.gateway.metrics import Metrics
from faas_exp.gateway.model import FunctionState, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, Provider, ProviderError
from faas_exp.gateway.schemas import DeleteBody, DeployBody, ScaleBody, read_body

BODY_LIMIT = 1024**2
PREFIX = b"/system/"

Method = Callable[[bytes], Awaitable[Response]]


class SystemApi:
    """Answers ``/system/…`` for one provider.

    Args:
        namespace: the one namespace that functions live in.
    """

    def __init__(self, provider: Provider, metrics: Metrics, namespace: str) -> None:
        self._provider = provider
        self._metrics = metrics
        self._namespace = namespace

    async def handle(self, request: Request, body: bytes) -> Response:
        """The answer to one authorised request."""
        path = request.target.partition(b"?")[0]
        methods = self._methods(path)
        if methods is None:
            return text(404, f"{path.decode(errors='replace')} not found")
        method = methods.get(request.method.decode())
        if method is None:
            return text(405, "method not allowed", (b"Allow", ", ".join(methods).encode()))
        try:
            return await method(body)
        except ValidationError as error:
            return text(400, _first(error))
        except (InvalidFunctionError, FunctionExistsError) as error:
            return text(400, str(error))
        except FunctionNotFoundError as error:
            return text(404, str(error))
        except ProviderError as error:
            log.trouble("provider failed", path=path.decode(errors="replace"), error=str(error))
            return text(500, str(error))

    def _methods(self, path: bytes) -> dict[str, Method] | None:
        if path == b"/system/functions":
            return {"GET": self._list, "POST": self._deploy, "PUT": self._update, "DELETE": self._delete}
        if path == b"/system/info":
            return {"GET": self._info}
        kind, _, name = path.removeprefix(PREFIX).partition(b"/")
        function = unquote(name.decode(errors="replace")).removesuffix(f".{self._namespace}")
        if name and b"/" not in name:
            if kind == b"function":
                return {"GET": lambda body: self._get(function)}
            if kind == b"scale-function":
                return {"POST": lambda body: self._scale(function, body)}
        return None

    async def _list(self, body: bytes) -> Response:
        states = sorted(await self._provider.functions(), key=lambda state: state.spec.name)
        return _json(200, [self._describe(state) for state in states])

    async def _get(self, name: str) -> Response:
        state = await self._provider.get(name)
        if state is None:
            raise FunctionNotFoundError(f"function {name} not found")
        return _json(200, self._describe(state))

    async def _deploy(self, body: bytes) -> Response:
        spec = read_body(DeployBody, body).spec(self._namespace)
        await self._provider.deploy(spec)
        log.event("deployed", function=spec.name, image=spec.image)
        return Response(202)

    async def _update(self, body: bytes) -> Response:
        spec = read_body(DeployBody, body).spec(self._namespace)
        await self._provider.update(spec)
        log.event("updated", function=spec.name, image=spec.image)
        return Response(202)

    async def _delete(self, body: bytes) -> Response:
        name = read_body(DeleteBody, body).name
        await self._provider.delete(name)
        log.event("deleted", function=name)
        return Response(202)

    async def _scale(self, name: str, body: bytes) -> Response:
        wish = read_body(ScaleBody, body)
        if wish.service not in (None, "", name):
            raise InvalidFunctionError(f"serviceName: found {wish.service!r}, allowed: {name}, as in the path")
        await self._provider.scale(name, wish.replicas)
        log.event("scaled", function=name, replicas=wish.replicas, why="asked")
        return Response(202)

    async def _info(self, body: bytes) -> Response:
        version = {"release": __version__, "sha": ""}
        provider = {
            "provider": f"faas-exp-{self._provider.orchestration}",
            "orchestration": self._provider.orchestration,
            "version": version,
        }
        return _json(200, {"provider": provider, "version": version, "arch": platform.machine()})

    def _describe(self, state: FunctionState) -> dict[str, Any]:
        described = {"name": state.spec.name, **state.spec.to_json()}
        del described["service"]
        return {
            **described,
            "namespace": self._namespace,
            "replicas": state.wanted,
            "availableReplicas": state.available,
            "invocationCount": self._metrics.of(state.spec.name).count,
            "createdAt": state.created,
            "lastError": state.last_error,
        }


def _json(status: int, content: object) -> Response:
    return Response(status, json.dumps(content).encode(), JSON)


def _first(error: ValidationError) -> str:
    """The first fault on one line, without the value: it may be secret."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else f"body: {fault['msg']}"
