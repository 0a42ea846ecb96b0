"""Go's durations, since OpenFaaS's settings are written in them."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds of a Go duration (``5m5s``, ``1.5h``, ``300ms``); a plain number is seconds, as OpenFaaS reads it.

    Raises:
        ValueError: not a duration, or a negative one; the message says what was found and what is allowed.
    """
    stripped = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        return float(stripped)
    place = 0
    total = 0.0
    while place < len(stripped):
        part = _PART.match(stripped, place)
        if part is None:
            break
        total += float(part.group(1)) * _UNITS[part.group(2)]
        place = part.end()
    if not stripped or place < len(stripped):
        raise ValueError(f"found {text!r}, allowed: a duration such as 30s or 5m5s, or a whole number of seconds")
    return total
