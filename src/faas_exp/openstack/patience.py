"""Overload, lost answers, and things that take their time.

A request that was refused for overload is sent again. One whose answer was lost may have been carried out: whoever sent
it looks before sending it again. What is being deleted holds on to other things for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from faas_exp.clouds import patience
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

_SERVICES = patience.Patience(
    failures=FAILURES,
    is_gone=is_gone,
    is_ambiguous=is_ambiguous,
    is_overloaded=is_overloaded,
    is_held=lambda error: is_conflict(error) or is_overloaded(error) or is_ambiguous(error),
    is_there=is_conflict,
    settles=0.5,
    longest=5,
)


def again(call: Callable[[], T], attempts: int = _ATTEMPTS) -> T:
    """Make a call that does the same when it is made twice (a question, a change to a given state)."""
    for attempt in range(attempts):
        try:
            return call()
        except FAILURES as error:
            if attempt == attempts - 1 or not (is_overloaded(error) or is_ambiguous(error)):
                raise
        patience.pause(attempt)
    raise AssertionError("unreachable")


def create_once(create: Callable[[], T], look: Callable[[], T | None], attempts: int = _ATTEMPTS) -> T:
    """Make one thing, and never two.

    Args:
        create: sends the request once.
        look: what there is of it by now, None for nothing. Asked after every answer that was lost.
    """
    return _SERVICES.create_once(create, look, attempts)


def until_free(call: Callable[[], Any], seconds: float = 60) -> bool:
    """Delete something; while something else still hangs on it, try again.

    Returns:
        False when it was gone already.
    """
    return _SERVICES.until_free(call, seconds)


def wait_until(done: Callable[[], bool], what: str, seconds: float) -> None:
    """Ask again and again, soon at first, every three seconds later.

    Raises:
        OpenStackError: it did not happen in time.
    """
    patience.wait_until(done, what, seconds, OpenStackError, longest=3)
