"""The gateways in front of one orchestrator, as the autoscaler of one of them sees them.

Each gateway counts its own requests only. So that several of them don't scale against each other, one leads: it alone
decides about load and idleness, over the counters of all. Waking a function from zero is anybody's; a number that
somebody else has changed meanwhile is left alone (``Provider.scale``'s ``expected``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass
class Share:
    """What the other gateways had to do for a function.

    Attributes:
        successes: 2xx responses, counted from any start on; never falls.
        in_flight: requests they have now; large where one does not tell, so that nobody takes a function for idle.
        last_used: monotonic time at which a request was last seen.
    """

    successes: int = 0
    in_flight: int = 0
    last_used: float = 0.0


class Fleet(Protocol):
    """See the module."""

    async def refresh(self) -> bool:
        """Learns what the others do; False when this gateway does not lead, and so does not decide."""

    def others(self, name: str) -> Share:
        """What they did for one function, as of the last ``refresh``."""


class Alone:
    """The one gateway there is."""

    _NOTHING = Share()

    async def refresh(self) -> bool:
        return True

    def others(self, name: str) -> Share:
        return self._NOTHING
