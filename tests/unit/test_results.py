"""The result tree: complete or not there, never mixed, never half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from experimentfiles import minimal

from faas_exp.config import load_experiment
from faas_exp.errors import ResultsError
from faas_exp.grid import Deployment, build_plan
from faas_exp.results import (
    adopt_run,
    archive_run,
    finish_run,
    new_run,
    pending,
    read_run,
    refuse_mixing,
    set_aside,
    survey,
    write_json,
    writer_lock,
)

SETTINGS = "number_of_runs: 2, number_of_requests: 100, replicas: [1], concurrency: [5]"


@pytest.fixture
def plan(tmp_path: Path) -> list[Deployment]:
    return build_plan(load_experiment(minimal(tmp_path, SETTINGS)), "swarm")


def complete(root: Path, plan: list[Deployment], count: int, **more: object) -> None:
    for run in [r for d in plan for r in d.runs][:count]:
        with new_run(root, run) as folder:
            (folder / "requests.csv").write_text("x")
            finish_run(folder, {"config_hash": run.config_hash, "config": run.config, **more})


def state(root: Path, plan: list[Deployment]):  # type: ignore[no-untyped-def]
    return survey(root, [r for d in plan for r in d.runs])


def left(deployments: list[Deployment]) -> int:
    return sum(len(d.runs) for d in deployments)


def test_complete_runs_are_not_done_again(tmp_path: Path, plan: list[Deployment]) -> None:
    root = tmp_path / "tree"
    assert left(pending(plan, state(root, plan))) == 6
    complete(root, plan, 3)
    rest = pending(plan, state(root, plan))
    assert left(rest) == 3
    assert len(rest) == 2, "a deployment without runs is not deployed"


def test_a_run_without_its_last_file_is_redone(tmp_path: Path, plan: list[Deployment]) -> None:
    root = tmp_path / "tree"
    run = plan[0].runs[0]
    with new_run(root, run) as folder:
        (folder / "requests.csv").write_text("half")
    assert left(pending(plan, state(root, plan))) == 6
    with new_run(root, run) as folder:
        assert list(folder.iterdir()) == [], "what an earlier try left is gone"


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_broken_record_is_no_record(tmp_path: Path, plan: list[Deployment], content: str) -> None:
    root = tmp_path / "tree"
    complete(root, plan, 1)
    (root / plan[0].runs[0].path / "run.json").write_text(content)
    assert left(pending(plan, state(root, plan))) == 6


def test_another_configuration_is_refused_and_named(tmp_path: Path, plan: list[Deployment]) -> None:
    root = tmp_path / "tree"
    complete(root, plan, 2)
    other = build_plan(load_experiment(minimal(tmp_path, SETTINGS.replace("100", "200"))), "swarm")
    with pytest.raises(
        ResultsError, match=r"2 runs are of another configuration.*number_of_requests 100 → 200"
    ) as caught:
        refuse_mixing(root, state(root, other))
    assert "nothing was touched" in str(caught.value)
    assert left(pending(plan, state(root, plan))) == 4, "the old runs still count for the old file"


def test_old_runs_can_be_moved_aside(tmp_path: Path, plan: list[Deployment]) -> None:
    root = tmp_path / "tree"
    complete(root, plan, 2)
    other = build_plan(load_experiment(minimal(tmp_path, SETTINGS.replace("100", "200"))), "swarm")
    target = set_aside(root, state(root, other))
    assert target is not None
    assert len(list(target.rglob("run.json"))) == 2
    assert not state(root, other).other
    assert left(pending(other, state(root, other))) == 6


def test_void_runs_are_done_again_only_when_asked(tmp_path: Path, plan: list[Deployment]) -> None:
    root = tmp_path / "tree"
    complete(root, plan, 2, void=True)
    found = state(root, plan)
    assert len(found.void) == 2
    assert left(pending(plan, found)) == 4
    assert left(pending(plan, found, redo_void=True)) == 6


def test_a_reader_never_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"old": 1})

    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 64 KiB large."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_disk_full_is_one_clear_line_and_loses_nothing(tiny_disk: Path, plan: list[Deployment]) -> None:
    complete(tiny_disk, plan, 1)
    with (
        pytest.raises(ResultsError, match="the disk is full; complete runs are safe"),
        new_run(tiny_disk, plan[0].runs[1]) as folder,
    ):
        (folder / "requests.csv").write_bytes(b"x" * 200_000)
    assert read_run(tiny_disk / plan[0].runs[0].path) is not None
    assert read_run(tiny_disk / plan[0].runs[1].path) is None


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from faas_exp.results import writer_lock\n"
    code += "with writer_lock(Path(sys.argv[1]), 'swarm'): print('in', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdin
        assert other.stdout.readline() == "in\n"
        with (
            pytest.raises(ResultsError, match=f"another experiment is writing there \\(pid {other.pid}\\)"),
            writer_lock(tmp_path, "swarm"),
        ):
            pass
        with writer_lock(tmp_path, "nomad"):
            pass
        other.kill()
        other.wait()
    with writer_lock(tmp_path, "swarm"):
        pass


def test_a_run_from_another_machine_comes_whole(tmp_path: Path, plan: list[Deployment]) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    complete(there, plan, 2)
    run, other = plan[0].runs
    adopt_run(here, run.path, archive_run(there, run))
    assert sorted(p.name for p in (here / run.path).iterdir()) == ["requests.csv", "run.json"]
    assert read_run(here / other.path) is None
    (there / other.path / "run.json").unlink()
    with pytest.raises(ResultsError, match="not a complete run"):
        adopt_run(here, other.path, archive_run(there, other))
    assert not (here / other.path).exists()
    assert [p.name for p in (here / run.path).parent.iterdir()] == ["1"], "nothing is left on the way"


def test_an_archive_can_not_write_elsewhere(tmp_path: Path, plan: list[Deployment]) -> None:
    for name in ("../../evil", "/tmp/evil"):
        archive = tmp_path / "evil.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.addfile(tarfile.TarInfo(name))
        with pytest.raises(ResultsError, match="outside of its folder"):
            adopt_run(tmp_path / "tree", plan[0].runs[0].path, archive)
    with tarfile.open(archive, "w:gz") as tar:
        link = tarfile.TarInfo("run.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(ResultsError, match="no plain file"):
        adopt_run(tmp_path / "tree", plan[0].runs[0].path, archive)
