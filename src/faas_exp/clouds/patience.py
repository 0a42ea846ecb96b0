"""Lost answers, overload, and things that take their time.

A request that was refused for overload is sent again. One whose answer was lost may have been carried out: whoever sent
it looks before sending it again. What is being deleted holds on to other things for a while.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from faas_exp.clouds.errors import CloudError

T = TypeVar("T")
_Judge = Callable[[BaseException], bool]


def pause(attempt: int, longest: float = 10) -> None:
    """Sleep before the next try: 0.25, 0.5, 1 … seconds, each between half and all of it, never over ``longest``."""
    time.sleep(min(longest, 0.25 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311


def wait_until(done: Callable[[], bool], what: str, seconds: float, error: type[CloudError], longest: float) -> None:
    """Ask again and again, soon at first, every ``longest`` seconds later.

    Raises:
        CloudError: it did not happen in time.
    """
    end, attempt = time.monotonic() + seconds, 0
    while not done():
        if time.monotonic() > end:
            raise error(f"{what}: not within {seconds:.0f} s. Run it again: it goes on from here")
        pause(attempt + 1, longest)
        attempt += 1


@dataclass(frozen=True)
class Patience:
    """How one cloud's failures are met.

    Attributes:
        failures: what calls to it raise.
        is_gone: the thing that was asked for is not there (any more).
        is_ambiguous: the request may have been carried out although no good answer came.
        is_overloaded: the request was not taken, for now.
        is_held: a delete is told so while something that was deleted before is still on its way out.
        is_there: a create is told so of a thing that there is already.
        settles: seconds until a list knows what was just made, one more with each attempt.
        first: the first pause between two creates, as :func:`pause` counts.
        longest: seconds between two deletes, at most.
    """

    failures: tuple[type[Exception], ...]
    is_gone: _Judge
    is_ambiguous: _Judge
    is_overloaded: _Judge
    is_held: _Judge
    is_there: _Judge = lambda error: False
    settles: float = 1
    first: int = 0
    longest: float = 10

    def retry(self, call: Callable[[], T], passing: _Judge, seconds: float) -> T:
        """Make a call again as long as its failure is one that passes, and the time is not up."""
        end, attempt = time.monotonic() + seconds, 0
        while True:
            try:
                return call()
            except self.failures as error:
                if not passing(error) or time.monotonic() > end:
                    raise
            pause(attempt, self.longest)
            attempt += 1

    def until_free(self, call: Callable[[], Any], seconds: float) -> bool:
        """Delete something; while something else still hangs on it, try again.

        Returns:
            False when it was gone already.
        """
        try:
            self.retry(call, self.is_held, seconds)
        except self.failures as error:
            if self.is_gone(error):
                return False
            raise
        return True

    def create_once(self, create: Callable[[], T], look: Callable[[], T | None], attempts: int) -> T:
        """Make one thing, and never two.

        Args:
            create: sends the request; must not retry by itself.
            look: what there is of it by now, None for nothing. Asked after every answer that was lost.
        """
        for attempt in range(attempts):
            try:
                return create()
            except self.failures as error:
                if self.is_ambiguous(error):
                    time.sleep(self.settles + attempt)
                    if (found := look()) is not None:
                        return found
                elif self.is_there(error) and (found := look()) is not None:
                    # The answer to an earlier try was lost further down.
                    return found
                elif not self.is_overloaded(error):
                    raise
                if attempt == attempts - 1:
                    raise
            pause(attempt + self.first)
        raise AssertionError("unreachable")
