"""A real gateway for a test, with calls to its API, raw sockets, and a load that loses count of nothing."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faas_exp.gateway import daemon

FUNCTIONS = Path(__file__).parent / "functions"

PATIENCE = 120.0
"""Longer than anything takes on the slowest machine; nothing waits that long when all is well."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class RunningGateway:
    def __init__(self, info: daemon.GatewayInfo) -> None:
        self.info = info
        self.password = info.password_file.read_text() if info.password_file.exists() else ""

    @property
    def log(self) -> str:
        return self.info.log_file.read_text()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        password: str | None = None,
        timeout: float = PATIENCE,
    ) -> Answer:
        """One request; a body that is no bytes is sent as JSON. ``password`` "" sends no credentials."""
        connection = http.client.HTTPConnection(self.info.host, self.info.port, timeout=timeout)
        sent = dict(headers or {})
        password = self.password if password is None else password
        if password and path.startswith("/system"):
            sent["Authorization"] = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def deploy(self, name: str, wait: int | None = 1, method: str = "POST", **spec: Any) -> None:
        """Deploys the echo function under a name; ``min`` and ``max`` are its scale labels."""
        labels = {f"com.openfaas.scale.{key}": str(spec.pop(key)) for key in ("min", "max", "factor") if key in spec}
        labels.update(spec.pop("labels", {}))
        spec = {"service": name, "image": "test/pyecho:latest", "labels": labels, **spec}
        answer = self.call(method, "/system/functions", spec)
        assert answer.status == 202, answer
        if wait is not None:
            self.wait_available(name, wait)

    def scale(self, name: str, replicas: int) -> None:
        answer = self.call("POST", f"/system/scale-function/{name}", {"serviceName": name, "replicas": replicas})
        assert answer.status == 202, answer

    def delete(self, name: str) -> None:
        answer = self.call("DELETE", "/system/functions", {"functionName": name})
        assert answer.status == 202, answer

    def function(self, name: str) -> Any:
        return self.call("GET", f"/system/function/{name}").json()

    def wait_available(self, name: str, replicas: int, timeout: float = 30) -> None:
        def there() -> bool:
            return bool(self.function(name)["availableReplicas"] == replicas)

        until(there, timeout, lambda: f"{name}: {self.function(name)}\n{self.log[-3000:]}")

    def metric(self, line: str) -> float:
        """The value of a metric, e.g. ``gateway_service_count{function_name="a"}``; 0 when it is not there."""
        for found in self.call("GET", "/metrics").text.splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0

    def raw(self, data: bytes, wait: float = PATIENCE) -> bytes:
        """Sends bytes, returns what comes until the gateway closes or nothing came for ``wait`` seconds."""
        with socket.create_connection((self.info.host, self.info.port)) as sock:
            sock.sendall(data)
            return receive(sock, wait)


def replica_environments(gateway: RunningGateway) -> dict[int, dict[str, str]]:
    """Pid → environment of every process that belongs to a replica."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            entries = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        if environment.get("FAAS_EXP_STATE_DIR") == str(gateway.info.state_dir):
            found[int(folder.name)] = environment
    return found


def replica_pids(gateway: RunningGateway, name: str = "") -> dict[str, int]:
    """Replica → pid, of all functions or of one."""
    environments = replica_environments(gateway)
    return {e["REPLICA_ID"]: pid for pid, e in environments.items() if e["REPLICA_ID"].startswith(name)}


def receive(sock: socket.socket, wait: float) -> bytes:
    sock.settimeout(wait)
    got = bytearray()
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while data := sock.recv(65536):
            got += data
    return bytes(got)


@contextlib.contextmanager
def running_gateway(state_dir: Path, functions: Path = FUNCTIONS, **env: str) -> Iterator[RunningGateway]:
    info = daemon.start(state_dir, 0, functions, env=env)
    try:
        yield RunningGateway(info)
    finally:
        daemon.stop(state_dir)


def until(condition: Callable[[], bool], timeout: float, why: Callable[[], str] = lambda: "never happened") -> None:
    """Wait for something that takes ``timeout`` seconds at most where the machine is not busy with other things."""
    end = time.monotonic() + max(timeout, PATIENCE)
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.02)


@dataclass
class Load:
    """Closed-loop load on one path, on kept-alive connections, until the block ends.

    ``results`` counts status codes; "lost" stands for a connection that ended without a response.
    """

    host: str
    port: int
    path: str
    users: int
    body: bytes = b""
    results: Counter[int | str] = field(default_factory=Counter)
    replicas: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._user, daemon=True) for _ in range(self.users)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def total(self) -> int:
        return sum(self.results.values())

    def _user(self) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        while not self._stop.is_set():
            replica = ""
            result: int | str
            try:
                connection.request("POST", self.path, self.body)
                response = connection.getresponse()
                response.read()
                result = response.status
                replica = response.headers.get("X-Replica-Id", "")
            except (OSError, http.client.HTTPException):
                result = "lost"
                connection.close()
            with self._lock:
                self.results[result] += 1
                self.replicas[replica] += 1
        connection.close()


def load(gateway: RunningGateway, path: str, users: int, body: bytes = b"") -> Load:
    return Load(gateway.info.host, gateway.info.port, path, users, body)
