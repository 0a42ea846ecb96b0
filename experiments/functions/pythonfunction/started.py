"""When this process began. The interpreter and what wraps it take their time, so the kernel knows better than we do."""

import os
import time

# No process takes this long to get here: then the two clocks are not of one machine (some containers replace /proc).
IMPLAUSIBLE_S = 60.0


def unix_seconds():
    """Unix time in seconds, to a hundredth; the present where /proc does not tell."""
    now = time.time()
    try:
        with open("/proc/self/stat", "rb") as stat:  # noqa: PTH123 (pathlib would cost a third of the start)
            # The name in parentheses may hold spaces; what follows it is fields 3, 4, ... and the start is field 22.
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return now
    return now - age if 0 <= age < IMPLAUSIBLE_S else now
