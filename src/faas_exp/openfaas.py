"""A client of OpenFaaS's API, and the one meaning of "ready" and "gone" on every platform.

The platforms differ (docs/openfaas.md): status codes, stale counts, lists without counts, calls that hang. This module
hides that, so that nothing above it needs to know which one it talks to.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from faas_exp.errors import PlatformError

CALL_TIMEOUT = 30.0
PROBE_TIMEOUT = 10.0
# How long a platform may show another number of replicas than the one it was asked for before we call it clamped.
CLAMP_PATIENCE = 10.0
# How long a platform that tells of errors (the portable gateway's lastError) may go without one replica coming up.
FAILING_PATIENCE = 20.0
_TRIES = 3
# Providers that end when a replica is called before it listens, although they count it as available: seconds to wait.
_SETTLE = {"faas-nomad": 3.0}
# Providers that answer 400 to every other method.
_POST_ONLY = ("faas-nomad",)


@dataclass(frozen=True)
class Status:
    """A function as the platform describes it. ``replicas`` is wanted, ``available`` is up."""

    name: str
    image: str
    replicas: int
    available: int
    labels: dict[str, str]
    environment: dict[str, str]
    annotations: dict[str, str]
    invocations: int
    last_error: str = ""


@dataclass(frozen=True)
class Probe:
    """One request that tells whether a function answers."""

    path: str
    method: str = "POST"
    data: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    """Status and body of one HTTP exchange."""

    status: int
    body: bytes
    headers: dict[str, str]

    def text(self, limit: int = 200) -> str:
        """The body as one line of at most ``limit`` characters."""
        return " ".join(self.body.decode(errors="replace").split())[:limit]


class OpenFaaS:
    """One gateway.

    Args:
        url: e.g. ``http://gateway.openfaas.local:80``.
        username, password: basic auth for ``/system/…``.
        host: ``Host`` header, when ``url`` names an address of a load balancer which routes by name.
    """

    def __init__(self, url: str, username: str = "admin", password: str = "", host: str | None = None) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise PlatformError(f"gateway url {url!r}: must be http://host[:port]")
        self.address, self.port = parts.hostname, parts.port or 80
        self.url = f"http://{parts.hostname}:{self.port}"
        self._host = host
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._auth = {"Authorization": f"Basic {token}"}
        self._provider: str | None = None

    # --- plain calls ---------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = CALL_TIMEOUT,
    ) -> Answer:
        """One HTTP exchange on a connection of its own.

        Raises:
            PlatformError: there was no answer.
        """
        sent = {"Connection": "close", **({"Host": self._host} if self._host else {}), **(headers or {})}
        connection = http.client.HTTPConnection(self.address, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise PlatformError(f"gateway {self.url} did not answer {method} {path}: {reason}") from None
        finally:
            connection.close()

    def _system(self, method: str, path: str, body: Any = None, timeout: float = CALL_TIMEOUT) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._auth, **({"Content-Type": "application/json"} if data is not None else {})}
        answer = self.call(method, path, data, headers, timeout)
        if answer.status == 401:
            raise PlatformError(f"gateway {self.url} refused the user name or password (401 on {path})")
        return answer

    def _patiently(self, method: str, path: str, body: Any) -> Answer:
        """A call that may be given again: a gateway or a manager may just be going away, and another one be there."""
        for _ in range(_TRIES - 1):
            answer = self._system(method, path, body, timeout=120)
            if answer.status not in (500, 502, 503, 504):
                return answer
            time.sleep(1)
        return self._system(method, path, body, timeout=120)

    def _json(self, answer: Answer, what: str) -> Any:
        try:
            return json.loads(answer.body or b"null")
        except ValueError:
            raise PlatformError(f"gateway {self.url}: {what}: not JSON: {answer.text()!r}") from None

    def check(self) -> dict[str, Any]:
        """That the gateway is there and the password is right; returns ``/system/info``."""
        try:
            health = self.call("GET", "/healthz", timeout=PROBE_TIMEOUT)
        except PlatformError as error:
            raise PlatformError(f"{error}; is the platform running? (playbooks/site.yml starts it)") from None
        if health.status != 200:
            raise PlatformError(f"gateway {self.url}: /healthz answers {health.status}, wanted 200")
        answer = self._system("GET", "/system/info", timeout=PROBE_TIMEOUT)
        if answer.status != 200:
            raise PlatformError(f"gateway {self.url}: /system/info answers {answer.status}: {answer.text()}")
        info = self._json(answer, "/system/info")
        return info if isinstance(info, dict) else {}

    def provider(self) -> str:
        """What the platform calls its provider in ``/system/info``, "" when it does not say; asked once."""
        if self._provider is None:
            answer = self._system("GET", "/system/info", timeout=PROBE_TIMEOUT)
            info = self._json(answer, "/system/info") if answer.status == 200 else {}
            self._provider = provider_name(info if isinstance(info, dict) else {})
        return self._provider

    def list(self) -> list[Status]:
        """All functions. ``available`` is not to be trusted here (no upstream provider fills it in)."""
        answer = self._system("GET", "/system/functions")
        if answer.status != 200:
            raise PlatformError(f"gateway {self.url}: listing functions answers {answer.status}: {answer.text()}")
        return [_status(item) for item in self._json(answer, "the list of functions") or []]

    def get(self, name: str) -> Status | None:
        """One function, None when the platform has none of that name."""
        answer = self._system("GET", f"/system/function/{quote(name)}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise PlatformError(f"gateway {self.url}: function {name} answers {answer.status}: {answer.text()}")
        return _status(self._json(answer, f"function {name}") or {"name": name})

    def deploy(self, deployment: dict[str, Any], *, update: bool = False) -> None:
        """Create or update a function; returns when the platform has taken the order, not when it is ready."""
        method = "PUT" if update else "POST"
        answer = self._system(method, "/system/functions", deployment, timeout=120)
        if answer.status not in (200, 201, 202):
            name = deployment.get("service")
            raise PlatformError(f"deploying {name}: the platform answers {answer.status}: {answer.text()}")

    def scale(self, name: str, replicas: int) -> None:
        """Ask for a number of replicas; returns when the order is taken."""
        body = {"serviceName": name, "replicas": replicas}
        answer = self._patiently("POST", f"/system/scale-function/{quote(name)}", body)
        if answer.status not in (200, 202):
            raise PlatformError(f"scaling {name} to {replicas}: the platform answers {answer.status}: {answer.text()}")

    def delete(self, name: str) -> None:
        """Order a function's removal; a function that is not there is no error."""
        answer = self._patiently("DELETE", "/system/functions", {"functionName": name})
        if answer.status not in (200, 202, 404):
            raise PlatformError(f"removing {name}: the platform answers {answer.status}: {answer.text()}")

    # --- waiting -------------------------------------------------------------------------------------------------

    def wait_ready(self, name: str, replicas: int | None, probe: Probe | None, timeout: float) -> Status:
        """Wait until exactly ``replicas`` are up (None: at least one) and the function answers with a 2xx status.

        Raises:
            PlatformError: the platform clamps the number, the replicas do not come, or the function does not answer.
        """
        deadline = time.monotonic() + timeout
        status = self._wait_replicas(name, replicas, deadline)
        if probe is not None:
            provider = self.provider()
            if provider in _POST_ONLY and probe.method != "POST":
                raise PlatformError(
                    f"{name}: http_method: found {probe.method}, allowed on {provider}: POST (others are answered 400)"
                )
            if provider in _SETTLE:
                time.sleep(_SETTLE[provider])
            self._wait_answer(name, probe, deadline)
            # The probe may have met a scale-up or the end of an old replica: look again.
            status = self._wait_replicas(name, replicas, deadline)
        return status

    def _wait_replicas(self, name: str, replicas: int | None, deadline: float) -> Status:
        clamped_since: float | None = None
        failing_since: float | None = None
        status: Status | None = None
        for pause in _pauses():
            status = self.get(name)
            if status is not None:
                if status.available >= 1 if replicas is None else status.available == status.replicas == replicas:
                    return status
                if replicas is not None and status.replicas != replicas:
                    now = time.monotonic()
                    clamped_since = clamped_since or now
                    if now - clamped_since > CLAMP_PATIENCE:
                        raise PlatformError(_clamped(name, replicas, status))
                else:
                    clamped_since = None
                failing = bool(status.last_error) and status.available == 0
                failing_since = (failing_since or time.monotonic()) if failing else None
                if failing_since is not None and time.monotonic() - failing_since > FAILING_PATIENCE:
                    break
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
        if status is None:
            raise PlatformError(f"{name}: not known to the platform after its deployment")
        wanted = "at least 1" if replicas is None else str(replicas)
        advice = status.last_error or "look at the function's own log, or raise ready_timeout"
        raise PlatformError(f"{name}: {status.available} of {wanted} replicas are up after the time allowed; {advice}")

    def _wait_answer(self, name: str, probe: Probe, deadline: float) -> None:
        own_errors = 0
        last = "nothing"
        for pause in _pauses():
            try:
                answer = self.invoke(probe)
            except PlatformError as error:
                last = str(error)
            else:
                if 200 <= answer.status < 300:
                    return
                last = f"{answer.status}: {answer.text()}"
                # A platform still arranging things says 404, 502, 503, 504; all else is the function's own word.
                own_errors = 0 if answer.status in (404, 502, 503, 504) else own_errors + 1
                if own_errors >= 10:
                    break
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
        raise PlatformError(f"{name}: replicas are up but {probe.method} {probe.path} answers {last}")

    def invoke(self, probe: Probe, timeout: float = PROBE_TIMEOUT) -> Answer:
        """Call a function once."""
        body = None if probe.data is None else probe.data.encode()
        headers = {"Content-Type": "text/plain", **dict(probe.headers)}
        return self.call(probe.method, "/" + probe.path.lstrip("/"), body, headers, timeout)

    def wait_zero(self, name: str, timeout: float) -> None:
        """Wait until no replica is up. Asks only the API: a request to the function would wake it.

        Raises:
            PlatformError: there still is one.
        """
        status = self._until(
            lambda: self.get(name), lambda s: s is not None and s.available == 0 == s.replicas, timeout
        )
        if status is None or status.available or status.replicas:
            count = "no such function" if status is None else f"{status.available} replicas"
            raise PlatformError(
                f"{name}: wanted zero replicas before a cold start, found {count}; see docs/cold-starts.md"
            )

    def wait_gone(self, name: str, timeout: float) -> None:
        """Wait until the platform no longer has the function: not in the list, or 404, or no replica left.

        Raises:
            PlatformError: it is still there.
        """

        def gone(_: object) -> bool:
            if all(status.name != name for status in self.list()):
                return True
            status = self.get(name)
            # Nomad keeps the record of a dead job until its garbage collection.
            return status is None or (status.available == 0 and status.replicas == 0)

        if not self._until(lambda: None, gone, timeout, wants_value=False):
            raise PlatformError(f"{name}: still there after it was removed")

    def _until(
        self, ask: Callable[[], Any], good: Callable[[Any], bool], timeout: float, *, wants_value: bool = True
    ) -> Any:
        deadline = time.monotonic() + timeout
        for pause in _pauses():
            value = ask()
            if good(value):
                return value if wants_value else True
            if time.monotonic() > deadline:
                return value if wants_value else False
            time.sleep(pause)
        return None


