#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_environment
short_description: Network and machines of one environment on OpenStack
version_added: 0.1.0
description:
  - Makes a network with a subnet and a router, key pair, security groups, server groups, ports and machines, or deletes
    all of it. The bastion has the only floating address.
  - There is no state file. What belongs to an environment carries the mark C(faas-exp:env), given in the very call that
    makes it; nothing else is touched. A run that is interrupted is completed by the next one.
  - Inputs and quotas are compared with what OpenStack offers before the first resource is made.
  - Credentials come from the environment (an RC file) or clouds.yaml, as openstacksdk finds them. They are never
    returned.
author:
  - The faas.exp authors
requirements:
  - openstacksdk >= 4, <= 4.14
options:
  external_network:
    description: Name or id of the network that floating addresses come from. Required with O(state=present).
    type: str
    default: ""
  subnet_cidr:
    description: Network of the machines, a /24 or larger.
    type: str
    default: 192.168.0.0/24
  dns_nameservers:
    description: Name servers of the machines.
    type: list
    elements: str
    default: [8.8.8.8, 8.8.4.4]
  image:
    description: Name or id of the machines' image. Required with O(state=present).
    type: str
    default: ""
  flavor:
    description:
      - Name or id of the machines' flavor, where O(flavors) does not say another. Required with O(state=present).
    type: str
    default: ""
  flavors:
    description: By inventory group, flavors that differ.
    type: dict
    default: {}
  availability_zone:
    description: Zone of the machines; empty leaves it to the cloud.
    type: str
    default: ""
  placement:
    description:
      - Keep machines of one role on different hypervisors, V(soft) where that is possible, V(strict) always, V(none)
        not at all.
    type: str
    choices: [soft, strict, none]
    default: soft
  config_drive:
    description: Give machines their first settings on a drive, for clouds without a metadata service.
    type: bool
    default: false
  ssh_user:
    description: Login of the machines.
    type: str
    default: debian
extends_documentation_fragment: [faas.exp.environment]
attributes:
  check_mode:
    description: Says what would be made or deleted. Makes nothing.
    support: full
"""

EXAMPLES = r"""
- name: A swarm of one manager and two workers
  faas.exp.openstack_environment:
    env_name: trial
    state_dir: "{{ playbook_dir }}/.faas/trial"
    counts:
      manager_count: 1
      worker_count: 2
    external_network: public
    image: debian-12
    flavor: m1.large
    public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"

- name: All of it is deleted
  faas.exp.openstack_environment:
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
size:
  description: How many machines, cores and how much memory the environment has, in words.
  returned: when state is present
  type: str
region:
  description: The region; empty where the cloud has but one.
  returned: always
  type: str
network:
  description: Ids of the network's parts; C((planned)) for what a check did not make.
  returned: when state is present
  type: dict
public_ip:
  description: The bastion's floating address.
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
  description: Where something differs from the inputs in what can't be changed while it lives.
  returned: when state is present
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.environment import (
    ENVIRONMENT_ARGUMENTS,
    inputs_from,
    made_result,
)
from ansible_collections.faas.exp.plugins.module_utils.openstack import run_openstack_module

ARGUMENTS: dict[str, Any] = {
    **ENVIRONMENT_ARGUMENTS,
    "external_network": {"type": "str", "default": ""},
    "subnet_cidr": {"type": "str", "default": "192.168.0.0/24"},
    "dns_nameservers": {"type": "list", "elements": "str", "default": ["8.8.8.8", "8.8.4.4"]},
    "image": {"type": "str", "default": ""},
    "flavor": {"type": "str", "default": ""},
    "flavors": {"type": "dict", "default": {}},
    "availability_zone": {"type": "str", "default": ""},
    "placement": {"type": "str", "choices": ["soft", "strict", "none"], "default": "soft"},
    "config_drive": {"type": "bool", "default": False},
    "ssh_user": {"type": "str", "default": "debian"},
}


def present(module: AnsibleModule) -> dict[str, Any]:
    """Make what is missing."""
    from pathlib import Path

    from faas_exp.openstack.caller import caller_network
    from faas_exp.openstack.environment import ensure
    from faas_exp.openstack.inputs import Inputs
    from faas_exp.openstack.session import connect

    params = module.params
    # Credentials first: whoever has none learns nothing from the rest.
    cloud = connect()
    taken_over = ("external_network", "subnet_cidr", "image", "flavor", "flavors", "placement", "config_drive")
    wish = Inputs(
        dns_nameservers=tuple(params["dns_nameservers"]),
        zone=params["availability_zone"],
        **inputs_from(module, lambda: caller_network(cloud.auth_url, params["own_address_url"])),
        **{key: params[key] for key in taken_over},
    ).wish()
    made = ensure(cloud, wish, Path(params["state_dir"]), check=module.check_mode)
    # As the inventory names them, and as they are to be left.
    return {**made_result(module, made, cloud.region), "created": [wish.name(name) for name in made.created]}


def absent(module: AnsibleModule) -> dict[str, Any]:
    """Delete everything, or some machines."""
    from pathlib import Path

    from faas_exp.openstack.home import same_home
    from faas_exp.openstack.ledger import Ledger
    from faas_exp.openstack.lock import only_run
    from faas_exp.openstack.session import connect
    from faas_exp.openstack.spec import check_env
    from faas_exp.openstack.teardown import remove_machines, teardown

    params = module.params
    cloud = connect()
    env, folder = params["env_name"], Path(params["state_dir"])
    check_env(env)
    same_home(cloud, env, folder)
    ledger = Ledger(cloud, env, module.check_mode)
    with only_run(folder, params["timeout"]):
        if params["only"] is None:
            teardown(ledger, params["timeout"])
        else:
            remove_machines(ledger, params["only"], params["timeout"])
    return {"changed": bool(ledger.changes), "changes": ledger.changes, "region": cloud.region}


def main() -> None:
    """Read the parameters, do it, say what was done."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    run_openstack_module(module, lambda: present(module) if module.params["state"] == "present" else absent(module))


if __name__ == "__main__":
    main()
