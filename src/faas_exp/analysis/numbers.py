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
    """Both ends with a dash between them (``to`` where one is negative); a dash alone for no interval."""
    if math.isnan(low):
        return DASH
    return f"{show(low)} to {show(high)}" if low < 0 else f"{show(low)}{DASH}{show(high)}"


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


def compact(value: float) -> str:
    """At most four characters where that is possible: for labels on bars.

    >>> compact(1310), compact(0.034), compact(43.5), compact(409.8)
    ('1.3k', '0.03', '44', '410')
    """
    if not math.isfinite(value):
        return plain(value)
    for limit, divisor, unit in ((999.5, 1e3, "k"), (999_500, 1e6, "M")):
        if limit <= abs(value) < limit * 1e3:
            return f"{value / divisor:.1f}{unit}" if abs(value) < 9.95 * divisor else f"{value / divisor:.0f}{unit}"
    if abs(value) >= 9.95 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2f}"


def share(percentage: float) -> str:
    """A percentage for a label; 100 only when it is.

    >>> share(100.0), share(99.96), share(42.3)
    ('100', '99.9', '42.3')
    """
    return "100" if percentage == 100 else f"{min(percentage, 99.9):.1f}".removesuffix(".0")
