"""One environment on a real Kubernetes, for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from k8s_site import EXPERIMENT, K8sSite
from locallab import ROOT, run


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[K8sSite]:
    """Made once. A test that breaks it heals it again.

    ``KEEP_SITE=FOLDER`` leaves it for the next call, whoever writes tests will want that.
    """
    done = run("tools/lab", "start")
    assert done.returncode == 0, done.stdout
    kept = os.environ.get("KEEP_SITE", "")
    base = Path(kept) if kept else tmp_path_factory.mktemp("site")
    # Images and wheels that were made before serve here too.
    (ROOT / ".cache").mkdir(exist_ok=True)
    if not (base / ".cache").exists():
        (base / ".cache").symlink_to(ROOT / ".cache")
    inputs = {
        "orchestrator": "k8s",
        "kubernetes_installer": "existing",
        "kubeconfig": f"{base}/.faas/pytest-k8s/test-kubeconfig",
    }
    one = K8sSite("pytest-k8s", "198.18.69.0/24", base, inputs)
    try:
        if not (kept and one.given.exists()):
            one.make_cluster()
        one.play("site")
        yield one
    finally:
        if one.names() and not kept:
            assert "0 remain" in one.play("teardown", confirm="yes")
    assert kept or one.names() == []


@pytest.fixture(scope="session")
def runs(site: K8sSite) -> dict[Path, dict[str, Any]]:
    """quick.yml, measured on Kubernetes."""
    site.play("experiment", experiment=EXPERIMENT)
    return site.quick_runs("k8s")
