"""The end of things, and the proof that nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from faas_exp.clouds.errors import CloudError
from faas_exp.clouds.ledger import Ledger
from faas_exp.clouds.survey import Resource

_ADVICE = "delete or move what is not of this environment, then run the teardown again"


def delete(
    ledger: Ledger,
    resource: Resource,
    call: Callable[[], Any],
    in_use: Callable[[BaseException], bool],
    users: Callable[[], str],
    error: type[CloudError],
) -> None:
    """Delete one thing and write it down.

    Args:
        call: deletes it, with patience.
        in_use: whether a failure says that something that is not ours still stands in the way.
        users: what that is, in words: `` by port …``; empty when nothing tells.

    Raises:
        CloudError: of the type given.
    """

    def attempt() -> None:
        try:
            call()
        except ledger.failures as failure:
            if not in_use(failure):
                raise
            raise error(f"delete {resource}: still in use{users()}. What to do: {_ADVICE}") from failure

    ledger.do(f"delete {resource}", attempt)


def prove(
    env: str,
    look: Callable[[], Sequence[Resource]],
    wait_until: Callable[[Callable[[], bool], str, float], None],
    seconds: float,
    error: type[CloudError],
) -> None:
    """Look until nothing is left: lists forget a little later than deletes answer.

    Args:
        wait_until: asks again and again; raises an error of the type given when it was in vain.

    Raises:
        CloudError: of the type given; names what is left.
    """
    left: list[Resource] = []

    def nothing() -> bool:
        left[:] = look()
        return not left

    try:
        wait_until(nothing, "", seconds)
    except error:
        if not left:
            raise
        raise error(
            f"still there after the teardown of {env}: {', '.join(map(str, left))}. Run the teardown again"
        ) from None
