"""Run the collection's playbook for an experiment and show how far it is.

Ansible does the work; ansible-runner tells what it is doing, event by event.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faas_exp.errors import FaasExpError
from faas_exp.progress import Progress

INTERRUPTED = 130


def collection_dir() -> Path:
    """The folder of the collection: around this package, around the working directory, or installed by Galaxy.

    Raises:
        FaasExpError: it is nowhere.
    """
    here = Path(__file__).resolve()
    installed = [Path(p).expanduser() / "ansible_collections/faas/exp" for p in _collection_paths()]
    for folder in (*here.parents, Path.cwd(), *Path.cwd().parents, *installed):
        described = (folder / "galaxy.yml").is_file() or (folder / "MANIFEST.json").is_file()
        if described and (folder / "playbooks" / "experiment.yml").is_file():
            return folder
    raise FaasExpError(
        "the collection faas.exp is not here; run this in its folder or `ansible-galaxy collection install` it"
    )


def _collection_paths() -> list[str]:
    text = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "~/.ansible/collections:/usr/share/ansible/collections")
    return [part for part in text.split(":") if part]


def shipped_functions() -> Path | None:
    """The collection's own functions, if the collection is here."""
    try:
        folder = collection_dir() / "experiments" / "functions"
    except FaasExpError:
        return None
    return folder if folder.is_dir() else None


def run_experiment(
    config_file: Path, *, inventory: Path | None = None, extra_vars: Sequence[str] = (), log: Path | None = None
) -> int:
    """Run ``playbooks/experiment.yml``.

    Returns:
        An exit code: 0 when everything was measured, 130 when the user stopped it.

    Raises:
        FaasExpError: ansible-runner or the collection is missing, or a variable is not KEY=VALUE.
    """
    try:
        import ansible_runner
    except ImportError:
        raise FaasExpError("faas-exp run needs ansible-runner: pip install 'faas-exp[control]'") from None
    folder = collection_dir()
    variables: dict[str, Any] = {"experiment": str(config_file.resolve()), "faas_base_dir": str(Path.cwd())}
    for item in extra_vars:
        key, equals, value = item.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise FaasExpError(f"-e {item}: must be KEY=VALUE")
        variables[key] = value
    if inventory is not None and not inventory.exists():
        raise FaasExpError(f"-i {inventory}: no such inventory")
    environment = {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        # The interpreter's own programs first: the environment need not be activated.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    with tempfile.TemporaryDirectory(prefix="faas-exp-") as scratch, Progress(log) as progress:
        outcome = ansible_runner.run(
            private_data_dir=scratch,
            project_dir=str(folder),
            playbook=str(folder / "playbooks" / "experiment.yml"),
            inventory=str((inventory or folder / "inventories" / "local").resolve()),
            extravars=variables,
            envvars=environment,
            event_handler=progress.event,
            quiet=True,
        )
    if outcome.status == "canceled":
        progress.say("Stopped. Complete runs are safe; the same command goes on.")
        return INTERRUPTED
    return 0 if outcome.rc == 0 else 1
