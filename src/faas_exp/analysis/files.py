"""Writing files whole or not at all, and reading small JSON without trusting it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faas_exp.analysis.errors import AnalysisError, NoResultsError


def write(path: Path, fill: Callable[[Path], object]) -> Path:
    """Let ``fill`` write to a temporary neighbour of ``path``, then rename it into place.

    Raises:
        AnalysisError: the folder can't be written, or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        fill(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise AnalysisError(f"{path}: can't write: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text; line ends are ``\\n`` everywhere."""
    return write(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def read_json_object(path: Path) -> dict[str, Any] | None:
    """A JSON object; None when the file is missing, broken, or holds something else."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def need_folder(path: Path) -> Path:
    """The folder itself.

    Raises:
        NoResultsError: there is no such folder.
    """
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise NoResultsError(f"{path}: found {found}, allowed: a folder with results")
    return path
