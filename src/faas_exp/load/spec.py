"""What one load run is: where to, what to send, how many, how fast."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from faas_exp.errors import ConfigError

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
ARRIVALS = ("constant", "poisson")
MAX_USERS = 100_000
MAX_REQUESTS = 1_000_000_000
MAX_PROCESSES = 256

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# The generator frames the message itself; a second opinion in the headers would desynchronise the connection.
_FRAMING = ("content-length", "transfer-encoding", "expect", "upgrade")
# What a header's value may not hold (RFC 9110, 5.5): control characters other than tab.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _bad(key: str, found: object, allowed: str) -> ConfigError:
    return ConfigError(file="load run", key=key, found=repr(found), allowed=allowed)


def _whole(key: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _bad(key, value, f"a whole number from {low} to {high}")


def _positive(key: str, value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise _bad(key, value, what)


@dataclass(frozen=True, kw_only=True)
class LoadSpec:
    """One load run.

    Attributes:
        url: base of the server, ``http://host[:port]``. The name is resolved once, before the run.
        path: path of the request; may hold a query string.
        method: one of ``METHODS``.
        users: requests that may be under way at once. Closed loop: each user sends its next request when the answer to
            its last one is there. Open loop: the cap on concurrency.
        number_of_requests: how many requests in all, over all users and processes.
        data: body; text is sent as UTF-8.
        headers: sent with each request; may hold credentials, so they are never written or printed.
        param: ``(min, max)``: each request carries ``param=<n>``, n a uniform random integer, both ends included.
        seed: of ``param`` (one sequence per user) and of Poisson arrivals.
        rate: None: closed loop. Requests per second: open loop; latencies count from the intended start.
        arrivals: ``constant`` or ``poisson`` (open loop).
        duration: guard, seconds: ends a run which takes longer, and marks it void.
        processes: processes which make the load, or ``auto``.
        timeout: seconds for one request, connecting included.
        label: name of the requests in the rows; None: method and path.
        http_host: ``Host`` header, when ``url`` holds an address.
        calibration: file written by ``calibrate``; what it says goes into the statistics.

    Raises:
        ConfigError: a value is not allowed.
    """

    url: str
    path: str = "/"
    method: str = "GET"
    users: int = 1
    number_of_requests: int = 1
    data: str | bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    param: tuple[int, int] | None = None
    seed: int = 0
    rate: float | None = None
    arrivals: str = "constant"
    duration: float | None = None
    processes: int | str = 1
    timeout: float = 310.0
    label: str | None = None
    http_host: str | None = None
    calibration: Path | None = None

    def __post_init__(self) -> None:
        self._check_target()
        self._check_amounts()
        self._check_message()

    def _check_target(self) -> None:
        allowed = "http://host or http://host:port"
        if not isinstance(self.url, str):
            raise _bad("url", self.url, allowed)
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise _bad("url", self.url, allowed) from None
        if "@" in parts.netloc:
            raise _bad("url", f"http://…@{parts.hostname}", f"{allowed}; credentials go into headers")
        extra = parts.query or parts.fragment or parts.path not in ("", "/")
        if parts.scheme != "http" or not parts.hostname or port == 0 or extra or re.search(r"[\s\x00-\x1f]", self.url):
            raise _bad("url", self.url, allowed)
        if not isinstance(self.path, str) or not self.path.startswith("/") or _CONTROL.search(self.path):
            raise _bad("path", self.path, "a path that begins with /")
        if "#" in self.path:
            raise _bad("path", self.path, "a path without #")
        method = self.method.upper() if isinstance(self.method, str) else self.method
        if method not in METHODS:
            raise _bad("method", self.method, ", ".join(METHODS))
        object.__setattr__(self, "method", method)

    def _check_amounts(self) -> None:
        _whole("users", self.users, 1, MAX_USERS)
        _whole("number_of_requests", self.number_of_requests, 1, MAX_REQUESTS)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise _bad("seed", self.seed, "a whole number")
        if self.processes != "auto":
            _whole("processes", self.processes, 1, MAX_PROCESSES)
        if self.rate is not None:
            _positive("rate", self.rate, "requests per second, more than 0")
        if self.arrivals not in ARRIVALS:
            raise _bad("arrivals", self.arrivals, ", ".join(ARRIVALS))
        if self.duration is not None:
            _positive("duration", self.duration, "seconds, more than 0")
        _positive("timeout", self.timeout, "seconds, more than 0")
        if self.param is not None:
            self._check_param()

    def _check_param(self) -> None:
        try:
            low, high = tuple(self.param or ())
        except (TypeError, ValueError):
            raise _bad("param", self.param, "two whole numbers, min and max") from None
        for key, value in (("param.min", low), ("param.max", high)):
            _whole(key, value, -(2**63), 2**63 - 1)
        if low > high:
            raise _bad("param", f"min {low}, max {high}", "min not above max")
        object.__setattr__(self, "param", (low, high))

    def _check_message(self) -> None:
        if self.data is not None and not isinstance(self.data, str | bytes):
            raise _bad("data", type(self.data).__name__, "text or bytes")
        if not isinstance(self.headers, Mapping):
            raise _bad("headers", type(self.headers).__name__, "a mapping of names to values")
        for name, value in self.headers.items():
            if not isinstance(name, str) or not _TOKEN.fullmatch(name):
                raise _bad("headers", name, "header names of letters, digits and -")
            if name.lower() in _FRAMING:
                raise _bad("headers", name, "headers other than " + ", ".join(_FRAMING))
            # The value may be a secret: it is not in the message.
            if not isinstance(value, str) or _CONTROL.search(value) or value != value.strip():
                raise _bad(f"headers.{name}", "(hidden)", "text without line breaks or blanks at its ends")
        if len({name.lower() for name in self.headers}) != len(self.headers):
            raise _bad("headers", sorted(self.headers), "each name once")
        if self.http_host is not None and not re.fullmatch(r"[A-Za-z0-9.\-_:\[\]]+", self.http_host):
            raise _bad("http_host", self.http_host, "host or host:port")
        if self.label is not None and (not self.label or _CONTROL.search(self.label)):
            raise _bad("label", self.label, "text on one line")
        object.__setattr__(self, "headers", dict(self.headers))

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    @property
    def name(self) -> str:
        """What the rows call the requests."""
        return self.label or f"{self.method} {self.path}"

    @property
    def body(self) -> bytes | None:
        return self.data.encode() if isinstance(self.data, str) else self.data

    def to_json(self) -> dict[str, Any]:
        """Everything, headers included: for the pipe to a load process, not for a file."""
        job = asdict(self)
        job["data"] = None if self.body is None else base64.b64encode(self.body).decode()
        job["calibration"] = None if self.calibration is None else str(self.calibration)
        return job

    @classmethod
    def from_json(cls, job: Mapping[str, Any]) -> LoadSpec:
        """The inverse of ``to_json``."""
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in job.items() if key in known}
        if values.get("data") is not None:
            values["data"] = base64.b64decode(values["data"])
        if values.get("param") is not None:
            values["param"] = tuple(values["param"])
        if values.get("calibration") is not None:
            values["calibration"] = Path(values["calibration"])
        return cls(**values)
