"""How a function is started: the ``CMD`` of its Containerfile, read without a container engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

from faas_exp.errors import ConfigError

CONTAINERFILE = "Containerfile"

_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)


def read_command(function_dir: Path) -> list[str]:
    """The words of ``CMD`` in the last stage of the function's Containerfile.

    Only the exec form serves, since the shell form would start a shell which keeps signals from the function, and
    ``ENTRYPOINT`` is refused so that there is one place to look at.

    Raises:
        ConfigError: no Containerfile, no ``CMD``, the shell form, or an ``ENTRYPOINT``.
    """
    path = function_dir / CONTAINERFILE
    if not path.is_file():
        raise ConfigError(str(path), "(the file)", "nothing at that path", "a Containerfile")
    command: tuple[int, str] | None = None
    for line, instruction, rest in _instructions(path.read_text(encoding="utf-8")):
        if instruction == "FROM":
            command = None
        elif instruction == "CMD":
            command = (line, rest)
        elif instruction == "ENTRYPOINT":
            raise ConfigError(f"{path}:{line}", "ENTRYPOINT", rest, 'no ENTRYPOINT; CMD ["program", "argument"] alone')
    if command is None:
        raise ConfigError(str(path), "CMD", "nothing", 'CMD ["program", "argument"] in the last stage')
    line, text = command
    try:
        words = json.loads(text)
    except json.JSONDecodeError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise ConfigError(f"{path}:{line}", "CMD", text, 'the exec form: CMD ["program", "argument"]')
    return words


def _instructions(text: str) -> list[tuple[int, str, str]]:
    """Line, instruction in capitals, and arguments; comments gone and continued lines joined."""
    found = []
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.lstrip().startswith("#") or (pending and not raw.strip()):
            continue
        if not pending:
            start = number
        pending += raw
        if pending.rstrip().endswith("\\"):
            pending = pending.rstrip()[:-1] + " "
            continue
        match = _INSTRUCTION.fullmatch(pending)
        if match:
            found.append((start, match[1].upper(), match[2].strip()))
        pending = ""
    return found
