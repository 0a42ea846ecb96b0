"""Make build contexts of images on the controller, each an archive named by its content.

The tag of an image is a hash of its context, of its build arguments, and of the base that it stands on, so the registry
itself knows whether it was built. Prints one JSON list of ``{"name", "tag", "archive"}``.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from faas_exp.errors import FaasExpError
from faas_exp.functions import bundle

Files = dict[str, Path]

# Seconds for which one that is not the newest of its name is kept: another environment's run may be about to send it.
_KEPT = 86400


def whole(folder: Path) -> Files:
    """The files of a folder by their names in it."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def digest(files: Files, extra: list[str]) -> str:
    """A short hash of names, modes and bytes."""
    total = hashlib.sha256(json.dumps(extra).encode())
    for name, path in sorted(files.items()):
        if name.startswith("wheels/"):
            # The same code gives another wheel each time it is built; the archive's own key stands for it.
            continue
        executable = bool(path.stat().st_mode & 0o100)
        total.update(json.dumps([name, executable, hashlib.sha256(path.read_bytes()).hexdigest()]).encode())
    return total.hexdigest()[:16]


def pack(files: Files, archive: Path) -> None:
    """Writes the archive, at once or not at all; owners and times are left out."""
    if archive.exists():
        os.utime(archive)
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.NamedTemporaryFile(dir=archive.parent, delete=False) as scratch,
        tarfile.open(fileobj=scratch, mode="w") as tar,
    ):
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)
    Path(scratch.name).rename(archive)


def context(name: str, files: Files, extra: list[str], cache: Path) -> dict[str, str]:
    """One context; those of that name that nobody wanted for a day are forgotten."""
    tag = digest(files, extra)
    archive = cache / f"{name}-{tag}.tar"
    pack(files, archive)
    for old in cache.glob(f"{name}-????????????????.tar"):
        with contextlib.suppress(FileNotFoundError):
            if old != archive and time.time() - old.stat().st_mtime > _KEPT:
                old.unlink()
    return {"name": name, "tag": tag, "archive": str(archive)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where archives are kept")
    parser.add_argument("--with", dest="extra", action="append", default=[], help="something else the tag depends on")
    parser.add_argument("--functions", type=Path, help="folder of functions; the names are some of them, or all")
    parser.add_argument("--add", type=Path, action="append", default=[], help="folder for the one context")
    parser.add_argument("--wheels", type=Path, help="archive of wheels, laid into its folder `wheels`")
    parser.add_argument("names", nargs="*", help="functions, or the one name of the context of what was added")
    options = parser.parse_args()
    contexts = []
    try:
        if options.functions:
            everything = sorted(path.parent.name for path in options.functions.glob("*/stack.yml"))
            for name in options.names or everything:
                with tempfile.TemporaryDirectory() as scratch:
                    bundle.assemble(options.functions / name, Path(scratch))
                    contexts.append(context(name, whole(Path(scratch)), options.extra, options.cache))
        else:
            files: Files = {}
            for path in options.add:
                files.update(whole(path))
            with tempfile.TemporaryDirectory() as scratch:
                if options.wheels:
                    # A flat archive of files. (Debian 12's Python has no filter for ``extractall``.)
                    with tarfile.open(options.wheels) as tar:
                        for member in tar:
                            content = tar.extractfile(member)
                            if content is not None:
                                (Path(scratch) / Path(member.name).name).write_bytes(content.read())
                    files.update({f"wheels/{name}": path for name, path in whole(Path(scratch)).items()})
                    options.extra.append(options.wheels.stem)
                contexts.append(context(options.names[0], files, options.extra, options.cache))
    except FaasExpError as error:
        sys.exit(f"contexts: {error}")
    except OSError as error:
        sys.exit(f"contexts: {error.filename}: {error.strerror}")
    print(json.dumps(contexts))  # noqa: T201


if __name__ == "__main__":
    main()
