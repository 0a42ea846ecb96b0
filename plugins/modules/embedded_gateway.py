#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: embedded_gateway
short_description: Start or stop the embedded serverless platform
version_added: 0.1.0
description:
  - The portable gateway with provider C(process) as a background process of this machine. Replicas of functions are
    processes too. It needs no root, no Docker and no cloud.
author:
  - The faas.exp authors
options:
  state:
    description: V(started) also waits until it answers.
    type: str
    choices: [started, stopped]
    default: started
  state_dir:
    description: Folder with its password, log, pid and deployments.
    type: path
    required: true
  functions_dir:
    description: Folder with one folder per function.
    type: path
  host:
    description: Address to listen on.
    type: str
    default: 127.0.0.1
  port:
    description: Port to listen on.
    type: int
    default: 8080
requirements:
  - faas-exp (this collection's Python package) in the interpreter that runs the module
attributes:
  check_mode:
    description: Says whether it would start or stop.
    support: full
"""

EXAMPLES = r"""
- name: The embedded platform
  faas.exp.embedded_gateway:
    state_dir: .faas/embedded
    functions_dir: experiments/functions
"""

RETURN = r"""
url:
  description: Where it answers.
  returned: when started
  type: str
pid:
  description: Its process.
  returned: when started
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "state_dir": {"type": "path", "required": True},
            "functions_dir": {"type": "path"},
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 8080},
        },
        required_if=[("state", "started", ("functions_dir",))],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> dict[str, Any]:
        from pathlib import Path

        from faas_exp.gateway import daemon

        state_dir = Path(params["state_dir"]).resolve()
        if params["state"] == "stopped":
            running = daemon.status(state_dir).running
            if running and not module.check_mode:
                daemon.stop(state_dir)
            return {"changed": running}
        if module.check_mode:
            return {"changed": not daemon.status(state_dir).running}
        functions = Path(params["functions_dir"]).resolve()
        info = daemon.start(state_dir, params["port"], functions, host=params["host"])
        return {"changed": info.changed, "url": info.url, "pid": info.pid}

    run_module(module, work)


if __name__ == "__main__":
    main()
