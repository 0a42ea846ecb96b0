"""Filters that read an experiment file on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

_ADVICE = "faas.exp needs its Python package here: pip install faas-exp[all]"


def function_secrets(
    path: str, name: str, inventory: Mapping[str, str] | None = None, shipped_functions: str | None = None
) -> dict[str, dict[str, str]]:
    """What of a function must not be shown: secret environment variables and request headers.

    Kept out of the plan, so that no registered variable holds it; give the result straight to a module's no_log option.
    """
    try:
        from pathlib import Path

        from faas_exp.config import load_experiment
        from faas_exp.errors import FaasExpError
        from faas_exp.planning import environment_of
    except ImportError as error:
        raise AnsibleFilterError(
            f"faas.exp needs its Python package here: pip install faas-exp[all] ({error})"
        ) from error
    try:
        experiment = load_experiment(path, shipped_functions=Path(shipped_functions) if shipped_functions else None)
        _, secret = environment_of(experiment, name, inventory)
        return {"environment": secret, "headers": dict(experiment.function(name).api.headers)}
    except FaasExpError as error:
        raise AnsibleFilterError(str(error)) from error


def result_dir(path: str, base_dir: str, override: str | None = None) -> str:
    """The result folder of an experiment file."""
    try:
        from faas_exp.errors import FaasExpError
        from faas_exp.planning import result_root
    except ImportError as error:
        raise AnsibleFilterError(f"{_ADVICE} ({error})") from error
    try:
        return str(result_root(path, base_dir, override))
    except FaasExpError as error:
        raise AnsibleFilterError(str(error)) from error


def shipped_functions(path: str, base_dir: str, shipped: str) -> list[str]:
    """Which of this collection's own functions an experiment file uses: their images are built from their folders."""
    from pathlib import Path

    try:
        from faas_exp.config import load_experiment
        from faas_exp.errors import FaasExpError
        from faas_exp.planning import code_folders
    except ImportError as error:
        raise AnsibleFilterError(f"{_ADVICE} ({error})") from error
    folder = Path(shipped).resolve()
    file = next((f for f in (Path(base_dir, path), folder.parents[1] / path) if f.is_file()), Path(path))
    try:
        folders = code_folders(load_experiment(file, shipped_functions=folder))
    except FaasExpError as error:
        raise AnsibleFilterError(str(error)) from error
    return sorted(name for name, code in folders.items() if code.resolve().parent == folder)


class FilterModule:
    """Entry point for Ansible."""

    def filters(self) -> dict[str, Any]:
        return {
            "function_secrets": function_secrets,
            "result_dir": result_dir,
            "shipped_functions": shipped_functions,
        }