def provider_name(info: Mapping[str, Any]) -> str:
    """What the platform calls its provider in ``/system/info``, "" when it does not say."""
    found = info.get("provider")
    # A name alone before gateway 0.18, an object since.
    if not isinstance(found, dict):
        return str(found or "")
    name = found.get("provider") or found.get("name")
    # faas-nomad 0.4.3 leaves its name out.
    return str(name or ("faas-nomad" if found.get("orchestration") == "nomad" else ""))


def _pauses() -> Any:
    """Quick looks first: a process is up in 50 ms, a pod in seconds."""
    pause = 0.02
    while True:
        yield pause
        pause = min(pause * 1.5, 1.0)


def _clamped(name: str, replicas: int, status: Status) -> str:
    return (
        f"{name}: asked for {replicas} replicas, the platform made it {status.replicas}. It clamps the number "
        "(OpenFaaS Community Edition stops at 5), so this case can't be measured here"
    )


def _status(item: dict[str, Any]) -> Status:
    return Status(
        name=str(item.get("name") or item.get("service") or ""),
        image=str(item.get("image") or ""),
        replicas=int(item.get("replicas") or 0),
        available=int(item.get("availableReplicas") or 0),
        labels={str(k): str(v) for k, v in (item.get("labels") or {}).items()},
        environment={str(k): str(v) for k, v in (item.get("envVars") or {}).items()},
        annotations={str(k): str(v) for k, v in (item.get("annotations") or {}).items()},
        invocations=int(item.get("invocationCount") or 0),
        last_error=str(item.get("lastError") or ""),
    )
