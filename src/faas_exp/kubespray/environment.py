"""Where Kubespray is, and the Python environment that it asks for."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faas_exp.errors import PlatformError

PLAYBOOK = "cluster.yml"
_REQUIREMENTS = "requirements.txt"


def revision(directory: str, repository: str, tag: str) -> str:
    """Which Kubespray it is: the commit of a checkout, or the tag that is cloned.

    Raises:
        PlatformError: ``directory`` holds none.
    """
    if not directory:
        return f"{repository}@{tag}"
    checked = _checked(Path(directory))
    asked = subprocess.run(
        ["git", "-C", str(checked), "rev-parse", "HEAD"], check=False, capture_output=True, text=True
    )
    if asked.returncode == 0:
        return asked.stdout.strip()
    # An unpacked archive: what it asks for and what it plays tell one release from another.
    content = b"".join(
        (checked / name).read_bytes() for name in ("galaxy.yml", _REQUIREMENTS) if (checked / name).is_file()
    )
    return hashlib.sha256(content).hexdigest()


def checkout(directory: str, repository: str, tag: str, cache: Path) -> Path:
    """The folder of Kubespray, cloned when there is none.

    Raises:
        PlatformError: it can't be had.
    """
    if directory:
        return _checked(Path(directory))
    folder = cache / hashlib.sha256(f"{repository}@{tag}".encode()).hexdigest()[:12]
    with _alone(folder):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _run(
                ["git", "clone", "--quiet", "--depth=1", f"--branch={tag}", repository, str(partial)],
                f"Kubespray {tag} can't be cloned from {repository} (kubespray_dir takes a checkout)",
            )
            partial.rename(folder)
    return _checked(folder)


def environment(folder: Path, cache: Path, python: str) -> Path:
    """The folder of programs of an environment with what this Kubespray asks for; made once per list of it.

    Raises:
        PlatformError: it can't be made.
    """
    wanted = folder / _REQUIREMENTS
    key = hashlib.sha256(wanted.read_bytes() + python.encode()).hexdigest()[:12]
    home = cache / f"venv-{key}"
    with _alone(home):
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            _run([python, "-m", "venv", str(home)], "no Python environment for Kubespray")
            _run(
                [str(home / "bin" / "pip"), "install", "--quiet", "--requirement", str(wanted)],
                "what Kubespray asks for can't be installed",
            )
            (home / "ready").touch()
    return home / "bin"


def _checked(folder: Path) -> Path:
    for name in (PLAYBOOK, _REQUIREMENTS):
        if not (folder / name).is_file():
            raise PlatformError(f"kubespray_dir: found {folder} without {name}, allowed: a checkout of Kubespray")
    return folder.resolve()


def _run(command: list[str], failed: str) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise PlatformError(f"{failed}: {command[0]}: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise PlatformError(f"{failed}: {lines[-1] if lines else f'exit code {done.returncode}'}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Several runs may want the same at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
