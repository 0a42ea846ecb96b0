"""Runs that somebody ends: nothing is left running, nothing half-written looks finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from load_server import late, serving

from faas_exp.load import LoadSpec, run_load

SCRIPT = """
import signal
# Whoever starts the tests in the background makes them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys
from pathlib import Path
from faas_exp.load import LoadSpec, run_load
run_load(LoadSpec(url=sys.argv[1], users=4, processes=2, number_of_requests=100000), Path(sys.argv[2]))
"""


def descendants(pid: int) -> dict[int, str]:
    """Pid → start time of the processes below ``pid``."""
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found[int(entry.name)] = fields[19]
            found.update(descendants(int(entry.name)))
    return found


def alive(processes: dict[int, str]) -> list[int]:
    left = []
    for pid, start in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == start and fields[0] != "Z":
            left.append(pid)
    return left


def wait_until(condition, seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def running(tmp_path):
    """A run in another process, well under way: the process, its load processes, its folder."""
    folder = tmp_path / "out"
    with serving(late(0.005)) as server:
        popen = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, server.url, str(folder)], stderr=subprocess.PIPE, text=True
        )
        try:
            assert wait_until(lambda: len(server.requests) > 50)
            children = descendants(popen.pid)
            assert len(children) == 2
            yield popen, children, folder
        finally:
            popen.kill()
            popen.wait()
            for pid in alive(children):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_tidies_up(running, number):
    popen, children, folder = running
    popen.send_signal(number)
    popen.communicate(timeout=120)
    assert popen.returncode in (128 + number, -number)
    assert alive(children) == []
    assert list(folder.iterdir()) == []


def test_a_killed_run_leaves_no_processes_and_no_results(running):
    popen, children, folder = running
    popen.kill()
    popen.communicate()
    assert wait_until(lambda: not alive(children))
    assert not (folder / "requests.csv").exists()
    assert not (folder / "stats.json").exists()
    # The same command again is not hindered by what was left.
    with serving(late(0)) as server:
        run_load(LoadSpec(url=server.url, number_of_requests=5), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["requests.csv", "stats.json"]


def test_a_killed_load_process_is_an_error(running):
    popen, children, folder = running
    os.kill(next(iter(children)), signal.SIGKILL)
    _, errors = popen.communicate(timeout=120)
    assert popen.returncode == 1
    assert "LoadError: the load process was ended by SIGKILL" in errors
    assert alive(children) == []
    assert list(folder.iterdir()) == []


def test_two_runs_in_one_folder(running):
    _, _, folder = running
    from faas_exp.errors import LoadError

    with pytest.raises(LoadError, match="another load run is writing there"):
        run_load(LoadSpec(url="http://127.0.0.1:1"), folder)


def test_a_load_process_that_can_not_start(tmp_path, monkeypatch):
    from faas_exp.errors import LoadError

    # A Locust that does not import: the last line of what it says is the message.
    (tmp_path / "path" / "locust").mkdir(parents=True)
    (tmp_path / "path" / "locust" / "__init__.py").write_text("raise ImportError('no Locust today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    with pytest.raises(LoadError, match=r"the load process failed: ImportError: no Locust today"):
        run_load(LoadSpec(url="http://127.0.0.1:1"), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
