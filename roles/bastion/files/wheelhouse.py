"""Collect what a machine or an image installs, on the controller, into one archive named by its content.

The versions are those that the controller itself runs, so the load generator on the bastion is the one that was tested.
Prints one JSON object: ``key`` (changes when a version, the project's code or the target changes) and ``archive``.

Only the standard library and ``packaging`` (which Ansible brings) are used.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = "faas-exp"
KEPT = 5
"""How many archives stay in the cache."""


def pins(target_python: str, needs: list[str]) -> dict[str, str]:
    """Name and version of everything that the ``needs`` stand on, as installed here.

    Raises:
        SystemExit: something of it is not installed here.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = []
    for need in map(Requirement, needs):
        waiting += [(need.name, ""), *((need.name, extra) for extra in need.extras)]
    environment = {"python_version": target_python, "sys_platform": "linux", "platform_system": "Linux"}
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            sys.exit(
                f"wheelhouse: {name} is missing by {sys.executable}: run `make .venv`, or pip install 'faas-exp[all]'"
            )
        if name != PROJECT:
            found[name] = distribution.version
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra}):
                needed = re.sub(r"[-_.]+", "-", requirement.name).lower()
                waiting += [(needed, ""), *((needed, wanted) for wanted in requirement.extras)]
    return dict(sorted(found.items()))


def source_files(project: Path) -> list[Path]:
    """The files that the project's wheel is made from."""
    package = [path for path in (project / "src").rglob("*") if path.is_file()]
    return sorted(
        [project / "pyproject.toml", *(path for path in package if not re.search(r"__pycache__|\.egg-info", str(path)))]
    )


def digest(*parts: bytes) -> str:
    """A short hash of the parts and of where one ends."""
    result = hashlib.sha256()
    for part in parts:
        result.update(len(part).to_bytes(8, "big") + part)
    return result.hexdigest()[:16]


def pip(*arguments: str) -> None:
    """Run the controller's pip.

    Raises:
        SystemExit: pip failed; its own words are shown.
    """
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"wheelhouse: pip {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def target_options(python: str, machine: str) -> list[str]:
    """pip's options for wheels of another Python or machine than this one."""
    if sys.platform == "linux" and python == "{}.{}".format(*sys.version_info[:2]) and machine == platform.machine():
        return []
    platforms = [
        f"--platform={tag}_{machine}" for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
    ]
    return [*platforms, f"--python-version={python}", "--implementation=cp"]


def dependencies(cache: Path, versions: dict[str, str], python: str, machine: str) -> Path:
    """Folder with the wheels of all dependencies; made once per set of versions."""
    lines = "".join(f"{name}=={version}\n" for name, version in versions.items())
    folder = cache / f"deps-{digest(lines.encode(), python.encode(), machine.encode())}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            (Path(scratch) / "pins.txt").write_text(lines)
            wheels = Path(scratch) / "wheels"
            pip(
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                f"--dest={wheels}",
                f"--requirement={scratch}/pins.txt",
                *target_options(python, machine),
            )
            wheels.rename(folder)
    return folder


def project_wheel(cache: Path, project: Path, key: str) -> Path:
    """The project's own wheel, built from a copy so that nothing is left in its folder."""
    folder = cache / f"project-{key}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            copy = Path(scratch) / "copy"
            for path in source_files(project):
                (copy / path.relative_to(project)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy / path.relative_to(project))
            (copy / "README.md").touch()
            pip("wheel", "--quiet", "--no-deps", f"--wheel-dir={scratch}/wheels", str(copy))
            Path(scratch, "wheels").rename(folder)
    return next(folder.glob("*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--python", default="{}.{}".format(*sys.version_info[:2]))
    parser.add_argument("--machine", default=platform.machine())
    parser.add_argument(
        "--need", action="append", help=f"what is to be installed; may be repeated (default: {PROJECT}[load])"
    )
    parser.add_argument("--list", action="store_true", help="only say which packages there would be")
    options = parser.parse_args()
    needs = options.need or [f"{PROJECT}[load]"]
    if options.list:
        print(json.dumps([f"{name}=={version}" for name, version in pins(options.python, needs).items()]))  # noqa: T201
        return

    options.cache.mkdir(parents=True, exist_ok=True)
    versions = pins(options.python, needs)
    source = digest(
        *(
            part
            for path in source_files(options.project)
            for part in (str(path.relative_to(options.project)).encode(), path.read_bytes())
        )
    )
    key = digest(json.dumps(versions).encode(), source.encode(), options.python.encode(), options.machine.encode())
    archive = options.cache / f"{key}.tar"
    # Machines that are installed at the same time ask at the same time.
    with (options.cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            wheels = sorted(dependencies(options.cache, versions, options.python, options.machine).glob("*.whl"))
            own = project_wheel(options.cache, options.project, source)
            with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
                requirements = Path(scratch) / "requirements.txt"
                lines = [f"{name}=={version}" for name, version in versions.items()]
                requirements.write_text(
                    "\n".join([*lines, f"{own.name.split('-')[0]}=={own.name.split('-')[1]}"]) + "\n"
                )
                with tarfile.open(f"{scratch}/archive.tar", "w") as tar:
                    for path in [*wheels, own, requirements]:
                        tar.add(path, arcname=path.name)
                Path(scratch, "archive.tar").rename(archive)
            for old in sorted(options.cache.glob("*.tar"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
                old.unlink()
    print(json.dumps({"key": key, "archive": str(archive)}))  # noqa: T201


if __name__ == "__main__":
    main()
