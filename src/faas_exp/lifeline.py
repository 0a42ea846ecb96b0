"""Die with the command that started us.

A run is started by a chain of processes (the user's command, its workers, a shell). When somebody kills the head of
that chain with SIGKILL, nobody tells the tail, and a load generator without a reader would go on and disturb the next
try.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

_HEADS = ("ansible", "faas-exp")
_INTERVAL = 0.25


def _stat(pid: int) -> tuple[int, str] | None:
    """Parent and start time of a process, None when it is gone or dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])


def _chain() -> dict[int, str]:
    """The ancestors up to the topmost one that is ours: pid → start time (a recycled pid has another)."""
    chain: dict[int, str] = {}
    keep: dict[int, str] = {}
    pid = os.getppid()
    while pid > 1:
        found = _stat(pid)
        if found is None:
            break
        chain[pid] = found[1]
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        if any(head in command for head in _HEADS):
            keep = dict(chain)
        pid = found[0]
    return keep


def head() -> tuple[int, str] | None:
    """Pid and start time of the command that a user gave, seen from a module that runs on the same machine."""
    chain = _chain()
    return list(chain.items())[-1] if chain else None


def is_alive(pid: int, start: str) -> bool:
    """Whether that very process still runs (a recycled pid has another start time)."""
    return (_stat(pid) or (0, ""))[1] == start


def hold(children: list[int] | None = None) -> None:
    """Watch the chain from a thread; when it breaks, end this process group.

    Also watches standard output: over SSH the chain ends at the server, but a client that is gone closes the pipe.

    Args:
        children: pids of process groups to end first; the caller may change the list at any time.
    """
    chain = _chain()
    poll = select.poll()
    try:
        poll.register(1, 0)
    except (OSError, ValueError):
        poll = None  # type: ignore[assignment]

    def broken() -> bool:
        if not all(is_alive(pid, start) for pid, start in chain.items()):
            return True
        return poll is not None and any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(_INTERVAL):
            if broken():
                for group in children or []:
                    try:
                        os.killpg(group, signal.SIGKILL)
                    except OSError:
                        continue
                os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()
