#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_environment
short_description: Network and machines of one environment on AWS
version_added: 0.1.0
description:
  - Makes a VPC with a public and a private subnet, internet gateway, NAT gateway, routes, key pair, security groups and
    machines, or deletes all of it. The bastion has the only public address.
  - There is no state file. What belongs to an environment carries the tag C(faas-exp:env); nothing else is touched. A
    run that is interrupted is completed by the next one.
  - Inputs are compared with what AWS offers before the first resource is made.
  - Credentials come from the environment, a profile or an SSO session, as boto3 finds them, and are never returned.
author:
  - The faas.exp authors
options:
  availability_zone:
    description: Zone of subnets and machines. Its region is used when neither environment nor profile name one.
    type: str
    default: us-east-1b
  vpc_cidr:
    description: Network of the VPC.
    type: str
    default: 10.0.0.0/16
  public_subnet_cidr:
    description: Network of the bastion and the NAT gateway, a /24 or larger.
    type: str
    default: 10.0.1.0/24
  private_subnet_cidr:
    description: Network of all other machines, a /24 or larger.
    type: str
    default: 10.0.2.0/24
  instance_type:
    description: Type of the machines, where O(sizes) does not say another.
    type: str
    default: t3a.large
  volume_size:
    description: Size of the root volumes in GB, where O(sizes) does not say another.
    type: int
    default: 15
  sizes:
    description: By inventory group, C(instance_type) and C(volume_size) where they differ.
    type: dict
    default: {}
  image_id:
    description: Image of all machines; empty takes the newest of O(image_owner) whose name fits O(image_name).
    type: str
    default: ""
  image_owner:
    description: Account that publishes the image. The default is Debian's.
    type: str
    default: "136693071363"
  image_name:
    description: Pattern of the image's name; C({arch}) stands for C(amd64) or C(arm64), as the machine's type needs it.
    type: str
    default: debian-12-{arch}-*
  placement:
    description:
      - Machines of one role on different racks, by spread placement groups of at most seven machines each.
      - V(soft) where AWS has racks enough, V(strict) or the run fails, V(none) as it comes.
    type: str
    choices: [soft, strict, none]
    default: soft
  ssh_user:
    description: Login of the machines.
    type: str
    default: admin
extends_documentation_fragment: [faas.exp.environment]
attributes:
  check_mode:
    description: Says what would be made or deleted, and what it would cost. Makes nothing.
    support: full
"""

EXAMPLES = r"""
- name: A swarm of one manager and two workers
  faas.exp.aws_environment:
    env_name: trial
    state_dir: "{{ playbook_dir }}/.faas/trial"
    counts:
      manager_count: 1
      worker_count: 2
    public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"

- name: All of it is deleted
  faas.exp.aws_environment:
    env_name: trial
    state_dir: "{{ playbook_dir }}/.faas/trial"
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be, one line each.
  returned: always
  type: list
  elements: str
cost:
  description: What the environment costs, in words, from the dated list of the collection.
  returned: when state is present
  type: str
cost_items:
  description: The same in its parts, dollars per hour.
  returned: when state is present
  type: list
  elements: str
region:
  description: The region.
  returned: always
  type: str
network:
  description: Ids of the network's parts; C((planned)) for what a check did not make.
  returned: when state is present
  type: dict
public_ip:
  description: The bastion's public address.
  returned: when state is present
  type: str
machines:
  description: Each machine's name, role, groups, address, id and public host key.
  returned: when state is present
  type: list
  elements: dict
unpinned:
  description: Public host keys, by address, which C(known_hosts) in O(state_dir) does not hold yet.
  returned: when state is present
  type: dict
created:
  description: Machines that are new, by their names in the inventory (C(<env_name>-<machine>)).
  returned: when state is present
  type: list
  elements: str
surplus:
  description: Machines of this cluster that are no longer asked for, named likewise. They are left alone.
  returned: when state is present
  type: list
  elements: str
notes:
  description: Where a machine differs from the inputs in what can't be changed while it lives.
  returned: when state is present
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.aws import need_boto3
from ansible_collections.faas.exp.plugins.module_utils.environment import (
    ENVIRONMENT_ARGUMENTS,
    inputs_from,
    made_result,
)
from ansible_collections.faas.exp.plugins.module_utils.science import run_module

ARGUMENTS: dict[str, Any] = {
    **ENVIRONMENT_ARGUMENTS,
    "availability_zone": {"type": "str", "default": "us-east-1b"},
    "vpc_cidr": {"type": "str", "default": "10.0.0.0/16"},
    "public_subnet_cidr": {"type": "str", "default": "10.0.1.0/24"},
    "private_subnet_cidr": {"type": "str", "default": "10.0.2.0/24"},
    "instance_type": {"type": "str", "default": "t3a.large"},
    "volume_size": {"type": "int", "default": 15},
    "sizes": {"type": "dict", "default": {}},
    "image_id": {"type": "str", "default": ""},
    "image_owner": {"type": "str", "default": "136693071363"},
    "image_name": {"type": "str", "default": "debian-12-{arch}-*"},
    "placement": {"type": "str", "choices": ["soft", "strict", "none"], "default": "soft"},
    "ssh_user": {"type": "str", "default": "admin"},
}


def present(module: AnsibleModule) -> dict[str, Any]:
    """Make what is missing."""
    from pathlib import Path

    from faas_exp.aws.environment import ensure
    from faas_exp.aws.inputs import Inputs
    from faas_exp.aws.prices import cost_of_wish
    from faas_exp.aws.session import connect
    from faas_exp.aws.spec import Image
    from faas_exp.caller import caller_network

    params = module.params
    # Credentials first: whoever has none learns nothing from the rest.
    cloud = connect(zone=params["availability_zone"])
    taken_over = (
        "availability_zone", "vpc_cidr", "public_subnet_cidr", "private_subnet_cidr", "instance_type", "volume_size",
        "sizes", "placement",
    )  # fmt: skip
    wish = Inputs(
        image=Image(params["image_id"], params["image_owner"], params["image_name"]),
        **inputs_from(module, lambda: caller_network(params["own_address_url"])),
        **{key: params[key] for key in taken_over},
    ).wish()
    made = ensure(cloud, wish, Path(params["state_dir"]), check=module.check_mode)
    cost = cost_of_wish(wish, cloud.region)
    return {**made_result(module, made, cloud.region), "cost": str(cost), "cost_items": cost.lines}


def absent(module: AnsibleModule) -> dict[str, Any]:
    """Delete everything, or some machines."""
    from pathlib import Path

    from faas_exp.aws.home import same_home
    from faas_exp.aws.ledger import Ledger
    from faas_exp.aws.session import connect
    from faas_exp.aws.spec import check_env
    from faas_exp.aws.teardown import remove_machines, teardown

    params = module.params
    cloud = connect(zone=params["availability_zone"])
    env = params["env_name"]
    check_env(env)
    same_home(cloud, env, Path(params["state_dir"]))
    ledger = Ledger(cloud, env, module.check_mode)
    if params["only"] is None:
        teardown(ledger, params["timeout"])
    else:
        remove_machines(ledger, params["only"], params["timeout"])
    return {"changed": bool(ledger.changes), "changes": ledger.changes, "region": cloud.region}


def main() -> None:
    """Read the parameters, do it, say what was done."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    need_boto3(module)
    run_module(module, lambda: present(module) if module.params["state"] == "present" else absent(module))


if __name__ == "__main__":
    main()
