"""Which gateway serves from a state folder: at most one, told by a lock; its particulars are in a file beside it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from faas_exp.errors import PlatformError
from faas_exp.gateway.processes import ProcessId

_LOCK = "gateway.lock"
_FILE = "gateway.json"


@dataclass(frozen=True)
class Instance:
    """A running gateway.

    Attributes:
        process: its identity, which a recycled pid does not share.
        environment: those of its settings that were given.
    """

    process: ProcessId
    provider: str
    host: str
    port: int
    functions_dir: str
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - not bound here
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def read(state_dir: Path) -> Instance | None:
    """The gateway that serves from a state folder now, None when there is none."""
    try:
        data = json.loads((state_dir / _FILE).read_text(encoding="utf-8"))
        instance = Instance(**{**data, "process": ProcessId(**data["process"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return instance if instance.process.alive() else None


class InstanceLock:
    """Held by a gateway as long as it lives; the kernel gives it up with the process.

    Raises:
        PlatformError: another gateway serves from the folder, or it is not writable.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(state_dir / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PlatformError(f"{state_dir}: can't be used as state folder: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            other = read(state_dir)
            who = f" (pid {other.process.pid}, {other.url})" if other else ""
            raise PlatformError(f"{state_dir}: another gateway serves from this state folder{who}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def write(self, instance: Instance) -> None:
        """Makes the gateway known; it serves by now."""
        path = self._state_dir / _FILE
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(instance), file, indent=1)
        temporary.replace(path)

    def clear(self) -> None:
        """The gateway has stopped serving."""
        (self._state_dir / _FILE).unlink(missing_ok=True)
