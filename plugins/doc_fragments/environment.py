"""Documentation of the options of an environment that mean the same on every cloud."""

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by the modules that make an environment, and (``INFO``) by those that look for one."""

    DOCUMENTATION = r"""
options:
  env_name:
    description: Name of the environment.
    type: str
    required: true
  state:
    description: V(present) makes what is missing, V(absent) deletes everything, or O(only) these machines.
    type: str
    choices: [present, absent]
    default: present
  state_dir:
    description: Folder of the environment on this machine; host keys are kept in it.
    type: path
    required: true
  only:
    description: With O(state=absent), delete these machines alone, by their names (V(<env_name>-<machine>)).
    type: list
    elements: str
  orchestrator:
    description: Whose cluster to make. Those that are there already stay as they are.
    type: str
    choices: [swarm, nomad, k8s]
    default: swarm
  counts:
    description: How many machines, under the names of the inputs (C(manager_count), C(worker_count) and so on).
    type: dict
    default: {}
  cluster_name:
    description: First part of the cluster machines' names; empty takes the orchestrator's usual one.
    type: str
    default: ""
  services:
    description: Machines besides the cluster.
    type: list
    elements: str
    default: [bastion, haproxy, ftp]
  public_key:
    description: The login's public key, one line. May be empty in check mode.
    type: str
    default: ""
  admin_cidr:
    description:
      - Networks from which the bastion's SSH may be reached.
      - Empty is the address of this machine. Where it can't be seen from here, O(own_address_url) tells it.
    type: list
    elements: str
    default: []
  own_address_url:
    description: Answers with the caller's IPv4 address in plain text.
    type: str
    default: https://checkip.amazonaws.com
  ports:
    description: Ports that differ from the usual ones (C(gateway), C(prometheus), C(registry), C(haproxy) and so on).
    type: dict
    default: {}
  timeout:
    description: Seconds for machines, and gateways where there are any, to be there, or gone.
    type: int
    default: 600
"""

    INFO = r"""
options:
  env_name:
    description: Only this environment; left out, all.
    type: str
  state_dir:
    description:
      - Folder of the environment O(env_name) on this machine. Given, the module fails when the environment was made
        elsewhere (another cloud, region, account or project).
    type: path
"""
