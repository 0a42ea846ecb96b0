"""Settings of a gateway, from environment variables under OpenFaaS's names where it has one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf

from faas_exp.errors import ConfigError
from faas_exp.gateway.durations import parse_duration

_SIZES = {"": 1, "k": 1000, "ki": 1024, "m": 1000**2, "mi": 1024**2, "g": 1000**3, "gi": 1024**3}


@dataclass(frozen=True)
class Settings:
    """Each field is read from the environment variable of its name; docs/gateway.md explains them.

    Times in seconds, sizes in bytes. A time or size of 0 means no limit where that is the default or makes sense.
    """

    read_timeout: float = 305.0
    write_timeout: float = 305.0
    upstream_timeout: float = 0.0
    idle_timeout: float = 75.0
    max_body_size: float = 0.0
    max_header_size: int = 65536
    max_connections: int = 0
    basic_auth: bool = True
    secret_mount_path: str = ""
    function_namespace: str = "openfaas-fn"
    scale_from_zero: bool = True
    ready_timeout: float = 60.0
    inactivity_duration: float = 300.0
    autoscale: bool = True
    autoscale_target: float = 5.0
    autoscale_window: float = 10.0
    autoscale_for: float = 5.0
    autoscale_interval: float = 10.0
    max_inflight: int = 16
    async_queue_size: int = 1000
    async_queue_bytes: int = 256 * 1024**2
    start_parallel: int = 0
    start_timeout: float = 120.0
    stop_timeout: float = 10.0
    health_interval: float = 5.0
    access_log: bool = False

    @property
    def exec_timeout(self) -> float:
        """Seconds that a replica may take for a request."""
        return min(self.write_timeout or inf, self.upstream_timeout or inf)

    @property
    def body_limit(self) -> float:
        """Bytes of a request's body that are accepted."""
        return self.max_body_size or inf


def names() -> tuple[str, ...]:
    """The environment variables that a gateway reads."""
    return tuple(field.name for field in fields(Settings))


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings by the environment, defaults for what is missing or empty.

    Raises:
        ConfigError: a value can't be understood; names the variable, what was found and what is allowed.
    """
    source = os.environ if environment is None else environment
    found: dict[str, float | int | bool | str] = {}
    defaults = Settings()
    for name in names():
        text = source.get(name, "")
        if not text:
            continue
        default = getattr(defaults, name)
        try:
            if isinstance(default, bool):
                found[name] = _boolean(text)
            elif isinstance(default, str):
                found[name] = text
            elif name.endswith(("_size", "_bytes")):
                found[name] = _size(text)
            elif isinstance(default, int):
                found[name] = _count(text)
            elif name == "autoscale_target":
                found[name] = _positive(text)
            else:
                found[name] = parse_duration(text)
        except ValueError as error:
            what, _, allowed = str(error).partition(", allowed: ")
            raise ConfigError("environment", name, what.removeprefix("found "), allowed) from None
    return Settings(**found)  # type: ignore[arg-type]


def _boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower in ("true", "1"):
        return True
    if lower in ("false", "0"):
        return False
    raise ValueError(f"found {text!r}, allowed: true, false")


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise ValueError(f"found {text!r}, allowed: a whole number, 0 or more")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise ValueError(f"found {text!r}, allowed: a number above 0")
    return value


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([kmg]?i?)b?", text.strip().lower())
    if match is None or match.group(2) not in _SIZES:
        raise ValueError(f"found {text!r}, allowed: bytes, or a number with Ki, Mi, Gi, k, M, G")
    return int(match.group(1)) * _SIZES[match.group(2)]
