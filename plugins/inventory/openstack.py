# Copyright the faas.exp authors
# Apache-2.0 (see LICENSE)
"""Inventory ``faas.exp.openstack``: the machines of this project's environments, from their own metadata."""

from __future__ import annotations

DOCUMENTATION = r"""
name: openstack
short_description: Machines of environments on OpenStack
version_added: 0.1.0
description:
  - Lists the servers that carry the metadata C(faas-exp:env), in the project of the credentials that
    M(faas.exp.openstack_environment) uses. Each becomes a host with C(private_ip), C(machine_name), C(machine_env),
    C(machine_groups), C(machine_status), C(machine_id) and C(ansible_host), the floating address where there is one.
  - Other servers are not taken in, nor are other clouds of clouds.yaml asked. That is how it differs from
    P(openstack.cloud.openstack#inventory), which takes all servers of all clouds.
author:
  - The faas.exp authors
requirements:
  - openstacksdk >= 4, <= 4.14
options:
  plugin:
    description: Marks a file as this plugin's.
    required: true
    choices: [faas.exp.openstack]
extends_documentation_fragment:
  - constructed
"""

EXAMPLES = r"""
plugin: faas.exp.openstack
use_extra_vars: true
keyed_groups:
  - key: machine_groups if machine_env == env_name | default('serverless-env') else []
    prefix: ""
    separator: ""
"""

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable


class InventoryModule(BaseInventoryPlugin, Constructable):
    """What Ansible asks for an inventory."""

    NAME = "faas.exp.openstack"

    def verify_file(self, path: str) -> bool:
        """Whether a file may be this plugin's: it says so by its name."""
        return bool(super().verify_file(path)) and path.endswith(("openstack.yml", "openstack.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the hosts."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        for name, variables in sorted(_hosts().items()):
            self.inventory.add_host(name)
            for key, value in variables.items():
                self.inventory.set_variable(name, key, value)
            strict = self.get_option("strict")
            self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def _hosts() -> dict[str, dict[str, Any]]:
    try:
        from faas_exp.errors import FaasExpError
        from faas_exp.openstack.hosts import hosts
        from faas_exp.openstack.session import connect
    except ImportError as error:
        raise AnsibleParserError(f"{error}. pip install 'faas-exp[control,openstack]'") from error
    try:
        return hosts(connect())
    except FaasExpError as error:
        raise AnsibleParserError(str(error)) from error
