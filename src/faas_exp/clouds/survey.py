"""What there is of an environment: things of a kind, with a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from faas_exp.clouds.errors import CloudError


@dataclass(frozen=True)
class Resource:
    """One thing at a cloud.

    Attributes:
        kind: one of the cloud's kinds.
        env: the environment that it belongs to.
        created: when it was made, UTC; None where nothing says.
    """

    kind: str
    id: str
    env: str
    name: str
    created: datetime | None

    def __str__(self) -> str:
        return f"{self.kind} {self.name or '(no name)'}" + (f" ({self.id})" if self.id != self.name else "")


R = TypeVar("R", bound=Resource)
K = TypeVar("K")


class Found(Generic[R]):
    """The resources of one survey.

    Attributes:
        error: raised where a name is not one thing's alone.
    """

    error: ClassVar[type[CloudError]]

    def __init__(self, resources: list[R]) -> None:
        self.all = resources

    def of(self, kind: str) -> list[R]:
        """All of one kind."""
        return [one for one in self.all if one.kind == kind]

    def one(self, kind: str, name: str) -> R | None:
        """The one resource of this kind and name.

        Raises:
            CloudError: there are several; which is the right one is not guessed.
        """
        matching = [one for one in self.of(kind) if one.name == name]
        if len(matching) > 1:
            ids = ", ".join(sorted(one.id for one in matching))
            raise self.error(
                f"{kind} {name}: there are {len(matching)} of this name ({ids}). Delete the wrong one, or tear down"
            )
        return matching[0] if matching else None


def list_all(kinds: Sequence[K], lister: Callable[[K], Iterable[R]], env: str | None) -> list[R]:
    """Everything of one environment, or of all (``env`` None), all kinds at the same time.

    Nothing without the mark is ever touched, whatever a cloud's own filter let through.
    """
    with ThreadPoolExecutor(len(kinds)) as pool:
        lists = list(pool.map(lister, kinds))
    return [one for found in lists for one in found if (one.env == env if env else one.env)]
