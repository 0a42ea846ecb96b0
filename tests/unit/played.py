"""One playbook of a test's own, played on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def played(folder: Path, given: dict[str, Any] | None = None) -> None:
    """Plays ``play.yml`` on the machines of ``hosts.yml``, both in ``folder``.

    Args:
        given: extra variables.

    Raises:
        AssertionError: with all that was said, if it failed.
    """
    program, inventory, play = BIN / "ansible-playbook", folder / "hosts.yml", folder / "play.yml"
    done = subprocess.run(
        [str(program), "-i", str(inventory), str(play), "-e", json.dumps(given or {})],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
