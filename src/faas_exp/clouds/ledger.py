"""What a run changes, or would change: one code path for both, so that ``--check`` can't tell another story."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, ClassVar

from faas_exp.clouds.errors import CloudError

# An id that stands in for that of a thing which a check did not make.
PLANNED = "(planned)"


@dataclass
class Ledger(ABC):
    """The hand that makes things, and its book.

    Attributes:
        failures: what calls to this cloud raise.
        check: write down what would be done, and do nothing.
        changes: what was (or would be) done, one line each, in order.
    """

    failures: ClassVar[tuple[type[Exception], ...]]

    cloud: Any
    env: str
    check: bool = False
    changes: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=Lock, repr=False)

    @staticmethod
    @abstractmethod
    def explain(error: BaseException, doing: str) -> CloudError:
        """A failure as one line: what was being done, what the cloud said, what to do."""

    def do(self, what: str, call: Callable[[], Any], planned: Any = None) -> Any:
        """Do one thing and write it down; in a check, write it down and give back ``planned``.

        Raises:
            CloudError: the cloud's own: what was being done, what the cloud said, and what to do.
        """
        if self.check:
            self._note(what)
            return planned
        try:
            answer = call()
        except self.failures as error:
            raise self.explain(error, what) from error
        self._note(what)
        return answer

    def _note(self, what: str) -> None:
        with self._lock:
            self.changes.append(what)
