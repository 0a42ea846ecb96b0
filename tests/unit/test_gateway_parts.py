"""Small parts of the gateway: metrics, credentials, process identities, images, the store, the wire."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from faas_exp.errors import ConfigError, PlatformError
from faas_exp.gateway import credentials, processes
from faas_exp.gateway.forwarding import new_call_id, response_lines
from faas_exp.gateway.http import wire
from faas_exp.gateway.metrics import BUCKETS, Metrics
from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers import create
from faas_exp.gateway.providers.process.images import Images
from faas_exp.gateway.providers.process.ports import Ports
from faas_exp.gateway.providers.process.store import Store
from faas_exp.gateway.settings import Settings


def test_histogram_is_cumulative() -> None:
    metrics = Metrics()
    function = metrics.of("f")
    for seconds in (0.0001, 0.0005, 0.0006, 9, 11):
        function.observe(200, seconds)
    function.observe(503, 0.5)
    assert function.cumulative() == [2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 5, 6]
    assert (function.count, function.successes) == (6, 5)
    assert function.seconds == pytest.approx(20.5012)


def test_text_format() -> None:
    metrics = Metrics()
    metrics.of('odd"name\\').observe(200, 0.002)
    text = metrics.render({"f": 2}, [("some_gauge", "Help", 1.5)]).decode()
    assert r'gateway_function_invocation_total{code="200",function_name="odd\"name\\"} 1' in text
    assert 'gateway_service_count{function_name="f"} 2' in text
    assert "some_gauge 1.5" in text
    line = re.compile(r'[a-z_]+(\{([a-z_]+="(\\.|[^"\\])*",?)+\})? [0-9.e+-]+')
    for found in text.splitlines():
        assert found.startswith(("# HELP ", "# TYPE ")) or line.fullmatch(found), found
    assert text.count("_bucket{") == len(BUCKETS) + 1


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def test_credentials_are_made_once(tmp_path: Path) -> None:
    first = credentials.ensure(tmp_path / "secrets")
    assert credentials.ensure(tmp_path / "secrets") == first
    assert first.user == "admin"
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert first.password not in repr(first)
    assert sorted(p.name for p in (tmp_path / "secrets").iterdir()) == ["basic-auth-password", "basic-auth-user"]
    assert first.match(basic("admin", first.password))
    assert first.match(basic("admin", first.password).replace(b"Basic", b"basic"))
    for wrong in (
        None,
        b"",
        b"Basic",
        basic("admin", "x"),
        basic("root", first.password),
        b"Bearer abc",
        b"Basic \xff",
    ):
        assert not first.match(wrong)


def test_given_credentials_are_kept(tmp_path: Path) -> None:
    (tmp_path / "basic-auth-user").write_text("someone\n")
    (tmp_path / "basic-auth-password").write_text("given\n")
    assert credentials.ensure(tmp_path).match(basic("someone", "given"))
    (tmp_path / "basic-auth-password").write_text("\n")
    with pytest.raises(PlatformError, match="basic-auth-password: found nothing"):
        credentials.ensure(tmp_path)


def test_process_identity() -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    assert me.alive()
    assert not processes.ProcessId(me.pid, me.start + 1, me.boot).alive()
    assert not processes.ProcessId(me.pid, me.start, "another boot").alive()
    with subprocess.Popen(["sleep", "60"]) as child:
        identity = processes.identify(child.pid)
        assert identity is not None
        stranger = processes.ProcessId(child.pid, identity.start - 1, identity.boot)
        assert not processes.send(stranger, signal.SIGKILL)
        assert child.poll() is None
        assert processes.send(identity, signal.SIGKILL)
    assert not identity.alive()
    assert processes.identify(child.pid) is None


def test_replicas_are_found_by_their_environment(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], env={processes.MARK: str(tmp_path)}) as child:
        while not (found := processes.replicas_of(tmp_path)):
            time.sleep(0.01)
        assert [p.pid for p in found] == [child.pid]
        assert processes.replicas_of(tmp_path / "other") == []
        child.kill()


def image_folder(path: Path, name: str = "hello") -> Images:
    folder = path / name
    folder.mkdir(parents=True)
    (folder / "Containerfile").write_text('FROM x\nCMD ["python3", "a.py"]\n')
    (folder / "stack.yml").write_text(
        f"provider: {{name: openfaas}}\nfunctions:\n  {name}: {{image: x/{name}, handler: ., lang: dockerfile}}\n"
    )
    (path / "notafunction").mkdir()
    return Images(path, path.parent / "cache")


@pytest.mark.parametrize(
    "image", ["hello", "a/hello", "host:5000/a/b/hello:1.2", "a/hello@sha256:0af", "a/hello:x@sha256:0"]
)
def test_image_names(tmp_path: Path, image: str) -> None:
    images = image_folder(tmp_path / "functions")
    assert images.resolve(image).name == "hello"
    prepared = asyncio.run(images.prepare(FunctionSpec("f", image)))
    assert prepared.command == ("python3", "a.py")
    assert prepared.folder.is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize("image", ["", "other", "hello/", "..", "a/..", "hello\0", "hello:5000/x", "/", ":x"])
def test_unknown_images(tmp_path: Path, image: str) -> None:
    with pytest.raises(InvalidFunctionError, match="one of hello"):
        image_folder(tmp_path / "functions").resolve(image)


def test_own_command(tmp_path: Path) -> None:
    images = image_folder(tmp_path / "functions")
    prepared = asyncio.run(images.prepare(FunctionSpec("f", "hello", env_process="python3 'b c.py' -x")))
    assert prepared.command == ("python3", "b c.py", "-x")


def test_store_round_trip(tmp_path: Path) -> None:
    spec = FunctionSpec(
        name="f",
        image="i",
        env_process="run",
        environment={"A": "1"},
        labels={"l": "1"},
        annotations={"a": "1"},
        constraints=("c",),
        secrets=("s",),
        limits={"memory": "1", "cpu": ""},
        read_only_root_filesystem=True,
    )
    store = Store(tmp_path / "functions")
    store.save(spec, 3, "2026-01-01T00:00:00Z")
    assert store.load() == [(spec, 3, "2026-01-01T00:00:00Z")]
    assert "'A'" not in repr(spec)
    store.remove("f")
    store.remove("f")
    assert store.load() == []


def test_ports_are_below_the_ephemeral_range_and_never_given_twice() -> None:
    ports = Ports("127.0.0.1")
    taken = [ports.take() for _ in range(50)]
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(taken)) == 50
    assert all(1024 < port < max(low, 11240) for port in taken)


def test_unknown_provider(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--provider: found 'x', allowed: process"):
        create("x", Settings(), tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="--functions-dir"):
        create("process", Settings(), tmp_path, None)


def test_call_ids_are_uuids() -> None:
    made = {new_call_id().decode() for _ in range(1000)}
    assert len(made) == 1000
    for text in made:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_wire() -> None:
    assert wire.status_line(404) == b"HTTP/1.1 404 Not Found\r\n"
    assert wire.status_line(599) == b"HTTP/1.1 599 \r\n"
    assert wire.date_line(86400.5) == b"Date: Fri, 02 Jan 1970 00:00:00 GMT\r\n"
    assert wire.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_what_a_response_names_as_hop_by_hop_is_dropped() -> None:
    headers = [(b"X-A", b"1"), (b"Connection", b"x-a, close"), (b"Keep-Alive", b"timeout=5"), (b"X-B", b"2")]
    lines, chunked = response_lines(200, headers, {b"x-b": b"X-B: own\r\n", b"x-c": b"X-C: own\r\n"})
    assert b"".join(lines) == b"HTTP/1.1 200 OK\r\nX-B: 2\r\nX-C: own\r\n"
    assert not chunked


def test_the_daemon_needs_the_standard_library_only() -> None:
    """An Ansible module's interpreter may have nothing else."""
    code = (
        "import sys\n"
        "for name in ('httptools', 'uvloop', 'pydantic', 'yaml'): sys.modules[name] = None\n"
        "import faas_exp.gateway.daemon as d, pathlib, tempfile\n"
        "print(d.status(pathlib.Path(tempfile.gettempdir()) / 'none').running)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
