"""Numbers as people read them: as many digits as mean something, never more."""

from __future__ import annotations

import math
from collections.abc import Callable

# Written as escapes: in source code they look like a hyphen, a minus and the letter x.
DASH, MINUS, TIMES = "\u2013", "\u2212", "\u00d7"


def plain(value: float, digits: int = 3) -> str:
    """``digits`` significant digits without an exponent; thousands grouped; a dash for no value.

    >>> plain(1234.56), plain(0.01234), plain(12.0)
    ('1,235', '0.0123', '12.0')
    """
    if not math.isfinite(value):
        return DASH if math.isnan(value) else "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 12)}f}"


def ratio(value: float) -> str:
    """A ratio with two decimals, three where it is close to 1, three significant digits below 0.1."""
    if not math.isfinite(value):
        return plain(value)
    if abs(value - 1) < 0.02:
        return f"{value:.3f}"
    return f"{value:.2f}" if value >= 0.1 else plain(value)


def interval(low: float, high: float, show: Callable[[float], str] = ratio) -> str:
    """Both ends with a dash between them; a dash alone for no interval."""
    return DASH if math.isnan(low) else f"{show(low)}{DASH}{show(high)}"


def p_value(value: float) -> str:
    """APA style: three decimals, ``< 0.001`` below."""
    if math.isnan(value):
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(value: float) -> str:
    """A percentage with the decimals that show it is not zero."""
    if math.isnan(value):
        return DASH
    if value == 0:
        return "0 %"
    return f"{value:.0f} %" if value >= 10 else f"{plain(value, 2)} %"
