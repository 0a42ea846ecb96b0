"""What a cloud refuses, whichever it is."""

from __future__ import annotations

from faas_exp.errors import FaasExpError


class CloudError(FaasExpError):
    """A cloud refused, or an input can't be had there. One clear line."""


class CloudInputError(CloudError):
    """An input is wrong, found out before anything was made."""

    def __init__(self, key: str, found: object, allowed: str) -> None:
        super().__init__(f"inputs: {key}: found {found!r}, allowed: {allowed}")
