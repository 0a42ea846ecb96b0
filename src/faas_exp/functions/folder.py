"""The files of one function: its own folder plus the shared folders it names, as they will lie side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from faas_exp.errors import ConfigError

SHARED = "shared"
IGNORE_FILE = ".dockerignore"

# Never part of a function at any depth, whatever it is written in: prose, and what tools leave behind.
_ALWAYS_IGNORED = ("*.md", "*.pyc", "__pycache__", "node_modules", ".git", ".DS_Store", "*~", "*.swp")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True)
class SourceFile:
    """One file of a function.

    Attributes:
        name: where it lies in the assembled folder, with ``/``.
        path: where it is now.
        executable: whether its owner may execute it; no other mode bit is kept.
    """

    name: str
    path: Path
    executable: bool


def function_name(function_dir: Path) -> str:
    """The function's name, which is its folder's.

    Raises:
        ConfigError: there is no such folder, or its name can't be a function's (a DNS label).
    """
    name = _existing(function_dir).name
    if not _NAME.fullmatch(name) or len(name) > 63:
        raise ConfigError(str(function_dir), "(the folder's name)", name, "a-z, 0-9 and -, at most 63 characters")
    return name


def source_files(function_dir: Path) -> list[SourceFile]:
    """Every file of the function, shared folders included, sorted by name.

    Left out are ``*.md``, caches, what the folder's ``.dockerignore`` names (the place to list build outputs), and the
    file ``shared`` itself, since the assembled folder has no more use for it.

    Raises:
        ConfigError: no such folder, a shared folder that is missing, outside or in the way of another name, a symbolic
            link or another thing that is not a file.
    """
    function_dir = _existing(function_dir)
    found = _walk(function_dir, prefix="", skip=SHARED)
    for line, entry in _shared_entries(function_dir):
        folder = function_dir.parent / entry
        last = PurePosixPath(entry).name
        where = f"{function_dir / SHARED}:{line}"
        if not folder.is_dir():
            raise ConfigError(where, entry, "no such folder", f"a folder under {function_dir.parent}")
        if any(name == last or name.startswith(f"{last}/") for name in found):
            raise ConfigError(where, entry, f"{last} twice", "a last name that nothing else in the folder has")
        found.update(_walk(folder, prefix=f"{last}/", skip=None))
    return [found[name] for name in sorted(found)]


def _existing(function_dir: Path) -> Path:
    if not function_dir.is_dir():
        raise ConfigError(str(function_dir), "(the folder)", "nothing at that path", "a function's folder")
    return function_dir.resolve()


def _shared_entries(function_dir: Path) -> list[tuple[int, str]]:
    listing = function_dir / SHARED
    if not listing.is_file():
        return []
    entries = []
    for number, raw in enumerate(_read_text(listing).splitlines(), start=1):
        entry = raw.split("#", 1)[0].strip().rstrip("/")
        if not entry:
            continue
        parts = PurePosixPath(entry).parts
        if entry.startswith("/") or ".." in parts or not parts:
            allowed = f"a path relative to {function_dir.parent}, without .."
            raise ConfigError(f"{listing}:{number}", "(shared folder)", entry, allowed)
        entries.append((number, entry))
    return entries


def _walk(root: Path, prefix: str, skip: str | None) -> dict[str, SourceFile]:
    patterns = _ignore_patterns(root)
    found: dict[str, SourceFile] = {}
    pending = [root]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            relative = path.relative_to(root).as_posix()
            if relative == skip or _ignored(relative, patterns):
                continue
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise ConfigError(str(path), "(the file)", "a link, socket or device", "plain files and folders only")
            if path.is_dir():
                pending.append(path)
            else:
                name = prefix + relative
                found[name] = SourceFile(name, path, executable=bool(path.stat().st_mode & 0o100))
    return found


def _ignore_patterns(root: Path) -> list[str]:
    """The patterns of ``.dockerignore``, relative to its folder; those that mean the same to a container engine."""
    listing = root / IGNORE_FILE
    if not listing.is_file():
        return []
    patterns = []
    for number, raw in enumerate(_read_text(listing).splitlines(), start=1):
        pattern = raw.strip().strip("/")
        if not pattern or pattern.startswith("#"):
            continue
        if pattern.startswith("!") or "**" in pattern:
            raise ConfigError(f"{listing}:{number}", "(pattern)", pattern, "names with *, ? and [], no ! and no **")
        patterns.append(pattern)
    return patterns


def _ignored(relative: str, patterns: list[str]) -> bool:
    parts = relative.split("/")
    if any(fnmatchcase(parts[-1], pattern) for pattern in _ALWAYS_IGNORED):
        return True
    for pattern in patterns:
        wanted = pattern.split("/")
        if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
            return True
    return False


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), "(the file)", str(error), "UTF-8 text") from None
