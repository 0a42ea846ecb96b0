"""SSH host keys, made here and given to each machine as it is born.

Whoever connects first then knows what to expect: nothing is accepted blindly. The public half is also a tag of the
machine (on OpenStack in its metadata), so that another controller learns it from the cloud itself.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faas_exp.errors import FaasExpError


class HostKeyError(FaasExpError):
    """A key could not be made."""


def unpinned(machines: Iterable[Mapping[str, Any]], known_hosts: Path) -> dict[str, str]:
    """Host keys that the file does not hold yet, by address.

    Args:
        machines: each with ``address`` and ``host_key`` (empty: not known).
        known_hosts: OpenSSH's file; may be missing.
    """
    text = known_hosts.read_text(encoding="utf-8") if known_hosts.is_file() else ""
    lines = set(text.splitlines())
    return {
        one["address"]: one["host_key"]
        for one in machines
        if one["host_key"] and f"{one['address']} {one['host_key']}" not in lines
    }


@dataclass(frozen=True)
class HostKey:
    """One machine's key: OpenSSH's private format, and ``type base64`` of the public half."""

    private: str = field(repr=False)
    public: str


def host_key(folder: Path, machine: str) -> HostKey:
    """The key of a machine, made when there is none.

    Raises:
        HostKeyError: ``ssh-keygen`` is missing or fails.
    """
    path = folder / machine
    if not path.is_file():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Renamed into place: a half-written key would be taken for a whole one.
        draft = folder / f".{machine}.new"
        for leftover in (draft, draft.with_name(f"{draft.name}.pub")):
            leftover.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", machine, "-f", str(draft)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise HostKeyError("ssh-keygen: not found. Install OpenSSH's client") from None
        except subprocess.CalledProcessError as error:
            raise HostKeyError(f"ssh-keygen: {error.stderr.strip() or error.stdout.strip()}") from None
        draft.with_name(f"{draft.name}.pub").rename(folder / f"{machine}.pub")
        draft.rename(path)
    public = path.with_name(f"{machine}.pub").read_text(encoding="utf-8").split()
    return HostKey(path.read_text(encoding="utf-8"), " ".join(public[:2]))
