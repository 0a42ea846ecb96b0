"""Doing many small pieces of work on all cores where the interpreter lock forbids threads."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

FEW = 8
"""Up to so many pieces are done right here: forking is not free."""

_items: Sequence[Any] = ()
_work: Callable[[Any], Any] = repr


def in_parallel(items: Sequence[Item], work: Callable[[Item], Result]) -> list[Result]:
    """``work`` of every item, in order, on all cores.

    The workers are forked, so that they inherit items and data as they are, closures included; only results are sent
    back. Where there is no fork, or only one core, everything happens in this process. An exception in a worker is
    raised here.
    """
    cores = min(os.cpu_count() or 1, len(items))
    if cores < 2 or len(items) <= FEW or "fork" not in multiprocessing.get_all_start_methods():
        return [work(item) for item in items]
    global _items, _work
    _items, _work = items, work
    try:
        with multiprocessing.get_context("fork").Pool(cores) as pool:
            return pool.map(_do, range(len(items)), chunksize=1)
    finally:
        _items, _work = (), repr


def _do(number: int) -> Any:
    return _work(_items[number])
