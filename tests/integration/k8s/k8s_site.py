"""A whole environment on a Kubernetes that somebody else has made: what a user with a kubeconfig has."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "local"))

from locallab import ROOT
from site_lab import Site

EXPERIMENT = str(ROOT / "experiments" / "quick.yml")
RUNS = 45
"""What that file asks for, on every orchestrator."""

# By its place beside the playbooks that users have.
INSTALLER = "../tests/integration/k8s/cluster"


@dataclass(frozen=True)
class K8sSite(Site):
    """A lab with a platform on Kubernetes."""

    orchestrator: str = "k8s"
    machines: str = "k8s"
    first_worker: int = 179
    backend_port: int = 80

    @property
    def given(self) -> Path:
        """The kubeconfig that the cluster's maker hands over."""
        return self.base / ".faas" / self.name / "test-kubeconfig"

    def make_cluster(self) -> None:
        """What somebody else has done: machines, and Kubernetes on them."""
        # Before there is a cluster, there is none to be named.
        self.play("provision", INSTALLER, kubernetes_installer="kubespray")

    def quick_runs(self, orchestrator: str) -> dict[Path, dict[str, Any]]:
        """What each complete run of :data:`EXPERIMENT` says of itself, by its folder."""
        tree = self.base / "results" / "quick" / orchestrator
        return {file.parent: json.loads(file.read_text()) for file in tree.rglob("run.json")}

    def kubectl(self, *arguments: str) -> str:
        """Output of kubectl, with the rights of the cluster's maker."""
        words = " ".join(f"'{word}'" for word in arguments)
        return self.ssh("k8s-master-1", f"sudo kubectl --kubeconfig=/etc/kubernetes/admin.conf {words}")

    def objects(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        text = self.kubectl("get", kind, f"--namespace={namespace}", "--output=json")
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found
