"""The book of what a run changes at AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from faas_exp.aws import errors, tags
from faas_exp.aws.session import Cloud
from faas_exp.clouds import ledger


@dataclass
class Ledger(ledger.Ledger):
    """The hand that makes things, and its book; raises AwsError."""

    failures: ClassVar[tuple[type[Exception], ...]] = errors.FAILURES
    explain = staticmethod(errors.explain)

    cloud: Cloud
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def tags(self, name: str, *, timed: bool = False) -> dict[str, str]:
        """The tags of a thing of this environment; ``timed`` for kinds whose age EC2 does not tell."""
        its = {tags.ENV: self.env, "Name": name}
        return {**its, tags.CREATED: self.started} if timed else its
