"""What kind of machine this is, for the record of a run."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import Any


def machine_facts() -> dict[str, Any]:
    """Host name, processors, memory (MB), kernel; what can't be known is left out."""
    facts: dict[str, Any] = {
        "hostname": socket.gethostname(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }
    try:
        facts["memory_mb"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                facts["cpu_model"] = line.partition(":")[2].strip()
                break
    except (OSError, ValueError):
        return facts
    return facts
