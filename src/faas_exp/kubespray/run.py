"""One run of Kubespray through ansible-runner: how far it is, its log, and what failed."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from faas_exp.errors import PlatformError
from faas_exp.kubespray.environment import PLAYBOOK

SAY_EVERY = 10.0
"""Seconds between two words on how far it is."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_SOME_ITEM = "One or more items failed"
_KEPT = ("HOME", "LANG", "LC_ALL", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy")


class Course:
    """How far a run is, from Ansible's events.

    Args:
        log: takes what Ansible prints.
        say: called now and then with one line.
    """

    def __init__(self, log: TextIO, say: Callable[[str], None]) -> None:
        self._log = log
        self._say = say
        self._said = 0.0
        self._began = time.monotonic()
        self.tasks = 0
        self.task = ""
        self.failures: list[str] = []
        # Of a loop, what its last item that failed said: the loop itself only says that one did.
        self._item: dict[str, Any] = {}

    def event(self, event: Mapping[str, Any]) -> bool:
        """Takes one event; ansible-runner need not keep it."""
        text = _COLOURS.sub("", str(event.get("stdout") or ""))
        if text:
            self._log.write(text.strip("\r\n") + "\n")
            self._log.flush()
        data = event.get("event_data") or {}
        match event.get("event"):
            case "playbook_on_task_start" | "playbook_on_handler_task_start":
                self.tasks += 1
                self.task = str(data.get("name") or data.get("task") or "")
                self._tell()
            case "runner_item_on_failed":
                self._item = dict(data.get("res") or {})
            case "runner_on_failed" if not data.get("ignore_errors"):
                if (data.get("res") or {}).get("msg") == _SOME_ITEM and self._item.get("msg"):
                    data = {**data, "res": self._item}
                self.failures.append(_failure(data))
            case "runner_on_unreachable":
                self.failures.append(_failure(data))
        return False

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._said >= SAY_EVERY:
            self._said = now
            self._say(f"Kubespray: {self.tasks} tasks in {_minutes(now - self._began)}, now {self.task}")

    def summary(self) -> str:
        """One line on the whole."""
        return f"{self.tasks} tasks in {_minutes(time.monotonic() - self._began)}"


def run(
    folder: Path, programs: Path, inventory: Mapping[str, Any], log_file: Path, say: Callable[[str], None]
) -> Course:
    """Runs Kubespray's cluster playbook to its end.

    Args:
        folder: Kubespray's.
        programs: of the environment that it asks for.
        inventory: see ``plan.inventory``.
        log_file: written anew, for its owner only: Kubespray prints more than it should.

    Raises:
        PlatformError: it failed, with the name of the task and what it said.
    """
    import ansible_runner

    log_file.parent.mkdir(parents=True, exist_ok=True)
    opener = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opener, "w") as log, tempfile.TemporaryDirectory(prefix="faas-exp-kubespray-") as scratch:
        hosts = Path(scratch) / "hosts.yml"
        # JSON is YAML too, and takes the kinds of text that Ansible hands on, which YAML's own writer refuses.
        hosts.write_text(json.dumps(dict(inventory), indent=2))
        hosts.chmod(0o600)
        course = Course(log, say)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        outcome = ansible_runner.run(
            private_data_dir=scratch,
            project_dir=str(folder),
            playbook=str(folder / PLAYBOOK),
            inventory=str(hosts),
            envvars={
                **kept,
                "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
                "VIRTUAL_ENV": str(programs.parent),
                "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
                # Ours would lead it to other versions of its collections and roles.
                "ANSIBLE_COLLECTIONS_PATH": str(Path(scratch) / "collections"),
                "ANSIBLE_ROLES_PATH": str(folder / "roles"),
                "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(Path(scratch) / "facts"),
                "ANSIBLE_LOCAL_TEMP": str(Path(scratch) / "tmp"),
            },
            event_handler=course.event,
            quiet=True,
        )
    if outcome.status != "successful":
        why = course.failures[-1] if course.failures else f"it ended with {outcome.status} after {course.tasks} tasks"
        raise PlatformError(f"Kubespray failed: {why} (log: {log_file}; the same command goes on where it can)")
    return course


def _failure(data: Mapping[str, Any]) -> str:
    result = data.get("res") or {}
    text = str(result.get("msg") or result.get("stderr") or result.get("censored") or "no reason given")
    if result.get("stderr") and text == "non-zero return code":
        text = str(result["stderr"])
    line = " ".join(text.split())[:400]
    return f"task {data.get('task', '?')!r} on {data.get('host', '?')}: {line}"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
