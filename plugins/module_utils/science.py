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


def hide_values(module: AnsibleModule, option: str) -> dict[str, str]:
    """The values of a dict option, which from now on are in nothing that the module returns by itself.

    no_log alone would do harm: it blots out the values wherever they occur in a result, and a value such as 1 would
    take every 1 out of the statistics. So the values leave the echo of the arguments, and the list of what to blot out.
    """
    values = {name: str(value) for name, value in module.params[option].items()}
    module.no_log_values.difference_update(module.params[option].values(), values.values())
    module.params[option] = dict.fromkeys(values, "********")
    return values


def summarize_stats(stats: dict[str, Any]) -> str:
    """One line on a run or a chunk of it, for people."""
    text = f"{stats['count']} requests, {stats['errors']} failed"
    if stats["elapsed_ms"]["p50"] is not None:
        text += f", median {stats['elapsed_ms']['p50']:.2f} ms, {stats['throughput']:.0f} requests/s"
    return f"{text}, VOID: {'; '.join(stats['void_reasons'])}" if stats["void"] else text


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
