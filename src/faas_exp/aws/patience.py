"""Eventual consistency and lost answers.

EC2 answers a create before all of its parts know the new thing, and a delete before all have forgotten what hung on it.
A request whose answer was lost may have been carried out. Each has its own remedy here; throttling is retried by both.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from faas_exp.aws.errors import THROTTLED, AwsError, code_of, is_ambiguous, is_gone

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
}


def pause(attempt: int, longest: float = 10) -> None:
    """Sleep before the next try: 0.25, 0.5, 1 … seconds, each between half and all of it, never over ``longest``."""
    time.sleep(min(longest, 0.25 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311


def until_known(call: Callable[[], T], seconds: float = 60) -> T:
    """Make a call on something just made; while it isn't known everywhere yet, try again."""
    return _retry(call, lambda error: is_gone(error) or code_of(error) in THROTTLED, seconds)


def until_free(call: Callable[[], Any], seconds: float = 180) -> bool:
    """Delete something; while something else still hangs on it, try again.

    Returns:
        False when it was gone already.
    """
    try:
        _retry(call, lambda error: code_of(error) in BUSY | THROTTLED, seconds)
    except ClientError as error:
        if is_gone(error):
            return False
        raise
    return True


def _retry(call: Callable[[], T], passing: Callable[[BaseException], bool], seconds: float) -> T:
    end, attempt = time.monotonic() + seconds, 0
    while True:
        try:
            return call()
        except ClientError as error:
            if not passing(error) or time.monotonic() > end:
                raise
        pause(attempt)
        attempt += 1


def create_once(create: Callable[[], T], look: Callable[[], T | None], attempts: int = 8) -> T:
    """Make one thing by a call that knows no client token, and never two.

    Args:
        create: sends the request; must not retry by itself.
        look: what there is of it by now, None for nothing. Asked after every answer that was lost.
    """
    for attempt in range(attempts):
        try:
            return create()
        except (ClientError, BotoCoreError) as error:
            last = attempt == attempts - 1
            if is_ambiguous(error):
                # Long enough for a list to know what was just made.
                time.sleep(1 + attempt)
                if (found := look()) is not None:
                    return found
            elif code_of(error) not in THROTTLED:
                raise
            if last:
                raise
        pause(attempt + 1)
    raise AssertionError("unreachable")


def wait_until(done: Callable[[], bool], what: str, seconds: float) -> None:
    """Ask again and again, every second at first, every five later.

    Raises:
        AwsError: it did not happen in time.
    """
    end, attempt = time.monotonic() + seconds, 0
    while not done():
        if time.monotonic() > end:
            raise AwsError(f"{what}: not within {seconds:.0f} s. Run it again: it goes on from here")
        pause(attempt + 1, longest=5)
        attempt += 1
