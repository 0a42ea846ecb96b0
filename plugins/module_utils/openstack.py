"""What the modules for OpenStack do the same way."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.faas.exp.plugins.module_utils.science import run_module


def run_openstack_module(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """Do the work, where the SDK is there to do it with."""
    if importlib.util.find_spec("openstack") is None:
        module.fail_json(msg=missing_required_lib("openstacksdk", reason="(pip install 'faas-exp[control,openstack]')"))
    run_module(module, work)
