"""The key that the load generators of an experiment share."""

from __future__ import annotations

from pathlib import Path

from zmq.utils import z85

from faas_exp.errors import LoadError


def read_key(file: Path) -> bytes:
    """The secret key as ZeroMQ writes keys (Z85).

    Raises:
        LoadError: no such file, or something else in it.
    """
    try:
        raw = bytes.fromhex(Path(file).read_text(encoding="ascii").strip())
    except OSError as error:
        raise LoadError(f"{file}: the load generators' key can't be read: {error.strerror}") from None
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise LoadError(f"{file}: found something else, allowed: the load generators' key, 64 hexadecimal digits")
    return bytes(z85.encode(raw))
