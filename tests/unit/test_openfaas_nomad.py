"""faas-nomad's traps: it ends when a function is called too early, and takes POST only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from faas_exp import openfaas
from faas_exp.errors import PlatformError
from faas_exp.openfaas import OpenFaaS, Probe


class Platform(BaseHTTPRequestHandler):
    provider: ClassVar[Any] = {"provider": "faas-nomad", "orchestration": "nomad"}
    asked: ClassVar[list[str]] = []

    def _answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        body: Any = {"name": "f", "replicas": 1, "availableReplicas": 1}
        if self.path == "/system/info":
            body = {"provider": self.provider}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked before each sleep, with its seconds."""
    found: list[str] = []
    Platform.asked = found
    monkeypatch.setattr(openfaas.time, "sleep", lambda seconds: found.append(f"sleep {seconds:g}"))
    return found


@pytest.fixture
def gateway() -> Iterator[OpenFaaS]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield OpenFaaS(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


# As it says of itself behind a gateway of its time: without a name.
FAAS_NOMAD = {"provider": "", "version": {"sha": "", "release": "v0.4.3"}, "orchestration": "nomad"}


@pytest.mark.parametrize("provider", [FAAS_NOMAD, {"provider": "faas-nomad", "orchestration": "nomad"}])
def test_it_is_given_time_before_the_first_call(
    gateway: OpenFaaS, slept: list[str], provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Platform, "provider", provider)
    gateway.wait_ready("f", 1, Probe("function/f"), 10)
    assert slept.index("sleep 3") < slept.index("POST /function/f")
    assert slept.index("GET /system/function/f") < slept.index("sleep 3")


@pytest.mark.parametrize(
    "provider",
    [
        {"provider": "faas-swarm"},
        {"provider": "faas-exp-nomad", "orchestration": "nomad"},
        {"name": "faas-exp"},
        "swarm",
        None,
    ],
)
def test_others_are_called_at_once(
    gateway: OpenFaaS, slept: list[str], provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Platform, "provider", provider)
    gateway.wait_ready("f", 1, Probe("function/f", "GET"), 10)
    assert "sleep 3" not in slept
    assert "GET /function/f" in slept


def test_other_methods_are_refused_by_name(
    gateway: OpenFaaS, slept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Platform, "provider", FAAS_NOMAD)
    with pytest.raises(PlatformError, match="http_method: found GET, allowed on faas-nomad: POST"):
        gateway.wait_ready("f", 1, Probe("function/f", "GET"), 10)
    assert "GET /function/f" not in slept
