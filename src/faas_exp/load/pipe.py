"""Lines of JSON between a load process and the one that started it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from gevent.socket import wait_read


def lines(fd: int) -> Iterator[dict[str, Any]]:
    """Messages from the parent; ends when it closes the pipe."""
    pieces: list[bytes] = []
    while True:
        wait_read(fd)
        data = os.read(fd, 1 << 20)
        if not data:
            return
        *ends, rest = data.split(b"\n")
        for end in ends:
            # A job with a large body comes in many pieces: join them once.
            yield json.loads(b"".join([*pieces, end]))
            pieces.clear()
        pieces.append(rest)


def say(message: dict[str, Any]) -> None:
    """A message to the parent."""
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
