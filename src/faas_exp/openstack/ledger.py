"""The book of what a run changes at OpenStack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faas_exp.clouds import ledger
from faas_exp.openstack import errors
from faas_exp.openstack.session import Cloud


@dataclass
class Ledger(ledger.Ledger):
    """The hand that makes things, and its book; raises OpenStackError."""

    failures: ClassVar[tuple[type[Exception], ...]] = errors.FAILURES
    explain = staticmethod(errors.explain)

    cloud: Cloud
