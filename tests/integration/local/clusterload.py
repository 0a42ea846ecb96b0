"""A function on a lab's swarm: deployed, under load, and looked at from the managers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from locallab import ROOT, Lab, docker, run

from faas_exp.openfaas import OpenFaaS

LOAD = """
import json, sys
from pathlib import Path
from faas_exp.load import LoadSpec, run_load
run_load(LoadSpec(**json.loads(sys.argv[1])), Path(sys.argv[2]))
"""


def share_caches(lab: Lab) -> None:
    """Wheels and images that were made before serve here too."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    (lab.base / ".cache").symlink_to(ROOT / ".cache")


def gateway_of(lab: Lab) -> OpenFaaS:
    """The gateways behind the lab's HAProxy."""
    password = (lab.base / ".faas" / lab.name / "secrets" / "basic-auth-password").read_text(encoding="utf-8")
    return OpenFaaS(f"http://{lab.subnet.rpartition('.')[0]}.5:80", password=password.strip())


def image_of(lab: Lab, function: str) -> str:
    """The function's image in the lab's registry, by tag."""
    registry = f"{lab.subnet.rpartition('.')[0]}.4:5000"
    done = run("curl", "--silent", "--fail", f"http://{registry}/v2/faas-exp/{function}/tags/list")
    assert done.returncode == 0, done.stdout
    return f"{registry}/faas-exp/{function}:{json.loads(done.stdout)['tags'][0]}"


def load(gateway: OpenFaaS, function: str, out: Path, **more: object) -> subprocess.Popen[str]:
    """Starts a load run beside the test."""
    out.mkdir()
    spec = {"url": gateway.url, "path": f"/function/{function}", "timeout": 20, **more}
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, json.dumps(spec), str(out)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def stats_of(running: subprocess.Popen[str], out: Path) -> dict[str, object]:
    """Waits for a load run's end."""
    output, _ = running.communicate(timeout=300)
    assert running.returncode == 0, output
    found: dict[str, object] = json.loads((out / "stats.json").read_text(encoding="utf-8"))
    return found


def on(lab: Lab, machine: str, *command: str) -> str:
    """Output of a command on one of the lab's machines."""
    return docker("exec", f"{lab.name}-docker-swarm-{machine}", *command)


def until(what: Callable[[], bool], seconds: float = 120.0) -> None:
    """Waits for something that must come."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.5)
