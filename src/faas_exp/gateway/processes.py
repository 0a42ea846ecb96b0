"""Facts about processes from /proc: who is who, in spite of recycled pids; who holds a port; who belongs to us."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

# By this variable replicas, and what they started, are known for those of a gateway's state folder.
MARK = "FAAS_EXP_STATE_DIR"

_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """A pid together with its start time (clock ticks since boot) and the boot: together they never come again."""

    pid: int
    start: int
    boot: str

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return identify(self.pid) == self


def identify(pid: int) -> ProcessId | None:
    """The identity of a running process, None when there is none."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else ProcessId(pid, int(fields[19]), boot)


def send(process: ProcessId, signum: signal.Signals) -> bool:
    """Sends a signal to this very process; False when it is gone.

    The handle is opened before the identity is checked, so that the pid can't be recycled in between.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not process.alive():
            return False
        signal.pidfd_send_signal(handle, signum)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def replicas_of(state_dir: Path) -> list[ProcessId]:
    """Replicas of the gateway of a state folder, and the processes that they started."""
    entry = f"{MARK}={state_dir}".encode()
    found: list[ProcessId] = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if entry in environment.split(b"\0"):
            identity = identify(int(folder.name))
            if identity is not None:
                found.append(identity)
    return found


def listener(port: int) -> str:
    """Who listens on a TCP port: ``"nginx (pid 12)"``, or ``""`` when that can't be known."""
    inodes: set[str] = set()
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (_PROC / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return ""
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            descriptors = list((folder / "fd").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                if str(descriptor.readlink()) in inodes:
                    name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                    return f"{name} (pid {folder.name})"
            except OSError:
                continue
    return ""
