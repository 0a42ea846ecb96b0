"""Serve the function. The time comes first, so that the replica's start is as near to the process's as it can be."""

import time

STARTED = time.time()

from server import run  # noqa: E402

run(STARTED)
