#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_environment_info
short_description: What environments have at OpenStack, and how old it is
version_added: 0.1.0
description:
  - Lists everything in the project that carries the mark C(faas-exp:env), by environment.
author:
  - The faas.exp authors
requirements:
  - openstacksdk >= 4, <= 4.14
extends_documentation_fragment: [faas.exp.environment.info]
attributes:
  check_mode:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: What did earlier runs leave?
  faas.exp.openstack_environment_info:
  register: left

- name: Show it
  ansible.builtin.debug:
    msg: "{{ left.environments | map(attribute='summary') }}"
"""

RETURN = r"""
environments:
  description: One for each environment.
  returned: always
  type: list
  elements: dict
  contains:
    env_name:
      description: Name of the environment.
      type: str
    region:
      description: Where it is.
      type: str
    created:
      description: When its oldest thing was made, ISO 8601; empty where nothing tells.
      type: str
    age_hours:
      description: Its age; null where nothing tells.
      type: float
    summary:
      description: All of it in one line.
      type: str
    resources:
      description: What there is, as kind, name and id.
      type: list
      elements: dict
region:
  description: The region that was looked into.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.environment import INFO_ARGUMENTS, leftover_result
from ansible_collections.faas.exp.plugins.module_utils.openstack import run_openstack_module


def look(module: AnsibleModule) -> dict[str, Any]:
    """List what there is."""
    from pathlib import Path

    from faas_exp.openstack.home import same_home
    from faas_exp.openstack.orphans import leftovers
    from faas_exp.openstack.session import connect

    env = module.params["env_name"]
    cloud = connect()
    if env and module.params["state_dir"]:
        same_home(cloud, env, Path(module.params["state_dir"]))
    environments = [leftover_result(one) for one in leftovers(cloud, env)]
    return {"changed": False, "environments": environments, "region": cloud.region}


def main() -> None:
    """Read the parameters, look, return."""
    module = AnsibleModule(INFO_ARGUMENTS, supports_check_mode=True)
    run_openstack_module(module, lambda: look(module))


if __name__ == "__main__":
    main()
