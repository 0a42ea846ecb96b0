"""Assembling, hashing and building folders of functions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faas_exp.errors import ConfigError, PlatformError
from faas_exp.functions import bundle

STACK = """
version: 1.0
provider: {name: openfaas}
functions:
  hello:
    lang: dockerfile
    handler: .
    image: faas-exp/hello:latest
    annotations: {faas.exp/requires: sh}
"""
BUILD = """
import sys
from pathlib import Path
from faas_exp.functions.bundle import build
print(build(Path(sys.argv[1]), Path(sys.argv[2])))
"""
CONTAINERFILE = 'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCMD ["sh", "run"]\n'


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """A function with a shared folder and no build script."""
    folder = tmp_path / "functions" / "hello"
    folder.mkdir(parents=True)
    (folder / "stack.yml").write_text(STACK)
    (folder / "Containerfile").write_text(CONTAINERFILE)
    (folder / "shared").write_text("_shared/lib\n")
    (folder / "main.sh").write_text("echo hello\n")
    lib = folder.parent / "_shared" / "lib"
    (lib / "deep").mkdir(parents=True)
    (lib / "tool.sh").write_text("true\n")
    (lib / "deep" / "data").write_bytes(bytes(range(256)))
    return folder


def script(folder: Path, text: str) -> None:
    (folder / "build.sh").write_text(text)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_assemble_puts_shared_folders_beside(hello: Path, tmp_path: Path) -> None:
    bundle.assemble(hello, tmp_path / "out")
    assert names(tmp_path / "out") == {"stack.yml", "Containerfile", "main.sh", "lib/tool.sh", "lib/deep/data"}
    assert (tmp_path / "out" / "lib" / "deep" / "data").read_bytes() == bytes(range(256))


def test_assemble_keeps_the_executable_bit_and_no_other(hello: Path, tmp_path: Path) -> None:
    (hello / "main.sh").chmod(0o4750)
    (hello / "stack.yml").chmod(0o600)
    bundle.assemble(hello, tmp_path / "out")
    assert (tmp_path / "out" / "main.sh").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "out" / "stack.yml").stat().st_mode & 0o7777 == 0o644


def test_assemble_leaves_out_what_is_no_part_of_it(hello: Path, tmp_path: Path) -> None:
    (hello / ".dockerignore").write_text("# outputs\nprogram\nobj/*.o\n")
    for name in (
        "README.md",
        "program",
        "obj/a.o",
        "obj/a.c",
        "deep/program",
        "node_modules/x/i.js",
        "a/__pycache__/b",
    ):
        (hello / name).parent.mkdir(parents=True, exist_ok=True)
        (hello / name).touch()
    bundle.assemble(hello, tmp_path / "out")
    # As for a container engine, "program" means the one at the top.
    added = {".dockerignore", "obj/a.c", "deep/program"}
    assert names(tmp_path / "out") == {"stack.yml", "Containerfile", "main.sh", "lib/tool.sh", "lib/deep/data"} | added


def test_assemble_wants_an_empty_folder(hello: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "something").touch()
    with pytest.raises(PlatformError, match="not empty"):
        bundle.assemble(hello, tmp_path / "out")


def test_hash_of_an_assembled_folder_is_that_of_its_source(hello: Path, tmp_path: Path) -> None:
    bundle.assemble(hello, tmp_path / "out")
    assert bundle.content_hash(tmp_path / "out") == bundle.content_hash(hello)


def test_hash_depends_on_content_alone(hello: Path, tmp_path: Path) -> None:
    before = bundle.content_hash(hello)
    copy = tmp_path / "elsewhere"
    shutil.copytree(hello.parent, copy)
    (copy / "hello" / "NOTES.md").touch()
    (copy / "hello" / "main.sh").chmod(0o600)
    os.utime(copy / "hello" / "main.sh", (1, 1))
    assert bundle.content_hash(copy / "hello") == before
    assert len(before) == 64


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


CHANGES: dict[str, Callable[[Path], object]] = {
    "bytes": lambda hello: _append(hello / "main.sh"),
    "shared bytes": lambda hello: _append(hello.parent / "_shared/lib/deep/data"),
    "executable bit": lambda hello: (hello / "main.sh").chmod(0o755),
    "name": lambda hello: (hello / "main.sh").rename(hello / "other.sh"),
    "new empty file": lambda hello: (hello / "empty").touch(),
    "moved between folders": lambda hello: (hello.parent / "_shared/lib/tool.sh").rename(hello / "tool.sh"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_hash_changes_with(hello: Path, change: str) -> None:
    before = bundle.content_hash(hello)
    CHANGES[change](hello)
    assert bundle.content_hash(hello) != before


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        ("_shared/none", "no such folder"),
        ("../functions/_shared/lib", r"\.\./functions/_shared/lib"),
        ("/etc", "/etc"),
        ("_shared/lib\n_shared/lib", "lib twice"),
    ],
)
def test_bad_shared_listing(hello: Path, listing: str, found: str) -> None:
    (hello / "shared").write_text(listing)
    line = listing.count("\n") + 1
    with pytest.raises(ConfigError, match=rf"hello/shared:{line}: .*found {found}, allowed: "):
        bundle.content_hash(hello)


def test_shared_folder_in_the_way_of_a_file(hello: Path) -> None:
    (hello / "lib").write_text("a file")
    with pytest.raises(ConfigError, match="found lib twice"):
        bundle.content_hash(hello)


def test_comments_and_blanks_in_the_shared_listing(hello: Path) -> None:
    before = bundle.content_hash(hello)
    (hello / "shared").write_text("# what it stands on\n\n  _shared/lib/   # tools\n")
    assert bundle.content_hash(hello) == before


def test_links_are_refused(hello: Path) -> None:
    (hello / "link").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match=r"hello/link: .*found a link"):
        bundle.content_hash(hello)


@pytest.mark.parametrize("pattern", ["!keep", "**/x"])
def test_patterns_we_would_read_otherwise_are_refused(hello: Path, pattern: str) -> None:
    (hello / ".dockerignore").write_text(f"a\n{pattern}\n")
    with pytest.raises(ConfigError, match=r"\.dockerignore:2: "):
        bundle.content_hash(hello)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent: \(the folder\): found nothing at that path"):
        bundle.content_hash(tmp_path / "absent")


def test_build_without_a_script_is_the_assembled_folder(hello: Path, tmp_path: Path) -> None:
    ready = bundle.build(hello, tmp_path / "cache")
    assert ready == tmp_path / "cache" / f"hello-{bundle.content_hash(hello)[:12]}"
    assert names(ready) == {"stack.yml", "Containerfile", "main.sh", "lib/tool.sh", "lib/deep/data"}


def test_build_runs_the_script_once(hello: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script(hello, f'echo x >> {runs}\necho "said" \ncat lib/tool.sh main.sh > "$OUT/program"\n')
    ready = bundle.build(hello, tmp_path / "cache")
    assert bundle.build(hello, tmp_path / "cache") == ready
    assert (ready / "program").read_text() == "true\necho hello\n"
    assert ready.with_name(f"{ready.name}.log").read_text() == "said\n"
    assert runs.read_text() == "x\n"
    assert not (hello / "program").exists(), "the source folder stays clean"


def test_a_change_is_built_anew(hello: Path, tmp_path: Path) -> None:
    first = bundle.build(hello, tmp_path / "cache")
    _append(hello.parent / "_shared/lib/tool.sh")
    second = bundle.build(hello, tmp_path / "cache")
    assert first != second
    assert (first / "lib/tool.sh").read_text() != (second / "lib/tool.sh").read_text()


def test_failure_shows_the_last_lines_and_leaves_nothing(hello: Path, tmp_path: Path) -> None:
    script(hello, "for i in $(seq 40); do echo line $i; done\necho 'no such module' >&2\nexit 3\n")
    with pytest.raises(PlatformError) as caught:
        bundle.build(hello, tmp_path / "cache")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("hello: build.sh failed with code 3 (all it said: ")
    assert lines[-2:] == ["line 40", "no such module"]
    assert "line 1" not in lines
    (log,) = (tmp_path / "cache").glob("*.log")
    assert str(log) in lines[0]
    assert "line 1\n" in log.read_text()
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_after_a_failure_the_same_call_may_succeed(hello: Path, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    script(hello, f"test -e {flag}\n")
    with pytest.raises(PlatformError):
        bundle.build(hello, tmp_path / "cache")
    flag.touch()
    assert bundle.build(hello, tmp_path / "cache").is_dir()


def test_time_limit_ends_the_children_too(hello: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "BUILD_TIMEOUT_S", 0.5)
    pid = tmp_path / "pid"
    script(hello, f"sleep 60 & echo $! > {pid}\nwait\n")
    with pytest.raises(PlatformError, match="took more than"):
        bundle.build(hello, tmp_path / "cache")
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    for _ in range(100):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the script's child lives on")


def test_two_processes_at_once_build_once(hello: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script(hello, f"echo x >> {runs}\nsleep 0.5\ntouch $OUT/program\n")
    command = [sys.executable, "-c", BUILD, str(hello), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(printed) == 1
    assert (Path(printed.pop()) / "program").exists()
    assert runs.read_text() == "x\n"


def test_threads_at_once_build_once(hello: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script(hello, f"echo x >> {runs}\nsleep 0.3\n")
    with ThreadPoolExecutor(4) as pool:
        ready = set(pool.map(lambda _: bundle.build(hello, tmp_path / "cache"), range(4)))
    assert len(ready) == 1
    assert runs.read_text() == "x\n"


def test_a_killed_build_is_done_again(hello: Path, tmp_path: Path) -> None:
    cache, gate = tmp_path / "cache", tmp_path / "gate"
    # It waits for whoever holds the other end, which is this test, and ends with it.
    os.mkfifo(gate)
    script(hello, f"echo $$ > half\nread _ < {gate}\ntouch $OUT/program\n")
    process = subprocess.Popen([sys.executable, "-c", BUILD, str(hello), str(cache)])
    with gate.open("w"):
        # Opening it took until the script had opened it too: we are in the middle of the build.
        process.kill()
        process.wait()
    (half,) = cache.glob(".hello-*")
    orphan = Path("/proc") / (half / "half").read_text().strip()
    while orphan.exists():
        time.sleep(0.01)
    script_may_go = ThreadPoolExecutor(1).submit(gate.write_text, "go on\n")
    ready = bundle.build(hello, cache)
    script_may_go.result(10)
    assert (ready / "program").exists()
    assert not half.exists()


def test_missing_program_is_named_with_its_package(hello: Path, tmp_path: Path) -> None:
    (hello / "stack.yml").write_text(STACK.replace("requires: sh", "requires: sh no-such-go"))
    with pytest.raises(PlatformError) as caught:
        bundle.build(hello, tmp_path / "cache")
    assert str(caught.value) == "hello: needs no-such-go, not on PATH (Debian: apt-get install no-such-go)"


def test_unwritable_cache(hello: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(PlatformError, match="hello: can't be built in "):
        bundle.build(hello, tmp_path / "cache")


def test_fault_in_the_containerfile_is_found_before_building(hello: Path, tmp_path: Path) -> None:
    (hello / "Containerfile").write_text("FROM x\nCMD ./run\n")
    with pytest.raises(ConfigError, match="Containerfile:2: CMD"):
        bundle.build(hello, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_command_line(hello: Path, tmp_path: Path) -> None:
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "faas_exp.functions", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("hash", hello).stdout.strip() == bundle.content_hash(hello)
    assert run("assemble", hello, tmp_path / "out").returncode == 0
    assert "lib/tool.sh" in names(tmp_path / "out")
    assert Path(run("build", hello, tmp_path / "cache").stdout.strip()).is_dir()
    failed = run("hash", tmp_path / "absent")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith("Error: ")
