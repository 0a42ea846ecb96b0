#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: experiment_run
short_description: Do one run of an experiment's grid and write it into the result tree
version_added: 0.1.0
description:
  - Checks that the right number of replicas is up, sends the load with Locust, in warm and cold chunks where the
    function has them, and declares the run complete by renaming C(run.json) into place last.
  - A run that is complete with the same configuration is skipped. Failed requests are data; a run that could not take
    place is an error.
  - Ends itself and its load generator when the command that started it is gone.
author:
  - The faas.exp authors
options:
  run:
    description: One entry of C(runs) of M(faas.exp.experiment_plan).
    type: dict
    required: true
  request:
    description: C(function.request) of the same module's deployment.
    type: dict
    required: true
  headers:
    description: Request headers; values are never shown.
    type: dict
    default: {}
  image:
    description: Image of the function, for the record.
    type: str
  result_dir:
    description: Root of the result tree on the machine that makes the load.
    type: path
    required: true
  collect_to:
    description:
      - Root of the result tree on the controller. Given, the run is brought there when it has ended.
      - Left out, the tree at O(result_dir) is the only one.
    type: path
  archive:
    description: Set by the action plugin.
    type: bool
    default: false
  calibration:
    description: File with the load generator's calibration, for the record.
    type: path
  generators:
    description:
      - Machines that make the load together, this one first; see docs/load.md of the collection.
      - A run with fewer users than machines takes as many of them as it has users.
      - Left out, this machine makes the load alone.
    type: dict
    suboptions:
      names:
        description: Of the machines, the first this one's.
        type: list
        elements: str
        required: true
      bind:
        description: Address of this machine that the others reach.
        type: str
        required: true
      port:
        description: TCP port of Locust's master.
        type: int
        default: 5557
      key_file:
        description: File with their shared key.
        type: path
        required: true
  prometheus_url:
    description: Asked after the run for the machines' CPU and memory and the gateway's counts, kept as C(metrics.json).
    type: str
  gateway_version:
    description: For the record.
    type: str
extends_documentation_fragment:
  - faas.exp.gateway
attributes:
  check_mode:
    description: Says what would be run.
    support: full
"""

EXAMPLES = r"""
- name: Run {{ item.label }}
  faas.exp.experiment_run:
    gateway_url: http://gateway.openfaas.local
    gateway_password: "{{ openfaas_password }}"
    run: "{{ item }}"
    request: "{{ deployment.function.request }}"
    result_dir: results/quick
  loop: "{{ deployment.runs }}"
"""

RETURN = r"""
summary:
  description: The run in one line.
  returned: always
  type: str
  sample: 300 requests, 0 failed, median 2.1 ms, 640 requests/s
void:
  description: Whether the load generator judged itself too slow.
  returned: always
  type: bool
path:
  description: Folder of the run, on the controller with O(collect_to).
  returned: always
  type: str
run_path:
  description: The same, relative to the root of the tree.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import (
    GATEWAY_ARGUMENTS,
    gateway_from,
    hide_values,
    run_module,
    summarize_stats,
)


def summarize(record: dict[str, Any]) -> str:
    """One line on a run, for people."""
    if record["skipped"]:
        return str(record.get("reason") or "complete already")
    parts = {name: summarize_stats(stats) for name, stats in record["stats"].items()}
    return " | ".join(f"{name}: {text}" if name else text for name, text in parts.items())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GATEWAY_ARGUMENTS,
            "run": {"type": "dict", "required": True},
            "request": {"type": "dict", "required": True},
            "headers": {"type": "dict", "default": {}, "no_log": True},
            "image": {"type": "str"},
            "result_dir": {"type": "path", "required": True},
            "collect_to": {"type": "path"},
            "archive": {"type": "bool", "default": False},
            "calibration": {"type": "path"},
            "generators": {
                "type": "dict",
                "options": {
                    "names": {"type": "list", "elements": "str", "required": True},
                    "bind": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 5557},
                    "key_file": {"type": "path", "required": True, "no_log": False},
                },
            },
            "prometheus_url": {"type": "str"},
            "gateway_version": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> dict[str, Any]:
        from pathlib import Path

        from faas_exp.grid import run_from_dict
        from faas_exp.lifeline import hold
        from faas_exp.load import Fleet
        from faas_exp.results import archive_run
        from faas_exp.runner import RunSettings, execute_run
        from faas_exp.schema import StoppingRule

        run, request = run_from_dict(params["run"]["run"]), dict(params["request"])
        root = Path(params["result_dir"])
        if module.check_mode:
            return {
                "changed": True,
                "summary": f"would run {run.label}",
                "void": False,
                "path": str(root / run.path),
                "run_path": str(run.path),
            }
        param = request.pop("param", None)
        rule = request.pop("stopping_rule", None)
        generators = params["generators"]
        if generators is not None:
            names, key_file = tuple(generators.pop("names")), Path(generators.pop("key_file"))
            generators = Fleet(names=names, key_file=key_file, **generators).limited_to(run.users)
        settings = RunSettings(
            **request,
            stopping_rule=StoppingRule(**rule) if rule else None,
            param=(param[0], param[1]) if param else None,
            headers=hide_values(module, "headers"),
            http_host=params["gateway_host"],
            delay=float(params["run"]["delay"]),
            redo=bool(params["run"]["redo"]),
            order=int(params["run"]["order"]),
            calibration=Path(params["calibration"]) if params["calibration"] else None,
            gateway_version=params["gateway_version"],
            image=params["image"],
            prometheus_url=params["prometheus_url"],
            generators=generators,
        )
        hold()
        record = execute_run(run, settings, gateway_from(module), root)
        result = {
            "changed": not record["skipped"],
            "summary": summarize(record),
            "void": record["void"],
            "path": str(root / run.path),
            "run_path": str(run.path),
        }
        if params["archive"] and "config_hash" in record:
            result["archive"] = str(archive_run(root, run))
        return result

    run_module(module, work)


if __name__ == "__main__":
    main()
