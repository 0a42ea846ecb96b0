"""What the modules for AWS need on the machine that they run on."""

from __future__ import annotations

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import boto3  # noqa: F401

    BOTO3_ERROR: str | None = None
except ImportError:
    BOTO3_ERROR = traceback.format_exc()


def need_boto3(module: AnsibleModule) -> None:
    """Say what is missing and how to get it, instead of a traceback."""
    if BOTO3_ERROR:
        module.fail_json(msg=missing_required_lib("boto3", reason="(pip install faas-exp[aws])"), exception=BOTO3_ERROR)
