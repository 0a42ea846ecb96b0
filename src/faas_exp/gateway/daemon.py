"""Start, stop and look at a gateway in the background.

Needs the standard library only: the interpreter of an Ansible module may have no more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from faas_exp.errors import ConfigError, PlatformError
from faas_exp.gateway import credentials, instance, processes
from faas_exp.gateway.settings import names, read_settings

LOG_FILE = "gateway.log"

_POLL = 0.02
_LOG_LIMIT = 16 * 1024**2
_KILL_PATIENCE = 5.0


@dataclass(frozen=True)
class GatewayInfo:
    """A gateway as ``start``, ``stop`` and ``status`` found or left it.

    Attributes:
        changed: the call did something.
        running: a gateway serves from the state folder.
        pid, url, host, port: of the running gateway; 0 and "" when there is none.
        user_file, password_file: hold the credentials of ``/system/…``.
        log_file: what it says.
    """

    state_dir: Path
    running: bool
    changed: bool = False
    pid: int = 0
    url: str = ""
    host: str = ""
    port: int = 0
    functions_dir: str = ""

    @property
    def user_file(self) -> Path:
        return self.state_dir / "secrets" / credentials.USER_FILE

    @property
    def password_file(self) -> Path:
        return self.state_dir / "secrets" / credentials.PASSWORD_FILE

    @property
    def log_file(self) -> Path:
        return self.state_dir / LOG_FILE


def status(state_dir: Path) -> GatewayInfo:
    """Whether a gateway serves from a state folder, and where."""
    state_dir = state_dir.absolute()
    found = instance.read(state_dir)
    if found is None:
        return GatewayInfo(state_dir, running=False)
    return GatewayInfo(
        state_dir, True, False, found.process.pid, found.url, found.host, found.port, found.functions_dir
    )


def start(
    state_dir: Path,
    port: int,
    functions_dir: Path,
    host: str = "127.0.0.1",
    env: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    provider: str = "process",
) -> GatewayInfo:
    """Starts a gateway in a session of its own and waits until it answers.

    One that runs with the same settings is left alone; one that runs with others is stopped first, and its deployments
    come back under the new settings.

    Args:
        env: settings by name (docs/gateway.md), e.g. ``{"read_timeout": "5m5s"}``.
        timeout: seconds until it must answer.

    Raises:
        ConfigError: a setting is unknown or can't be understood.
        PlatformError: the port is taken, or it does not start; says why.
    """
    state_dir = state_dir.absolute()
    functions_dir = functions_dir.absolute()
    settings = {key: str(value) for key, value in (env or {}).items() if str(value)}
    _check_settings(settings)
    with _alone(state_dir):
        return _start(state_dir, port, functions_dir, host, settings, timeout, provider)


def _start(
    state_dir: Path, port: int, functions_dir: Path, host: str, settings: dict[str, str], timeout: float, provider: str
) -> GatewayInfo:
    running = instance.read(state_dir)
    if running is not None:
        wished = replace(
            running, provider=provider, host=host, port=port, functions_dir=str(functions_dir), environment=settings
        )
        if port == 0:
            wished = replace(wished, port=running.port)
        if running == wished and _answers(running.url):
            return status(state_dir)
        _stop(state_dir, timeout)
    owner = processes.listener(port) if port else ""
    if owner and not _can_bind(host, port):
        raise PlatformError(f"port {port} on {host} is taken by {owner}")
    command = [sys.executable, "-m", "faas_exp.gateway", "--provider", provider, "--host", host, "--port", str(port)]
    command += ["--state-dir", str(state_dir), "--functions-dir", str(functions_dir)]
    pid, said_from = _spawn(command, settings, state_dir)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = instance.read(state_dir)
        if found is not None and found.process.pid == pid and _answers(found.url):
            return replace(status(state_dir), changed=True)
        if _ended(pid):
            raise PlatformError(f"the gateway did not start: {_last_line(state_dir, said_from)}")
        time.sleep(_POLL)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise PlatformError(f"the gateway did not answer within {timeout:g} s: {_last_line(state_dir, said_from)}")


def stop(state_dir: Path, timeout: float = 30.0) -> GatewayInfo:
    """Stops the gateway of a state folder and its replicas; what is deployed comes back at the next start.

    Raises:
        PlatformError: it can't be stopped.
    """
    state_dir = state_dir.absolute()
    if not state_dir.is_dir():
        return GatewayInfo(state_dir, running=False)
    with _alone(state_dir):
        return _stop(state_dir, timeout)


def _stop(state_dir: Path, timeout: float) -> GatewayInfo:
    running = instance.read(state_dir)
    if running is not None:
        process = running.process
        processes.send(process, signal.SIGTERM)
        if not _wait_for_end(process, timeout):
            processes.send(process, signal.SIGKILL)
            if not _wait_for_end(process, _KILL_PATIENCE):
                raise PlatformError(f"the gateway (pid {process.pid}) can't be stopped")
    # Nothing is left after an orderly end; after a SIGKILL there may be what replicas had started.
    leftover = processes.replicas_of(state_dir)
    for process in leftover:
        processes.send(process, signal.SIGKILL)
    return GatewayInfo(state_dir, running=False, changed=running is not None or bool(leftover))


def _check_settings(settings: dict[str, str]) -> None:
    unknown = sorted(settings.keys() - set(names()))
    if unknown:
        raise ConfigError("gateway settings", unknown[0], repr(settings[unknown[0]]), ", ".join(names()))
    read_settings(settings)


@contextlib.contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """One start or stop at a time for a state folder."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(state_dir / "daemon.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise PlatformError(f"{state_dir}: can't be used as state folder: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _spawn(command: list[str], settings: dict[str, str], state_dir: Path) -> tuple[int, int]:
    """Starts the gateway; returns its pid and where in the log it begins to speak."""
    log_path = state_dir / LOG_FILE
    environment = {key: value for key, value in os.environ.items() if key not in names()}
    environment.update(settings)
    try:
        if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT:
            log_path.replace(log_path.with_suffix(".log.1"))
        descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise PlatformError(f"{state_dir}: can't be used as state folder: {error.strerror}") from error
    try:
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, descriptor, 1),
            (os.POSIX_SPAWN_DUP2, descriptor, 2),
        ]
        start = os.lseek(descriptor, 0, os.SEEK_END)
        return os.posix_spawn(command[0], command, environment, file_actions=files, setsid=True), start
    finally:
        os.close(descriptor)


def _ended(pid: int) -> bool:
    """Whether our child is gone; it is when somebody else has reaped it, too."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _answers(url: str) -> bool:
    # No proxy of the environment stands between us and a gateway on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _can_bind(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server((host, port)):
        return True
    return False


def _wait_for_end(process: processes.ProcessId, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while process.alive():
        if time.monotonic() > deadline:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        time.sleep(_POLL)
    return True


def _last_line(state_dir: Path, start: int) -> str:
    try:
        with (state_dir / LOG_FILE).open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
