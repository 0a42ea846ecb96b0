"""The k8s provider's client and its watch, against what an API server says when things go wrong."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from faas_exp.gateway.model import InvalidFunctionError
from faas_exp.gateway.provider import ProviderError
from faas_exp.gateway.providers.k8s.api import ConflictError, K8sApi, NotFoundError
from faas_exp.gateway.providers.k8s.reflector import Reflector
from faas_exp.gateway.providers.k8s.settings import K8sSettings

Answer = tuple[int, list[dict[str, Any]]]


class Server:
    """Answers each request by the next of ``script``; one that has none left waits until the end."""

    def __init__(self) -> None:
        self.script: list[Callable[[dict[str, list[str]]], Answer] | Answer] = []
        self.asked: list[dict[str, list[str]]] = []
        self.end = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                outer.asked.append(query)
                if not outer.script:
                    outer.end.wait()
                    return
                status, objects = outer.script.pop(0)  # type: ignore[misc]
                if status == 0:
                    # The server dies before it answers.
                    self.connection.close()
                    return
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"".join(json.dumps(item).encode() + b"\n" for item in objects))

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def api(self, folder: Path) -> K8sApi:
        url = f"http://127.0.0.1:{self.http.server_port}"
        (folder / "kubeconfig").write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "c", "cluster": {"server": url}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        return K8sApi(K8sSettings(k8s_kubeconfig=folder / "kubeconfig"))


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.end.set()
    found.http.shutdown()
    found.http.server_close()


def thing(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


def listed(version: int, *things: dict[str, Any]) -> Answer:
    return 200, [{"items": list(things), "metadata": {"resourceVersion": str(version)}}]


def event(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": item}


def refusal(code: int, message: str) -> Answer:
    return code, [{"kind": "Status", "code": code, "message": message}]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (refusal(404, "no such thing"), NotFoundError, "no such thing"),
        (refusal(409, "exists"), ConflictError, "exists"),
        (refusal(422, "cpu must be positive"), InvalidFunctionError, "Kubernetes refuses: cpu must be positive"),
        (refusal(403, "may not list pods"), ProviderError, "Kubernetes does not allow it: may not list pods"),
        (refusal(500, "etcd has no leader"), ProviderError, "Kubernetes answers 500: etcd has no leader"),
    ],
)
def test_what_the_api_answers_becomes_what_it_means(
    server: Server, tmp_path: Path, answer: Answer, error: type[Exception], says: str
) -> None:
    server.script = [answer]
    with pytest.raises(error, match=says):
        server.api(tmp_path).call("GET", "/api/v1/pods")


def test_a_read_that_broke_off_is_asked_again_once(server: Server, tmp_path: Path) -> None:
    server.script = [(0, []), listed(1)]
    assert server.api(tmp_path).call("GET", "/api/v1/pods")["items"] == []
    server.script = [(0, []), (0, [])]
    with pytest.raises(ProviderError, match=r"Kubernetes does not answer at http://127\.0\.0\.1"):
        server.api(tmp_path).call("GET", "/api/v1/pods")


def test_no_kubeconfig_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"no way to Kubernetes by .*nothing"):
        K8sApi(K8sSettings(k8s_kubeconfig=tmp_path / "nothing"))


def test_a_watch_goes_on_where_it_broke_off_and_lists_again_when_that_is_too_long_ago(
    server: Server, tmp_path: Path
) -> None:
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}
    server.script = [
        listed(5, thing("a", 3), thing("b", 4)),
        (200, [event("DELETED", thing("b", 6)), event("ADDED", thing("c", 7))]),
        (200, [event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})]),
        (200, [gone]),
        listed(20, thing("c", 7), thing("d", 19)),
    ]

    async def follow() -> dict[str, Any]:
        reflector = Reflector(server.api(tmp_path), "/api/v1/pods", "app=x", lambda _: None)
        await reflector.start()
        assert set(reflector.objects) == {"a", "b"}
        while len(server.asked) < 6:
            await asyncio.sleep(0.01)
        while "d" not in reflector.objects:
            await asyncio.sleep(0.01)
        reflector.close()
        return reflector.objects

    assert set(asyncio.run(asyncio.wait_for(follow(), 120))) == {"c", "d"}
    watched = [query.get("resourceVersion", ["list"])[0] for query in server.asked[:6]]
    assert watched == ["list", "5", "7", "9", "list", "20"]
    assert all(query["labelSelector"] == ["app=x"] for query in server.asked)
