"""Eventual consistency and lost answers.

EC2 answers a create before all of its parts know the new thing, and a delete before all have forgotten what hung on it.
A request whose answer was lost may have been carried out. Each has its own remedy here; throttling is retried by both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from faas_exp.aws.errors import FAILURES, THROTTLED, AwsError, code_of, is_ambiguous, is_gone
from faas_exp.clouds import patience

T = TypeVar("T")

# What a delete is told while something that was deleted before it is still on its way out.
BUSY = {
    "DependencyViolation",
    "InvalidGroup.InUse",
    "IncorrectState",
    "ResourceInUse",
    "InvalidIPAddress.InUse",
    "InvalidNetworkInterface.InUse",
    "VolumeInUse",
    "InvalidPlacementGroup.InUse",
}


_EC2 = patience.Patience(
    failures=FAILURES,
    is_gone=is_gone,
    is_ambiguous=is_ambiguous,
    is_overloaded=lambda error: code_of(error) in THROTTLED,
    is_held=lambda error: code_of(error) in BUSY | THROTTLED,
    first=1,
)


def until_known(call: Callable[[], T], seconds: float = 60) -> T:
    """Make a call on something just made; while it isn't known everywhere yet, try again."""
    return _EC2.retry(call, lambda error: is_gone(error) or code_of(error) in THROTTLED, seconds)


def until_free(call: Callable[[], Any], seconds: float = 180) -> bool:
    """Delete something; while something else still hangs on it, try again.

    Returns:
        False when it was gone already.
    """
    return _EC2.until_free(call, seconds)


def create_once(create: Callable[[], T], look: Callable[[], T | None], attempts: int = 8) -> T:
    """Make one thing by a call that knows no client token, and never two.

    Args:
        create: sends the request; must not retry by itself.
        look: what there is of it by now, None for nothing. Asked after every answer that was lost.
    """
    return _EC2.create_once(create, look, attempts)


def wait_until(done: Callable[[], bool], what: str, seconds: float) -> None:
    """Ask again and again, every second at first, every five later.

    Raises:
        AwsError: it did not happen in time.
    """
    patience.wait_until(done, what, seconds, AwsError, longest=5)
