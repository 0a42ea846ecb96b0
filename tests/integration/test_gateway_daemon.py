"""Starting and stopping in the background; what survives a SIGKILL and what must not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from gateway_tools import FUNCTIONS, PATIENCE, RunningGateway, replica_pids, running_gateway, until

from faas_exp.errors import ConfigError, PlatformError
from faas_exp.gateway import daemon


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_start_is_idempotent_and_stop_too(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert not daemon.status(state).running
    assert not daemon.stop(state).changed
    try:
        first = daemon.start(state, 0, FUNCTIONS, env={"write_timeout": "1m"})
        assert (first.running, first.changed) == (True, True)
        again = daemon.start(state, first.port, FUNCTIONS, env={"write_timeout": "1m"})
        assert (again.changed, again.pid, again.url) == (False, first.pid, first.url)
        assert daemon.status(state) == again
        other = daemon.start(state, first.port, FUNCTIONS, env={"write_timeout": "2m"})
        assert other.changed
        assert other.pid != first.pid
        assert not alive(first.pid)
    finally:
        assert daemon.stop(state).changed
    assert not daemon.status(state).running
    assert not daemon.stop(state).changed


def test_it_is_detached(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        assert os.getsid(gateway.info.pid) == gateway.info.pid
        assert Path(f"/proc/{gateway.info.pid}/fd/0").readlink() == Path("/dev/null")


def test_port_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PlatformError) as caught:
            daemon.start(tmp_path, port, FUNCTIONS)
        assert str(port) in str(caught.value)
        assert f"pid {os.getpid()}" in str(caught.value)
        command = [sys.executable, "-m", "faas_exp.gateway", "--provider", "process", "--port", str(port)]
        command += ["--state-dir", str(tmp_path), "--functions-dir", str(FUNCTIONS)]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert f"pid {os.getpid()}" in result.stderr
    assert "Traceback" not in result.stderr


def test_one_gateway_per_state_folder(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        command = [sys.executable, "-m", "faas_exp.gateway", "--provider", "process", "--port", "0"]
        command += ["--state-dir", str(tmp_path), "--functions-dir", str(FUNCTIONS)]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
        assert result.returncode == 1
        assert f"pid {gateway.info.pid}" in result.stderr
        assert gateway.call("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"read_timeout": "soon"}, "read_timeout"),
        ({"max_body_size": "many"}, "max_body_size"),
        ({"basic_auth": "perhaps"}, "basic_auth"),
        ({"no_such_setting": "1"}, "no_such_setting"),
    ],
)
def test_bad_settings(tmp_path: Path, env: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        daemon.start(tmp_path, 0, FUNCTIONS, env=env)
    assert text in str(caught.value)
    assert not daemon.status(tmp_path).running


def test_unknown_provider(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="--provider: found 'swarmm', allowed: process"):
        daemon.start(tmp_path, 0, FUNCTIONS, provider="swarmm")


def test_unwritable_state(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(PlatformError, match="state folder"):
        daemon.start(blocker / "state", 0, FUNCTIONS)


def test_a_recycled_pid_is_not_ours(tmp_path: Path) -> None:
    """The file names a pid that lives, but belongs to somebody else."""
    with running_gateway(tmp_path) as gateway:
        os.kill(gateway.info.pid, signal.SIGKILL)
        until(lambda: not alive(gateway.info.pid), 5)
        path = tmp_path / "gateway.json"
        data = json.loads(path.read_text())
        with subprocess.Popen(["sleep", "60"]) as stranger:
            data["process"]["pid"] = stranger.pid
            path.write_text(json.dumps(data))
            assert not daemon.status(tmp_path).running
            daemon.stop(tmp_path)
            assert stranger.poll() is None
            stranger.kill()


def test_environment_of_the_caller_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("basic_auth", "false")
    with running_gateway(tmp_path) as gateway:
        assert gateway.call("GET", "/system/info", password="").status == 401


def test_without_credentials_when_asked_so(tmp_path: Path) -> None:
    with running_gateway(tmp_path, basic_auth="false") as gateway:
        assert gateway.call("GET", "/system/info", password="").status == 200


def test_deployments_come_back(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        gateway.deploy("kept", wait=2, min=2, max=4, envVars={"COLOUR": "blue"})
        gateway.deploy("asleep")
        gateway.scale("asleep", 0)
        gateway.wait_available("asleep", 0)
        shown = gateway.function("kept")
        password = gateway.password
    with running_gateway(tmp_path) as gateway:
        assert gateway.password == password
        assert gateway.call("GET", "/function/kept").status == 200, "at once: it waits for a replica"
        gateway.wait_available("kept", 2)
        assert {**gateway.function("kept"), "invocationCount": 0} == shown
        assert gateway.function("asleep")["replicas"] == 0
        gateway.delete("kept")
    (tmp_path / "functions" / "torn.json").write_text('{"schema": 1, "spec": {"envVars": {"TOKEN": "s3cr3t"')
    with running_gateway(tmp_path) as gateway:
        assert [f["name"] for f in gateway.call("GET", "/system/functions").json()] == ["asleep"]
        assert "deployment unreadable" in gateway.log
        assert "s3cr3t" not in gateway.log


def test_killed_gateway_leaves_no_orphans_and_loses_no_deployment(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        gateway.deploy("orphan", wait=5, min=5, max=5)
        pids = list(replica_pids(gateway, "orphan").values())
        assert len(pids) == 5
        os.kill(gateway.info.pid, signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in pids), 5)
        assert not daemon.status(tmp_path).running
        info = daemon.start(tmp_path, 0, FUNCTIONS)
        back = RunningGateway(info)
        assert back.call("GET", "/function/orphan").status == 200
        back.wait_available("orphan", 5)


def test_what_a_replica_started_ends_too(tmp_path: Path) -> None:
    """A command that is a shell: the kernel's signal reaches the shell, the next start or stop reaches its child."""
    functions = tmp_path / "functions"
    folder = functions / "wrapped"
    folder.mkdir(parents=True)
    for name in ("server.py", "stack.yml"):
        text = (FUNCTIONS / "pyecho" / name).read_text().replace("pyecho", "wrapped")
        (folder / name).write_text(text)
    (folder / "Containerfile").write_text('FROM x\nCMD ["sh", "-c", "python3 server.py; exit 3"]\n')
    state = tmp_path / "state"
    with running_gateway(state, functions) as gateway:
        answer = gateway.call("POST", "/system/functions", {"service": "wrapped", "image": "wrapped"})
        assert answer.status == 202
        gateway.wait_available("wrapped", 1)
        gateway.scale("wrapped", 0)
        until(lambda: not replica_pids(gateway), 10)
        gateway.scale("wrapped", 1)
        gateway.wait_available("wrapped", 1)
        os.kill(gateway.info.pid, signal.SIGKILL)
        until(lambda: not alive(gateway.info.pid), 5)
        daemon.stop(state)
        until(lambda: not replica_pids(gateway), 5)


def test_too_many_connections(tmp_path: Path) -> None:
    with running_gateway(tmp_path, max_connections="3") as gateway:
        kept = [socket.create_connection((gateway.info.host, gateway.info.port)) for _ in range(3)]
        until(lambda: gateway.call("GET", "/healthz").status == 503, 5)
        kept.pop().close()
        until(lambda: gateway.call("GET", "/healthz").status == 200, 5)
        for sock in kept:
            sock.close()


def test_stopping_lets_requests_finish(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        gateway.deploy("busy")
        with socket.create_connection((gateway.info.host, gateway.info.port)) as sock:
            sock.sendall(b"GET /function/busy?sleep=5 HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: gateway.metric("gateway_requests_in_flight") == 1, 5)
            os.kill(gateway.info.pid, signal.SIGTERM)
            sock.settimeout(PATIENCE)
            answer = sock.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        until(lambda: not alive(gateway.info.pid), 15)
        assert not replica_pids(gateway)
