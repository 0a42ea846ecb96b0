#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: load_calibration
short_description: Measure the load generator of a machine, once
version_added: 0.1.0
description:
  - Finds how many requests per second one process of the load generator makes at most on this machine, and the smallest
    response time it can see, against a local server that does nothing.
  - Measures again when the machine or a version has changed.
author:
  - The faas.exp authors
options:
  path:
    description: File that keeps the result.
    type: path
    required: true
  seconds:
    description: How long each of the two measurements lasts.
    type: float
    default: 1.0
requirements:
  - faas-exp (this collection's Python package) in the interpreter that runs the module
attributes:
  check_mode:
    description: Says whether it would measure.
    support: full
"""

EXAMPLES = r"""
- name: Calibrate the load generator
  faas.exp.load_calibration:
    path: results/quick/calibration.json
"""

RETURN = r"""
calibration:
  description: What was measured.
  returned: when known
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "seconds": {"type": "float", "default": 1.0}},
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        from pathlib import Path

        from faas_exp.errors import FaasExpError
        from faas_exp.load import calibrate, read_calibration

        path = Path(module.params["path"])

        def known() -> dict[str, Any] | None:
            try:
                return read_calibration(path).to_dict()
            except FaasExpError:
                return None

        before = known()
        if module.check_mode:
            return {"changed": before is None, "calibration": before}
        after = calibrate(seconds=module.params["seconds"], cache=path).to_dict()
        return {"changed": before != after, "calibration": after}

    run_module(module, work)


if __name__ == "__main__":
    main()
