"""Kill anything at any time; the same command goes on, and loses one run at most."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import BIN, ROOT, Lab, lab_in, of_environment, processes

RUNS = 4  # two cases with two runs each


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A platform whose function takes 20 ms, so that a run lasts long enough to be hit in its middle."""
    with lab_in(tmp_path) as made:
        made.add_function("slow", delay=0.02)
        made.experiment("load_types: [sequential/noautoscaling], number_of_requests: 60", "slow")
        yield made


def replicas(lab: Lab) -> list[int]:
    """Pids of the replicas of this lab's functions."""
    return of_environment(processes("main.py"), f"FAAS_EXP_STATE_DIR={lab.state_dir}")


def finish(lab: Lab) -> None:
    """The same command again brings everything to its end, with no run doubled or lost."""
    lab.hold.unlink(missing_ok=True)
    kept = {p: p.stat().st_mtime_ns for p in lab.complete()}
    done = lab.play()
    assert done.returncode == 0, done.stdout
    assert len(lab.complete()) == RUNS
    assert set(lab.rows().values()) == {60}
    assert len(lab.rows()) == RUNS
    assert {p: p.stat().st_mtime_ns for p in kept} == kept, "complete runs were not touched"
    assert "nothing to do" in lab.play().stdout


def in_the_middle_of_a_run(lab: Lab, after: int = 1) -> None:
    """Wait until ``after`` runs are complete, hold the next one, and wait until it is held: it does not go on by itself
    before ``lab.hold`` is removed."""
    lab.wait_for_runs(after)
    lab.hold.touch()
    deadline = time.monotonic() + 300
    while not lab.held.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert lab.processes("faas_exp.load")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_playbook_is_killed(lab: Lab, number: signal.Signals) -> None:
    with lab.begin() as playbook:
        in_the_middle_of_a_run(lab)
        # Only the head of the chain: nobody tells its workers, modules and the load generator.
        playbook.send_signal(number)
        lab.wait_gone("AnsiballZ")
        lab.wait_gone("faas_exp.load")
    assert 1 <= len(lab.complete()) < RUNS
    finish(lab)


def test_ctrl_c_on_the_terminal(lab: Lab) -> None:
    inventory = ROOT / "inventories" / "embedded"
    extra = ["-e", f"openfaas_port={lab.port}"]
    command = [str(BIN / "faas-exp"), "run", "-c", "experiment.yml", "-i", str(inventory), *extra]
    with lab.begin(command) as run:
        in_the_middle_of_a_run(lab)
        os.killpg(run.pid, signal.SIGINT)
        output = run.communicate(timeout=600)[0]
    assert run.returncode == 130, output
    assert "Stopped. Complete runs are safe; the same command goes on." in output
    assert "Traceback" not in output
    lab.wait_gone("faas_exp.load")
    lab.hold.unlink()
    again = subprocess.run(command, check=False, capture_output=True, text=True, cwd=lab.base, env=lab.environment())
    assert again.returncode == 0, again.stdout
    assert f"of {RUNS} runs to do" in again.stdout
    assert len(lab.complete()) == RUNS
    assert set(lab.rows().values()) == {60}


def test_the_load_generator_is_killed(lab: Lab) -> None:
    with lab.begin() as playbook:
        in_the_middle_of_a_run(lab)
        for pid in lab.processes("faas_exp.load"):
            os.kill(pid, signal.SIGKILL)
        lab.hold.unlink()
        output = playbook.communicate(timeout=600)[0]
    assert playbook.returncode != 0
    assert "deployments were not measured completely" in output
    assert "load" in output
    finish(lab)


def test_the_gateway_is_killed(lab: Lab) -> None:
    from faas_exp.gateway import daemon

    with lab.begin() as playbook:
        in_the_middle_of_a_run(lab)
        os.kill(daemon.status(lab.state_dir).pid, signal.SIGKILL)
        lab.hold.unlink()
        output = " ".join(playbook.communicate(timeout=600)[0].split())
    assert playbook.returncode != 0
    assert "is the platform running? (playbooks/site.yml starts it)" in output
    deadline = time.monotonic() + 120
    while replicas(lab):
        assert time.monotonic() < deadline, replicas(lab)
        time.sleep(0.05)
    site = lab.play("site")
    assert site.returncode == 0, site.stdout
    done = lab.play()
    assert done.returncode == 0, done.stdout
    assert len(lab.complete()) == RUNS
    assert set(lab.rows().values()) == {60}


def test_a_replica_is_killed(lab: Lab) -> None:
    lab.experiment("load_types: [parallel/noautoscaling], replicas: [2], number_of_requests: 400", "slow")
    with lab.begin() as playbook:
        in_the_middle_of_a_run(lab)
        victim = replicas(lab)
        assert len(victim) == 2
        os.kill(victim[0], signal.SIGKILL)
        lab.hold.unlink()
        output = playbook.communicate(timeout=600)[0]
    assert playbook.returncode == 0, output
    assert set(lab.rows().values()) == {400}, "every request is a row, failed or not"
    failed = 0
    for path in lab.results.rglob("requests.csv"):
        with path.open(newline="") as file:
            failed += sum(row["success"] == "false" for row in csv.DictReader(file))
    assert failed <= 15, "at most what that replica had in its hands"
    for path in lab.complete():
        assert json.loads(path.read_text())["replicas_seen"]["before"] == 2


def test_the_disk_fills_up(lab: Lab) -> None:
    mount = lab.base / "results"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        lab.experiment("load_types: [parallel/autoscaling], number_of_requests: 900, number_of_runs: 4", "good")
        done = lab.play()
        output = " ".join(done.stdout.split())
        assert done.returncode != 0
        assert "disk full: writing the results into" in output
        assert "Complete runs are safe" in output
        assert "Traceback" not in output
        complete = len(lab.complete())
        assert complete < 4
        subprocess.run(["mount", "-o", "remount,size=8m", mount], check=True)
        done = lab.play()
        assert done.returncode == 0, done.stdout
        assert len(lab.complete()) == 4
        assert set(lab.rows().values()) == {900}
    finally:
        subprocess.run(["umount", mount], check=True)


def test_two_at_once(lab: Lab) -> None:
    with lab.begin() as first:
        in_the_middle_of_a_run(lab, after=0)
        second = lab.play()
        assert second.returncode != 0
        assert f"another experiment is being run there (pid {first.pid})" in " ".join(second.stdout.split())
        lab.hold.unlink()
        output = first.communicate(timeout=600)[0]
        assert first.returncode == 0, f"the first one was disturbed: {output}"
    finish(lab)
