"""Work in a process of its own, to be killed: forked from one that has imported everything already."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")


def prepare(*modules: str) -> None:
    """What to import beforehand; of effect before the first :func:`start`."""
    # Each process looks at the main program, which is pytest's.
    _CONTEXT.set_forkserver_preload(["pytest", __name__, *modules])


def start(work: Callable[[Any], None], order: Any, environment: Mapping[str, str], output: Path) -> BaseProcess:
    """Begin ``work(order)``; ``exitcode`` tells of a signal as a negative number.

    Args:
        work: a function of a module that can be imported.
        environment: all of it.
        output: gets what it prints.
    """
    process = _CONTEXT.Process(target=_run, args=(work, order, dict(environment), str(output)))
    process.start()
    return process


def _run(work: Callable[[Any], None], order: Any, environment: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    work(order)
