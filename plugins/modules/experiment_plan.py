#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: experiment_plan
short_description: Check an experiment file and lay out what is still to be run
version_added: 0.1.0
description:
  - Reads an experiment file, lays out its grid in order and compares it with the result tree. Runs that are complete
    with the same configuration are left out; a tree that holds runs of another configuration is refused.
  - Runs where the result tree is kept, usually the controller. Returns no secrets.
author:
  - The faas.exp authors
options:
  experiment:
    description: The experiment file.
    type: path
    required: true
  orchestrator:
    description: First folder of the result tree, for example V(swarm).
    type: str
    required: true
  base_dir:
    description: Folder that a relative result folder is below.
    type: path
    required: true
  result_dir:
    description: Result folder; wins over the file's. Left out in both, C(results/<name of the file>).
    type: path
  functions:
    description: Only these functions; empty means all.
    type: list
    elements: str
    default: []
  skip:
    description: Functions to leave out, with the reason.
    type: dict
    default: {}
  check_programs:
    description: Functions run as processes of this machine; leave out those whose runtime is missing.
    type: bool
    default: false
  shipped_functions:
    description: Folder of this collection's own functions, for files in the thesis's layout.
    type: path
  server:
    description: Gateway or load balancer, used when the file does not name one.
    type: str
  port:
    description: Its port, used when the file does not name one.
    type: int
  environment:
    description: What the inventory knows, for functions that ask for it, such as C(ftp_host) and C(gateway_endpoint).
    type: dict
    default: {}
  redo_void:
    description: Do runs again that were marked void.
    type: bool
    default: false
  claim:
    description:
      - The runs are going to be done now. Writes C(manifest.json), with the file as read and the order, beside them.
      - Fails when another command is doing runs for this orchestrator in the same tree.
    type: bool
    default: false
  replace:
    description: Move complete runs of another configuration aside instead of refusing.
    type: bool
    default: false
  load_generator_count:
    description: How many machines make the load; no more than the users of the largest case.
    type: int
    default: 1
attributes:
  check_mode:
    description: Moves nothing.
    support: full
"""

EXAMPLES = r"""
- name: What is to be done?
  faas.exp.experiment_plan:
    experiment: experiments/quick.yml
    orchestrator: swarm
    base_dir: "{{ playbook_dir }}/.."
  register: plan
"""

RETURN = r"""
deployments:
  description: What is to be done, in order. Each has a function, what it depends on, and runs.
  returned: always
  type: list
  elements: dict
result_dir:
  description: The result folder.
  returned: always
  type: str
server:
  description: Where the load goes to.
  returned: always
  type: str
port:
  description: And its port.
  returned: always
  type: int
runs_total:
  description: Runs of the whole grid.
  returned: always
  type: int
runs_left:
  description: Runs that are to be done.
  returned: always
  type: int
runs_void:
  description: Complete runs that are marked void.
  returned: always
  type: int
notes:
  description: One line each, for the user.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import hide_values, run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "experiment": {"type": "path", "required": True},
            "orchestrator": {"type": "str", "required": True},
            "base_dir": {"type": "path", "required": True},
            "result_dir": {"type": "path"},
            "functions": {"type": "list", "elements": "str", "default": []},
            "skip": {"type": "dict", "default": {}},
            "check_programs": {"type": "bool", "default": False},
            "shipped_functions": {"type": "path"},
            "server": {"type": "str"},
            "port": {"type": "int"},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "redo_void": {"type": "bool", "default": False},
            "replace": {"type": "bool", "default": False},
            "claim": {"type": "bool", "default": False},
            "load_generator_count": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> dict[str, Any]:
        from pathlib import Path

        from faas_exp.planning import deployments_as_dicts, prepare, result_root
        from faas_exp.results import claim, write_manifest

        # The secret ones among them are left out of the plan; the others must not be blotted out of it.
        inventory = hide_values(module, "environment")
        shipped = Path(params["shipped_functions"]) if params["shipped_functions"] else None
        prepared = prepare(
            params["experiment"],
            params["orchestrator"],
            result_root(params["experiment"], params["base_dir"], params["result_dir"]),
            only=params["functions"],
            skip=params["skip"],
            check_programs=params["check_programs"],
            shipped_functions=shipped,
            redo_void=params["redo_void"],
            replace=params["replace"],
            load_generators=params["load_generator_count"],
            inventory=inventory,
            dry_run=module.check_mode,
        )
        if params["claim"] and not module.check_mode and prepared.left:
            claim(prepared.root, params["orchestrator"])
            write_manifest(prepared.root, params["orchestrator"], prepared.manifest())
        settings = prepared.experiment.settings
        notes = list(prepared.notes)
        if prepared.moved_to:
            notes.append(f"{len(prepared.state.other)} runs of another configuration were moved to {prepared.moved_to}")
        return {
            "changed": prepared.moved_to is not None,
            "deployments": deployments_as_dicts(prepared, inventory),
            "result_dir": str(prepared.root),
            "server": settings.server or params["server"] or "gateway.openfaas.local",
            "port": settings.port or params["port"] or 80,
            "runs_total": prepared.total,
            "runs_left": prepared.left,
            "runs_void": len(prepared.state.void),
            "notes": notes,
        }

    run_module(module, work)


if __name__ == "__main__":
    main()
