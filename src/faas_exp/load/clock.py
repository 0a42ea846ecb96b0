"""The clocks of two machines, compared over the network.

An exchange is that of NTP (RFC 5905, section 8): sent at ``t0``, received at ``t1``, answered at ``t2``, back at
``t3``. The other clock's offset is ``((t1 - t0) + (t2 - t3)) / 2``; it is wrong by at most half the round trip
``(t3 - t0) - (t2 - t1)``, so of several exchanges the quickest tells most. Monotonic clocks are compared, which nobody
sets; whether the machines keep NTP time does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Linux slews a monotonic clock by at most 500 ppm (adjtimex(2)), in either direction on either machine.
_MAX_SLEW = 1e-3


@dataclass(frozen=True)
class Exchange:
    """One exchange, ns: ``t0`` and ``t3`` on this clock, ``t1`` and ``t2`` on the other; ``wall_offset`` is the
    difference of the wall clocks as seen by this exchange, for the record."""

    t0: int
    t1: int
    t2: int
    t3: int
    wall_offset: int = 0

    @property
    def offset(self) -> int:
        return ((self.t1 - self.t0) + (self.t2 - self.t3)) // 2

    @property
    def round_trip(self) -> int:
        return max((self.t3 - self.t0) - (self.t2 - self.t1), 0)


@dataclass(frozen=True)
class Reading:
    """What some exchanges tell of another clock, ns.

    Attributes:
        at: this clock's time of the reading.
        offset: the other clock minus this one.
        round_trip: of the quickest exchange.
        wall_offset: the other wall clock minus this one.
    """

    at: int
    offset: int
    round_trip: int
    wall_offset: int

    @property
    def uncertainty(self) -> float:
        return self.round_trip / 2


def read(exchanges: Sequence[Exchange]) -> Reading:
    """The quickest exchange's."""
    best = min(exchanges, key=lambda one: one.round_trip)
    return Reading((best.t0 + best.t3) // 2, best.offset, best.round_trip, best.wall_offset)


@dataclass(frozen=True)
class Comparison:
    """Another clock before and after a run."""

    before: Reading
    after: Reading

    def to_here(self, there_ns: int) -> int:
        """A time of the other clock on this one, the offset taken as changing evenly from one reading to the other."""
        span = self.after.at - self.before.at
        drift = self.after.offset - self.before.offset
        if span <= 0:
            return there_ns - self.before.offset
        passed = there_ns - self.before.offset - self.before.at
        return there_ns - self.before.offset - drift * passed // span

    def ran_off(self) -> float | None:
        """By how many ms the clocks parted beyond what clocks do and the readings' own uncertainty; None: they did
        not."""
        drift = abs(self.after.offset - self.before.offset)
        allowed = self.before.uncertainty + self.after.uncertainty + _MAX_SLEW * (self.after.at - self.before.at)
        return drift / 1e6 if drift > allowed else None

    def to_dict(self) -> dict[str, Any]:
        """As in ``stats.json``, ms."""
        return {
            name: {
                "offset_ms": round(one.offset / 1e6, 6),
                "round_trip_ms": round(one.round_trip / 1e6, 6),
                "uncertainty_ms": round(one.uncertainty / 1e6, 6),
                "wall_offset_ms": round(one.wall_offset / 1e6, 3),
            }
            for name, one in (("before", self.before), ("after", self.after))
        }
