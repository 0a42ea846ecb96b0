"""One run at a time for an environment: one whose Ansible was killed may still be at work, and two would make twice."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faas_exp.openstack.errors import OpenStackError


@contextmanager
def only_run(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the environment's lock, which the system lets go when the process ends, however it ends.

    Raises:
        OpenStackError: another run holds it for longer than ``seconds``.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with (folder / "lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise OpenStackError(f"another run is at work on this environment ({folder / 'lock'})") from None
                time.sleep(0.5)
        yield
