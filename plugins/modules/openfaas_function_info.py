#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: openfaas_function_info
short_description: What an OpenFaaS platform runs
version_added: 0.1.0
description:
  - Lists the functions of a platform, or describes one, with the replicas wanted and up.
author:
  - The faas.exp authors
options:
  name:
    description: Only this function; left out, all.
    type: str
  deployments:
    description:
      - What is to be asked of the platform, as M(faas.exp.experiment_plan) returns it.
      - An edition of OpenFaaS that is known to make fewer replicas than that is refused.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - faas.exp.gateway
attributes:
  check_mode:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Which functions are there?
  faas.exp.openfaas_function_info:
    gateway_url: http://gateway.openfaas.local
    gateway_password: "{{ openfaas_password }}"
  register: platform

- name: Show them
  ansible.builtin.debug:
    msg: "{{ platform.functions | map(attribute='name') }}"
"""

RETURN = r"""
functions:
  description: One entry per function; empty when O(name) is not there.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the function.
      type: str
    image:
      description: Image that it runs.
      type: str
    replicas:
      description: Replicas wanted.
      type: int
    available:
      description: Replicas up.
      type: int
    labels:
      description: Labels of the function.
      type: dict
    annotations:
      description: Annotations of the function.
      type: dict
    invocations:
      description: How often it was called, as far as the platform counts.
      type: int
platform:
  description: What C(/system/info) says.
  returned: always
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import (
    GATEWAY_ARGUMENTS,
    gateway_from,
    run_module,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GATEWAY_ARGUMENTS,
            "name": {"type": "str"},
            "deployments": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        from dataclasses import asdict

        from faas_exp.capped import refuse_capped

        gateway = gateway_from(module)
        platform = gateway.check()
        refuse_capped(platform, module.params["deployments"])
        names = [s.name for s in gateway.list()]
        if module.params["name"]:
            names = [name for name in names if name == module.params["name"]]
        # One by one: only the single call counts the replicas that are up.
        found = [asdict(status) for status in map(gateway.get, names) if status is not None]
        for entry in found:
            # Values of the environment may be secrets, and most platforms do not tell them anyway.
            entry.pop("environment")
        return {"changed": False, "functions": found, "platform": platform}

    run_module(module, work)


if __name__ == "__main__":
    main()
