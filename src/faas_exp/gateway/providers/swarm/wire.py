"""What agent and gateways say to each other: one JSON object per line over TLS.

A gateway sends ``{"id": 1, "call": "scale", "with": {…}}`` and gets ``{"id": 1, "ok": …}`` or
``{"id": 1, "error": kind, "text": …}``. In between the agent sends what it sees, unasked: ``{"view": {…}}``, whole each
time, since that is a few kilobytes and nothing then depends on what was said before.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faas_exp.gateway.model import InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, ProviderError
from faas_exp.gateway.providers.cluster.deployed import Deployed

LINE_LIMIT = 64 * 1024**2
"""Bytes of the longest line; a view of a thousand functions with long environments fits."""

ERRORS: dict[str, type[Exception]] = {
    "invalid": InvalidFunctionError,
    "exists": FunctionExistsError,
    "not_found": FunctionNotFoundError,
    "failed": ProviderError,
}
"""Names of errors on the wire."""


@dataclass(frozen=True)
class View:
    """Everything at one moment.

    Attributes:
        functions: by name.
        gateways: running gateways, task id to address on the overlay network.
    """

    functions: dict[str, Deployed] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the wire."""
        return {
            "functions": [deployed.to_json() for deployed in self.functions.values()],
            "gateways": self.gateways,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> View:
        """The reverse of ``to_json``.

        Raises:
            KeyError, TypeError: not what ``to_json`` wrote.
        """
        functions = [Deployed.from_json(item) for item in data["functions"]]
        return cls({deployed.spec.name: deployed for deployed in functions}, dict(data["gateways"]))


def encode(message: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def error_message(error: Exception) -> dict[str, Any]:
    """The error's name and text."""
    kind = next((name for name, sort in ERRORS.items() if type(error) is sort), "failed")
    return {"error": kind, "text": str(error)}


def raise_error(answer: dict[str, Any]) -> None:
    """Raises what the other side's error stands for."""
    raise ERRORS.get(answer["error"], ProviderError)(answer.get("text", ""))


def tls_context(certificate: Path, key: Path, server: bool) -> ssl.SSLContext:
    """Both sides show the same certificate and accept no other: whoever holds its key belongs here.

    Raises:
        ProviderError: the files can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The certificate itself is what is trusted, so there is no name to compare.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(certificate)
    except (OSError, ssl.SSLError) as error:
        raise ProviderError(f"{certificate}, {key}: no certificate with its key: {error}") from error
    return context
