"""Turn a function's folder into one that is ready to start, or ready to be a container engine's build context.

Everything goes by content: the same bytes give the same hash, and what was built once for a hash is not built again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faas_exp.errors import PlatformError
from faas_exp.functions.containerfile import CONTAINERFILE, read_command
from faas_exp.functions.folder import function_name, source_files
from faas_exp.functions.programs import debian_packages, missing_programs, requires

__all__ = [
    "CONTAINERFILE",
    "assemble",
    "build",
    "content_hash",
    "debian_packages",
    "missing_programs",
    "read_command",
    "requires",
]

BUILD_SCRIPT = "build.sh"
BUILD_TIMEOUT_S = 600.0
_LINES_SHOWN = 15


def assemble(function_dir: Path, dest: Path) -> None:
    """Copy the function's files, shared folders included, into ``dest``, which is made if need be.

    ``dest`` is then a complete build context: nothing in it points outside.

    Raises:
        ConfigError: see :func:`faas_exp.functions.folder.source_files`.
        PlatformError: ``dest`` holds something already.
    """
    files = source_files(function_dir)
    dest.mkdir(parents=True, exist_ok=True)
    if any(dest.iterdir()):
        raise PlatformError(f"{dest}: not empty; a function is assembled into an empty folder")
    for file in files:
        target = dest / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)
        target.chmod(0o755 if file.executable else 0o644)


def content_hash(function_dir: Path) -> str:
    """SHA-256, in hexadecimal, over name, executable bit and bytes of every file of the assembled function.

    It does not depend on where the folder lies, on time stamps, owners, or on files that are left out (see
    :func:`faas_exp.functions.folder.source_files`), and an assembled folder has the hash of its source.
    """
    total = hashlib.sha256()
    for file in source_files(function_dir):
        with file.path.open("rb") as stream:
            inner = hashlib.file_digest(stream, "sha256").hexdigest()
        # Every part has a stated or fixed length, so that no two lists of files can give the same bytes.
        total.update(f"{len(file.name.encode())}:{file.name}{'x' if file.executable else '-'}{inner}\n".encode())
    return total.hexdigest()


def build(function_dir: Path, cache_dir: Path) -> Path:
    """The ready folder ``<cache_dir>/<name>-<first 12 of the hash>``; ``CMD`` is to be started in it.

    It is assembled and built by the function's ``build.sh``, if it has one, unless that happened before. Many processes
    may ask at once: one builds, the others wait. What ``build.sh`` said is kept in ``<folder>.log``.

    Raises:
        ConfigError, ConfigErrors: a fault in the function's folder.
        PlatformError: a program is missing, ``build.sh`` failed or took more than ten minutes, the disk is full.
    """
    function_dir = function_dir.resolve()
    name = function_name(function_dir)
    read_command(function_dir)
    digest = content_hash(function_dir)
    ready = cache_dir.resolve() / f"{name}-{digest[:12]}"
    if ready.is_dir():
        return ready
    missing = missing_programs(function_dir)
    if missing:
        packages = " ".join(debian_packages(missing))
        raise PlatformError(f"{name}: needs {', '.join(missing)}, not on PATH (Debian: apt-get install {packages})")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _locked(ready.with_name(f"{ready.name}.lock")):
            if not ready.is_dir():
                _build(function_dir, ready, digest)
    except OSError as error:
        raise PlatformError(f"{name}: can't be built in {cache_dir}: {error}") from error
    return ready


def _build(function_dir: Path, ready: Path, digest: str) -> None:
    prefix = f".{ready.name}."
    # Left by a build that was killed; a child of it may still write there, and then it goes the next time.
    for stale in ready.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=ready.parent))
    try:
        work.chmod(0o755)
        assemble(function_dir, work)
        if content_hash(work) != digest:
            raise PlatformError(f"{function_dir}: changed while it was being copied; try again")
        if (work / BUILD_SCRIPT).is_file():
            _run_script(function_dir.name, work, ready.with_name(f"{ready.name}.log"))
        work.rename(ready)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _run_script(name: str, work: Path, log: Path) -> None:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["/bin/sh", f"./{BUILD_SCRIPT}"],
            cwd=work,
            env={**os.environ, "OUT": "."},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as script,
    ):
        try:
            code = script.wait(BUILD_TIMEOUT_S)
        except BaseException as error:
            # The compiler is a child of the shell: the whole group has to go.
            with suppress(ProcessLookupError):
                os.killpg(script.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            problem = f"took more than {BUILD_TIMEOUT_S:.0f} s"
        else:
            problem = f"failed with code {code}" if code else ""
    if problem:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
        raise PlatformError("\n".join([f"{name}: {BUILD_SCRIPT} {problem} (all it said: {log})", *lines]))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
