"""Basic auth of ``/system/…``: made once, kept in two files, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from faas_exp.errors import PlatformError

USER_FILE = "basic-auth-user"
PASSWORD_FILE = "basic-auth-password"  # noqa: S105 - the file's name


@dataclass(frozen=True)
class Credentials:
    """Who may manage functions."""

    user: str
    password: str = field(repr=False)

    def match(self, authorization: bytes | None) -> bool:
        """Whether an Authorization header holds them."""
        if authorization is None:
            return False
        scheme, _, encoded = authorization.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.user}:{self.password}".encode())


def ensure(directory: Path) -> Credentials:
    """Reads the two files, and makes what is missing: user ``admin``, a random password; mode 0600.

    Raises:
        PlatformError: the folder or a file can't be read or written, or is empty.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Credentials(
            _read_or_make(directory / USER_FILE, "admin"),
            _read_or_make(directory / PASSWORD_FILE, secrets.token_urlsafe(24)),
        )
    except OSError as error:
        raise PlatformError(f"{directory}: the gateway's credentials can't be kept here: {error.strerror}") from error


def _read_or_make(path: Path, value: str) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value)
        try:
            # A link fails where a rename would replace what another process made meanwhile.
            path.hardlink_to(temporary)
        except FileExistsError:
            return _read_or_make(path, value)
        finally:
            temporary.unlink()
        return value
    if not found:
        raise PlatformError(f"{path}: found nothing, allowed: one line; remove the file to have a new one made")
    return found
