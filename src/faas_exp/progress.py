"""The live bar of ``faas-exp run``: what runs now, how many runs are left, when they will be done."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Self

PLAN = "faas.exp.experiment_plan"
RUN = "faas.exp.experiment_run"
FUNCTION = "faas.exp.openfaas_function"


class Progress:
    """Turns ansible-runner's events into a bar on a terminal, and into lines elsewhere.

    Args:
        log: file that gets Ansible's own output too.
    """

    def __init__(self, log: Path | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._console = Console(highlight=False, soft_wrap=True)
        self._bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            # Runs differ in length by orders of magnitude (warm-up waits, users): look back over many of them.
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.description}"),
            console=self._console,
            speed_estimate_period=3600,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._log_path = log
        self._log: IO[str] | None = None

    def __enter__(self) -> Self:
        if self._log_path:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self._log_path.open("a", encoding="utf-8")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        if self._log:
            self._log.close()

    def say(self, line: str) -> None:
        """One line above the bar."""
        self._console.print(line, markup=False)

    def event(self, event: dict[str, Any]) -> bool:
        """ansible-runner's event handler. Returns False: nothing of an event is kept on disk."""
        if self._log and event.get("stdout"):
            self._log.write(event["stdout"] + "\n")
        data = event.get("event_data") or {}
        kind, action, result = event.get("event"), data.get("task_action"), data.get("res") or {}
        if kind == "playbook_on_task_start" and action in (RUN, FUNCTION):
            self._bar.update(self._task, description=str(data.get("name") or data.get("task")))
        elif kind == "runner_on_ok":
            self._ok(str(action), str(data.get("task")), result)
        elif kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            self.say(f"FAILED {data.get('task')}: {result.get('msg') or kind}")
        return False

    def _ok(self, action: str, task: str, result: dict[str, Any]) -> None:
        if action == PLAN:
            for note in result.get("notes", []):
                self.say(f"note: {note}")
            left, total = result["runs_left"], result["runs_total"]
            if left == 0:
                self.say(f"All {total} runs are complete in {result['result_dir']}; nothing to do.")
            else:
                self.say(f"{left} of {total} runs to do; results in {result['result_dir']}")
            self._bar.update(self._task, total=left)
        elif action == RUN and "summary" in result:
            self.say(f"{task.removeprefix('Run ')}  {result['summary']}")
            self._bar.advance(self._task)
