"""What a run makes of a wish."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Made:
    """What there is now (or would be, in a check).

    Attributes:
        changes: what was done, in order; empty on a second run.
        network: ids by part; ``(planned)`` in a check.
        public_ip: the bastion's.
        machines: name, role, groups, address, id and host key of all, as role cloud_common takes them; those of other
            clusters in this environment included.
        created: machines that are new.
        surplus: machines of this cluster, or that make load, which the wish does not hold, by their names in the
            inventory (``<env>-<name>``); they are left alone.
        notes: where something differs from the wish in what can't be changed while it lives.
    """

    changes: list[str]
    network: dict[str, Any]
    public_ip: str
    machines: list[dict[str, Any]]
    created: list[str]
    surplus: list[str]
    notes: list[str] = field(default_factory=list)
