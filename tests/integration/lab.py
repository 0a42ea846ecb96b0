"""An embedded platform of a test's own, and the commands that a user types against it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import yaml

from faas_exp.gateway import daemon
from faas_exp.openfaas import OpenFaaS

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

MARK = "FAAS_EXP_TEST_LAB"

# Three functions in the standard library of Python: one that works, one that fails, one that never says it is healthy.
FUNCTION = """
import http.server, os, pathlib, time
STATUS, HEALTH, DELAY = {status}, {health}, {delay}
HOLD, HELD = pathlib.Path({hold!r}), pathlib.Path({held!r})
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/_/health":
            time.sleep(DELAY)
            # What the load generator sends can be held back, so that a run is in its midst for as long as a test wants.
            while HOLD.exists() and self.headers.get("User-Agent", "").startswith("faas-exp/"):
                HELD.touch()
                time.sleep(0.01)
        body = b"hello"
        self.send_response(HEALTH if self.path == "/_/health" else STATUS)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_HEAD = do_POST
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer((os.environ.get("HOST", ""), int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class Lab:
    """One embedded platform below ``base``, as ``make demo`` would have it."""

    base: Path
    port: int
    functions: Path = field(init=False)

    def __post_init__(self) -> None:
        self.functions = self.base / "functions"
        self.functions.mkdir(parents=True)
        self.add_function("good")

    @property
    def state_dir(self) -> Path:
        return self.base / ".faas" / "embedded"

    @property
    def hold(self) -> Path:
        """While this file exists, functions keep requests of the load generator waiting."""
        return self.base / "hold"

    @property
    def held(self) -> Path:
        """Written by a function that keeps a request waiting."""
        return self.base / "held"

    @property
    def results(self) -> Path:
        return self.base / "results" / "experiment"

    @property
    def gateway(self) -> OpenFaaS:
        return OpenFaaS(f"http://127.0.0.1:{self.port}", password=self.password)

    @property
    def password(self) -> str:
        return (self.state_dir / "secrets" / "basic-auth-password").read_text(encoding="utf-8").strip()

    def add_function(self, name: str, *, status: int = 200, health: int = 200, delay: float = 0) -> None:
        folder = self.functions / name
        folder.mkdir()
        (folder / "main.py").write_text(
            FUNCTION.format(status=status, health=health, delay=delay, hold=str(self.hold), held=str(self.held)),
            encoding="utf-8",
        )
        (folder / "Containerfile").write_text('FROM scratch\nCMD ["python3", "main.py"]\n', encoding="utf-8")
        stack = f"""
        functions:
          {name}:
            lang: dockerfile
            handler: .
            image: faas-exp/{name}:latest
            annotations: {{faas.exp/requires: python3}}
        """
        (folder / "stack.yml").write_text(dedent(stack), encoding="utf-8")

    def experiment(self, settings: str = "", *functions: str) -> Path:
        """An experiment file; each function is ``name`` or ``name, more: keys``."""
        keys = {
            "number_of_runs": 2,
            "number_of_requests": 40,
            "delay_between_runs": 0,
            "delay_between_functions": 0,
            "replicas": [1, 2],
            "concurrency": [3],
            "ready_timeout": 20,
            **yaml.safe_load(f"{{{settings}}}"),
        }
        lines = [f"experiment: {json.dumps(keys)}", "functions:"]
        for function in functions or ("good",):
            name = function.split(",")[0]
            more = function.removeprefix(name)
            lines.append(
                f"  - {{name: {name}, yaml_path: functions/{name}/stack.yml, api: {{uri: function/{name}}}{more}}}"
            )
        path = self.base / "experiment.yml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def start(self) -> None:
        daemon.start(self.state_dir, self.port, self.functions)

    def stop(self) -> None:
        daemon.stop(self.state_dir)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "PWD": str(self.base),
            "ANSIBLE_NOCOLOR": "1",
            # Inherited by all that a command starts here: which processes are this lab's own.
            MARK: str(self.base),
        }

    def command(self, playbook: str = "experiment", *more: str) -> list[str]:
        variables = {
            "openfaas_port": self.port,
            "experiment": "experiment.yml",
            "openfaas_functions_dir": self.functions,
        }
        extra = [part for key, value in variables.items() for part in ("-e", f"{key}={value}")]
        inventory = str(ROOT / "inventories" / "embedded")
        return [
            str(BIN / "ansible-playbook"),
            "-i",
            inventory,
            str(ROOT / "playbooks" / f"{playbook}.yml"),
            *extra,
            *more,
        ]

    def play(self, playbook: str = "experiment", *more: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a playbook to its end."""
        return subprocess.run(
            self.command(playbook, *more),
            check=False,
            capture_output=True,
            text=True,
            cwd=self.base,
            env=self.environment(),
            timeout=timeout,
        )

    def begin(self, command: list[str] | None = None) -> subprocess.Popen[str]:
        """Start a command in a session of its own, so that a signal can be sent to it as a terminal would."""
        return subprocess.Popen(
            command or self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.base,
            env=self.environment(),
            start_new_session=True,
        )

    def processes(self, *words: str) -> list[int]:
        """As ``processes``, but only what commands of this lab have started: others run their own on this machine."""
        return of_environment(processes(*words), f"{MARK}={self.base}")

    def wait_gone(self, *words: str, timeout: float = 120) -> None:
        """Wait until none of this lab's own processes has all of the words in its command line."""
        deadline = time.monotonic() + timeout
        while self.processes(*words):
            assert time.monotonic() < deadline, f"still alive: {self.processes(*words)}"
            time.sleep(0.05)

    def complete(self) -> list[Path]:
        """The runs that are complete."""
        return sorted(self.results.rglob("run.json"))

    def rows(self) -> dict[str, int]:
        """Rows of every request file."""
        files = sorted(self.results.rglob("requests.csv"))
        return {str(f.parent.relative_to(self.results)): len(f.read_text("utf-8").splitlines()) - 1 for f in files}

    def wait_for_runs(self, count: int, timeout: float = 300) -> None:
        deadline = time.monotonic() + timeout
        while len(self.complete()) < count:
            assert time.monotonic() < deadline, f"{len(self.complete())} of {count} runs after {timeout} s"
            time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def lab_in(base: Path) -> Iterator[Lab]:
    """A running platform; stopped at the end whatever happened."""
    lab = Lab(base, free_port())
    lab.start()
    try:
        yield lab
    finally:
        lab.stop()


def recap(output: str) -> dict[str, int]:
    """Ansible's last line as numbers."""
    line = re.findall(r"^localhost\s+: (.*)$", output, re.MULTILINE)[-1]
    return {key: int(value) for key, value in (part.split("=") for part in line.split())}


def processes(*words: str) -> list[int]:
    """Pids of live processes whose command line holds all of the words."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            state = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and all(word in command for word in words):
            found.append(int(entry.name))
    return found


def of_environment(pids: list[int], entry: str) -> list[int]:
    """Those of the processes that have ``NAME=value`` in their environment."""
    found = []
    for pid in pids:
        try:
            entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if entry in entries:
            found.append(pid)
    return found


def kill_group(process: subprocess.Popen[str], number: int) -> None:
    os.killpg(process.pid, number)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
