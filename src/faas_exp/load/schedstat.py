"""How long this process was ready to run but had no processor, as the Linux scheduler counts it."""

from __future__ import annotations

from pathlib import Path


def waited_ns() -> int:
    """Nanoseconds on a run queue since the process started, 0 where the kernel does not tell.

    Source: second field of ``/proc/<pid>/schedstat``, of the main thread: the one that makes the load.
    """
    try:
        return int(Path("/proc/self/schedstat").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
