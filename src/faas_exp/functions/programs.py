"""The programs a function needs on the machine that builds or runs it, and the Debian packages they come from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from faas_exp.errors import ConfigError
from faas_exp.functions.folder import function_name
from faas_exp.stackfile import load_stack

STACK_FILE = "stack.yml"
REQUIRES = "faas.exp/requires"

_DEBIAN = {
    "node": "nodejs",
    "npm": "npm",
    "go": "golang-go",
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "jar": "default-jdk-headless",
    "python3": "python3",
}


def requires(function_dir: Path) -> list[str]:
    """The programs named in the annotation ``faas.exp/requires`` of the function's stack file, in its order.

    Raises:
        ConfigError, ConfigErrors: no stack file, a fault in it, or no function with the folder's name.
    """
    name = function_name(function_dir)
    path = function_dir / STACK_FILE
    functions = load_stack(path)
    if name not in functions:
        raise ConfigError(str(path), "functions", ", ".join(functions), f"a function named {name}, as its folder")
    return functions[name].annotations.get(REQUIRES, "").split()


def missing_programs(function_dir: Path) -> list[str]:
    """Those of :func:`requires` that are not on ``PATH`` here."""
    return [program for program in requires(function_dir) if shutil.which(program) is None]


def debian_packages(programs: Iterable[str]) -> list[str]:
    """The Debian packages which hold these programs, each once; an unknown program is taken for its package's name."""
    return list(dict.fromkeys(_DEBIAN.get(program, program) for program in programs))
