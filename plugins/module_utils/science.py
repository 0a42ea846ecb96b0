"""What every module of this collection that needs the Python package faas_exp does the same way."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import faas_exp  # noqa: F401
    from faas_exp.errors import FaasExpError

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

    class FaasExpError(Exception):  # type: ignore[no-redef]
        """Stand-in, so that modules can be parsed where the package is missing."""


GATEWAY_ARGUMENTS: dict[str, Any] = {
    "gateway_url": {"type": "str", "required": True},
    "gateway_user": {"type": "str", "default": "admin"},
    "gateway_password": {"type": "str", "no_log": True, "default": ""},
    "gateway_host": {"type": "str"},
}


def gateway_from(module: AnsibleModule) -> Any:
    """The client of the gateway that the module's parameters name."""
    from faas_exp.openfaas import OpenFaaS

    params = module.params
    return OpenFaaS(params["gateway_url"], params["gateway_user"], params["gateway_password"], params["gateway_host"])


def run_module(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """Do the work; an error that is the user's to mend becomes the module's message, one clear line."""
    if IMPORT_ERROR:
        module.fail_json(
            msg=missing_required_lib(
                "faas_exp", reason="(role bastion installs it; by hand: pip install faas-exp[all])"
            ),
            exception=IMPORT_ERROR,
        )
    try:
        result = work()
    except FaasExpError as error:
        module.fail_json(msg=str(error), error_type=type(error).__name__)
    module.exit_json(**result)
