"""Do a run where the module runs, then bring its folder to the controller's tree, whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Handles ``collect_to``; everything else is the module's."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        collect_to = arguments.pop("collect_to", None)
        arguments["archive"] = collect_to is not None
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        archive = result.pop("archive", None)
        if not collect_to or not archive or result.get("failed"):
            return result
        try:
            from faas_exp.errors import FaasExpError
            from faas_exp.results import adopt_run
        except ImportError as error:
            raise AnsibleActionFail(f"the controller needs faas_exp: pip install faas-exp[all] ({error})") from error
        with tempfile.TemporaryDirectory(prefix="faas-exp-") as folder:
            local = Path(folder, "run.tar.gz")
            self._connection.fetch_file(archive, str(local))
            try:
                adopt_run(Path(collect_to), Path(result["run_path"]), local)
            except FaasExpError as error:
                raise AnsibleActionFail(str(error)) from error
        result["path"] = str(Path(collect_to, result["run_path"]))
        return result
