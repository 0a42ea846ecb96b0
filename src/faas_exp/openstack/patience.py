"""Overload, lost answers, and things that take their time.

A request that was refused for overload is sent again. One whose answer was lost may have been carried out: whoever sent
it looks before sending it again. What is being deleted holds on to other things for a while.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from faas_exp.openstack.errors import (
    FAILURES,
    OpenStackError,
    is_ambiguous,
    is_conflict,
    is_gone,
    is_overloaded,
)

T = TypeVar("T")
_ATTEMPTS = 6


def pause(attempt: int, longest: float = 10) -> None:
    """Sleep before the next try: 0.25, 0.5, 1 … seconds, each between half and all of it, never over ``longest``."""
    time.sleep(min(longest, 0.25 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311


def again(call: Callable[[], T], attempts: int = _ATTEMPTS) -> T:
    """Make a call that does the same when it is made twice (a question, a change to a given state)."""
    for attempt in range(attempts):
        try:
            return call()
        except FAILURES as error:
            if attempt == attempts - 1 or not (is_overloaded(error) or is_ambiguous(error)):
                raise
        pause(attempt)
    raise AssertionError("unreachable")


def create_once(create: Callable[[], T], look: Callable[[], T | None], attempts: int = _ATTEMPTS) -> T:
    """Make one thing, and never two.

    Args:
        create: sends the request once.
        look: what there is of it by now, None for nothing. Asked after every answer that was lost.
    """
    for attempt in range(attempts):
        try:
            return create()
        except FAILURES as error:
            if is_ambiguous(error):
                # Long enough for a list to know what was just made.
                time.sleep(0.5 + attempt)
                if (found := look()) is not None:
                    return found
            elif is_conflict(error) and (found := look()) is not None:
                # The answer to an earlier try was lost further down.
                return found
            elif not is_overloaded(error):
                raise
            if attempt == attempts - 1:
                raise
        pause(attempt)
    raise AssertionError("unreachable")


def until_free(call: Callable[[], Any], seconds: float = 60) -> bool:
    """Delete something; while something else still hangs on it, try again.

    Returns:
        False when it was gone already.
    """
    end, attempt = time.monotonic() + seconds, 0
    while True:
        try:
            call()
            return True
        except FAILURES as error:
            if is_gone(error):
                return False
            passing = is_conflict(error) or is_overloaded(error) or is_ambiguous(error)
            if not passing or time.monotonic() > end:
                raise
        pause(attempt, longest=5)
        attempt += 1


def wait_until(done: Callable[[], bool], what: str, seconds: float) -> None:
    """Ask again and again, soon at first, every three seconds later.

    Raises:
        OpenStackError: it did not happen in time.
    """
    end, attempt = time.monotonic() + seconds, 0
    while not done():
        if time.monotonic() > end:
            raise OpenStackError(f"{what}: not within {seconds:.0f} s. Run it again: it goes on from here")
        pause(attempt + 1, longest=3)
        attempt += 1
