#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_environment_info
short_description: What environments have at AWS, how old it is and what it costs
version_added: 0.1.0
description:
  - Lists everything that carries the tag C(faas-exp:env), by environment and region.
author:
  - The faas.exp authors
options:
  availability_zone:
    description: Its region is used when neither O(regions) nor environment nor profile name one.
    type: str
    default: us-east-1b
  regions:
    description: Regions to look into; V(all) stands for every region that is open to the account. Empty is one region.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [faas.exp.environment.info]
attributes:
  check_mode:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: What did earlier runs leave?
  faas.exp.aws_environment_info:
    regions: [all]
  register: left

- name: Show it
  ansible.builtin.debug:
    msg: "{{ left.environments | map(attribute='summary') }}"
"""

RETURN = r"""
environments:
  description: One for each environment and region.
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
    cost_per_hour:
      description: List price in US dollars.
      type: float
    cost_so_far:
      description: Age times price.
      type: float
    summary:
      description: All of it in one line.
      type: str
    resources:
      description: What there is, as kind, name, id and state.
      type: list
      elements: dict
regions:
  description: The regions that were looked into.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.aws import need_boto3
from ansible_collections.faas.exp.plugins.module_utils.environment import INFO_ARGUMENTS, leftover_result
from ansible_collections.faas.exp.plugins.module_utils.science import run_module


def look(module: AnsibleModule) -> dict[str, Any]:
    """List what there is."""
    from pathlib import Path

    from faas_exp.aws.home import same_home
    from faas_exp.aws.orphans import leftovers, regions
    from faas_exp.aws.session import connect

    params = module.params
    named = [one for one in params["regions"] if one != "all"]
    cloud = connect(zone=params["availability_zone"], region=named[0] if named else "")
    env = params["env_name"]
    if env and params["state_dir"]:
        same_home(cloud, env, Path(params["state_dir"]))
    names = regions(cloud) if "all" in params["regions"] else named or [cloud.region]
    environments = [
        {
            **leftover_result(one),
            "cost_per_hour": one.cost.per_hour,
            "cost_so_far": one.spent,
            "resources": [
                {"kind": thing.kind, "name": thing.name, "id": thing.id, "state": thing.state}
                for thing in one.resources
            ],
        }
        for one in leftovers(cloud, names)
        if not env or one.env == env
    ]
    return {"changed": False, "environments": environments, "regions": names}


def main() -> None:
    """Read the parameters, look, return."""
    module = AnsibleModule(
        {
            **INFO_ARGUMENTS,
            "availability_zone": {"type": "str", "default": "us-east-1b"},
            "regions": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    need_boto3(module)
    run_module(module, lambda: look(module))


if __name__ == "__main__":
    main()
