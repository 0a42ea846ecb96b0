"""Run Kubespray on the controller; only from there can it be shown how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"choices": ["planned", "present"], "default": "present"},
    "masters": {"type": "list", "elements": "dict", "required": True},
    "workers": {"type": "list", "elements": "dict", "required": True},
    "login": {"type": "dict", "default": {}},
    "kube_version": {"default": ""},
    "network_plugin": {"default": "calico"},
    "proxy_mode": {"default": "iptables"},
    "plain_registries": {"type": "list", "elements": "str", "default": []},
    "files_repo": {"default": ""},
    "registry_host": {"default": ""},
    "variables": {"type": "dict", "default": {}},
    "directory": {"default": ""},
    "repository": {"required": True},
    "tag": {"required": True},
    "cache": {"type": "path", "required": True},
    "python": {"type": "path", "required": True},
    "log": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """See the module of this name."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        try:
            from faas_exp.errors import FaasExpError
            from faas_exp.kubespray import environment, plan
            from faas_exp.kubespray.run import run
        except ImportError as error:
            raise AnsibleActionFail(f"the controller needs faas_exp: pip install faas-exp[all] ({error})") from error
        try:
            wish = plan.Wish(
                masters=[plan.Machine(**one) for one in given["masters"]],
                workers=[plan.Machine(**one) for one in given["workers"]],
                version=given["kube_version"],
                network_plugin=given["network_plugin"],
                proxy_mode=given["proxy_mode"],
                plain_registries=given["plain_registries"],
                files_repo=given["files_repo"],
                registry_host=given["registry_host"],
                more=given["variables"],
            )
            hosts = plan.inventory(wish, given["login"])
            source = (given["directory"], given["repository"], given["tag"])
            result["fingerprint"] = plan.fingerprint(wish, environment.revision(*source))
            result["changed"] = given["state"] == "present"
            if given["state"] == "planned" or self._task.check_mode:
                return result
            cache = Path(given["cache"])
            folder = environment.checkout(*source, cache)
            programs = environment.environment(folder, cache, given["python"])
            course = run(folder, programs, hosts, Path(given["log"]), Display().display)
        except FaasExpError as error:
            raise AnsibleActionFail(str(error)) from error
        result["summary"] = course.summary()
        result["log"] = given["log"]
        return result
