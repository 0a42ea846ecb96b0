"""The module faas.exp.locust_run, run as Ansible runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "plugins" / "modules" / "locust_run.py"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.seen.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.seen = []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def run(arguments: dict, tmp_path: Path, *flags: str, interpreter: str = sys.executable) -> dict:
    """Call the module through ansible's ad-hoc command; what it returned."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    command = [
        sys.executable, "-m", "ansible", "adhoc", "localhost", "-i", "localhost,", "-c", "local",
        "-e", f"ansible_python_interpreter={interpreter}", "-m", "faas.exp.locust_run",
        "-a", json.dumps(arguments), *flags,
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    try:
        play = json.loads(done.stdout[done.stdout.index("{") :])
        result = play["plays"][0]["tasks"][0]["hosts"]["localhost"]
    except (ValueError, LookupError):
        raise AssertionError(done.stdout + done.stderr) from None
    return {**result, "said": done.stdout + done.stderr}


def test_a_run(server, tmp_path):
    (tmp_path / "c.json").write_text(
        json.dumps(
            {
                "ceiling_rps": 1.0, "cpu_us": 2.0, "floor_p50_ms": 3.0, "floor_p99_ms": 4.0, "machine": {},
                "versions": {}, "measured": "then",
            }
        )
    )  # fmt: skip
    arguments = {
        "url": f"http://127.0.0.1:{server.server_port}",
        "path": "/function/f",
        "method": "POST",
        "users": 3,
        "number_of_requests": 111,
        "data": "schön",
        "headers": {"Authorization": "Basic c2VjcmV0", "X-One": "1", "X-Number": 111},
        "param": {"min": 1, "max": 9},
        "seed": 4,
        "processes": "2",
        "label": "f",
        "http_host": "gateway.local",
        "calibration": str(tmp_path / "c.json"),
        "dest": str(tmp_path / "out"),
    }
    result = run(arguments, tmp_path, "-vvv")
    assert result["changed"], result["said"]
    assert result["stats"] == json.loads((tmp_path / "out" / "stats.json").read_text())
    assert (result["stats"]["count"], result["stats"]["errors"]) == (111, 0)
    assert result["stats"]["generator"]["calibration"]["floor_p50_ms"] == 3.0
    assert result["files"] == [str(tmp_path / "out" / name) for name in ("requests.csv", "stats.json")]
    assert result["summary"].startswith("111 requests, 0 failed, median ")
    assert len(server.seen) == 111
    path, headers, body = server.seen[0]
    assert path.startswith("/function/f?param=")
    assert body == "schön".encode()
    assert (headers["Host"], headers["X-One"], headers["X-Number"]) == ("gateway.local", "1", "111")
    # The headers' values are not echoed, and what happens to look like one is left alone.
    assert "c2VjcmV0" not in result["said"]
    assert set(result["invocation"]["module_args"]["headers"].values()) == {"********"}


def test_check_mode_sends_nothing(server, tmp_path):
    arguments = {
        "url": f"http://127.0.0.1:{server.server_port}",
        "number_of_requests": 10,
        "rate": 5,
        "label": "f",
        "dest": str(tmp_path / "out"),
    }
    result = run(arguments, tmp_path, "--check")
    assert result["changed"]
    assert result["summary"] == (
        f"would send 10 requests f to {arguments['url']} by 1 users at 5 requests/s and write {tmp_path / 'out'}"
    )
    assert server.seen == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": 0}, "load run: users: found 0, allowed: a whole number from 1 to 100000"),
        ({"number_of_requests": -5}, "load run: number_of_requests: found -5, allowed: a whole number from 1 to"),
        ({"processes": "lots"}, "load run: processes: found 'lots'"),
        ({"param": {"min": 3, "max": 1}}, "load run: param: found 'min 3, max 1', allowed: min not above max"),
        ({"url": "http://no-such-host.invalid"}, "http://no-such-host.invalid: can't resolve no-such-host.invalid:"),
        ({"calibration": "/no/such"}, "/no/such: calibration: found no readable file, allowed: a file written by"),
        ({"headers": {"A": "hunter2secret\n"}}, "load run: headers.A: found '(hidden)', allowed: text without"),
    ],
)
def test_what_can_not_be_run_is_one_line(tmp_path, change, said):
    arguments = {"url": "http://127.0.0.1:1", "number_of_requests": 1, "dest": str(tmp_path / "out"), **change}
    result = run(arguments, tmp_path, "-vvv")
    assert result["failed"]
    assert result["msg"].startswith(said)
    assert "\n" not in result["msg"]
    assert "hunter2secret" not in result["said"]
    assert not (tmp_path / "out").exists()


def test_a_bad_argument_does_not_give_the_headers_away(tmp_path):
    arguments = {"url": "http://h", "number_of_requests": "x", "dest": "/x", "headers": {"A": "hunter2secret"}}
    result = run(arguments, tmp_path, "-vvv")
    assert result["failed"]
    assert "hunter2secret" not in result["said"]


def test_without_the_package_it_says_what_to_install(tmp_path):
    # The interpreter of the system's own, which has no faas_exp.
    plain = Path("/usr/bin/python3")
    if (
        not plain.exists()
        or subprocess.run([plain, "-c", "import faas_exp"], capture_output=True, check=False).returncode == 0
    ):
        pytest.skip("no interpreter without faas_exp")
    arguments = {"url": "http://h", "number_of_requests": 1, "dest": "/x"}
    result = run(arguments, tmp_path, interpreter=str(plain))
    assert result["failed"]
    assert "faas_exp" in result["msg"]
    assert "pip install" in result["msg"]


def test_documentation_and_arguments_agree(monkeypatch):
    documented = yaml.safe_load(MODULE.read_text().split('DOCUMENTATION = r"""')[1].split('"""')[0])["options"]
    source = MODULE.read_text().split("ARGUMENTS: dict[str, Any] = ")[1].split("\n}\n")[0] + "\n}"
    arguments = eval(source)
    assert set(arguments) == set(documented)
    for name, argument in arguments.items():
        for key in ("type", "default", "choices", "required"):
            assert argument.get(key) == documented[name].get(key), (name, key)
    from dataclasses import fields

    from faas_exp.load import LoadSpec

    assert set(arguments) - {"dest"} == {field.name for field in fields(LoadSpec)}
