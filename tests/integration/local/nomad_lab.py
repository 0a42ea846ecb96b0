"""A real Nomad for tests.

FAAS_FILES_REPO is an address that machines reach and that has ``nomad_<version>_linux_amd64.zip``; NOMAD_VERSION says
which version, NOMAD_SHA256 its checksum where it is not the published one.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.request
from typing import Any

import pytest
from locallab import Lab

from faas_exp.openfaas import OpenFaaS

NEEDS_NOMAD = pytest.mark.skipif(
    not os.environ.get("FAAS_FILES_REPO"), reason="NOT RUN: no real Nomad, since FAAS_FILES_REPO is not set"
)

REAL: dict[str, object] = {
    "orchestrator": "nomad",
    "faas_files_repo": os.environ.get("FAAS_FILES_REPO", ""),
    "nomad_version": os.environ.get("NOMAD_VERSION") or "1.6.4",
    "nomad_sha256": os.environ.get("NOMAD_SHA256", ""),
    "consul_from": "package",
}
"""What playbooks are given."""


class Nomad:
    """The first server of a lab, asked with the token that may do everything."""

    def __init__(self, lab: Lab) -> None:
        secrets = lab.base / ".faas" / lab.name / "secrets"
        self._url = f"https://{lab.address(21)}:4646"
        self._token = lab.secret("nomad-management-token")
        self._tls = ssl.create_default_context(cafile=secrets / "nomad-ca.crt")
        self._tls.load_cert_chain(secrets / "nomad-cli.crt", secrets / "nomad-cli.key")
        # The address is none of the certificate's names; which machine it is, is not the question here.
        self._tls.check_hostname = False

    def get(self, path: str) -> Any:
        """The document at a path."""
        request = urllib.request.Request(self._url + path, headers={"X-Nomad-Token": self._token})
        with urllib.request.urlopen(request, context=self._tls, timeout=20) as answer:
            return json.load(answer)

    def ready(self) -> set[str]:
        """Names of the clients that take replicas."""
        return {node["Name"] for node in self.get("/v1/nodes") if node["Status"] == "ready"}


def gateway(lab: Lab) -> OpenFaaS:
    """The gateways, through the load balancer."""
    return OpenFaaS(f"http://{lab.address(5)}", password=lab.secret("basic-auth-password"))


def image(lab: Lab, function: str) -> str:
    """A function's image in the lab's registry."""
    registry = f"{lab.address(4)}:5000"
    with urllib.request.urlopen(f"http://{registry}/v2/faas-exp/{function}/tags/list", timeout=20) as answer:
        return f"{registry}/faas-exp/{function}:{json.load(answer)['tags'][0]}"
