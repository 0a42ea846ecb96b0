"""An environment of the local cloud for each test or for all of them, and an engine to make it on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from locallab import ROOT, Lab, run
from site_lab import Site


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """A Docker daemon that answers."""
    done = run("tools/lab", "start")
    assert done.returncode == 0, done.stdout


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An environment that is gone afterwards, whatever the test left of it."""
    one = Lab("pytest-local", "198.18.250.0/24", tmp_path)
    yield one
    if one.names():
        one.play("teardown", confirm=True)
    assert one.names() == []


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole environment, made once. A test that breaks it heals it again.

    ``KEEP_SITE=FOLDER`` leaves it for the next call, whoever writes tests will want that.
    """
    kept = os.environ.get("KEEP_SITE", "")
    base = Path(kept) if kept else tmp_path_factory.mktemp("site")
    # Images and wheels that were made before serve here too.
    (ROOT / ".cache").mkdir(exist_ok=True)
    if not (base / ".cache").exists():
        (base / ".cache").symlink_to(ROOT / ".cache")
    functions = ["nodefunction", "ftpfunction", "warmfunction"]
    one = Site("pytest-site", "198.18.249.0/24", base, {"functions_names": functions})
    try:
        one.play("site")
        yield one
    finally:
        if one.names() and not kept:
            one.play("teardown", confirm=True)
    assert kept or one.names() == []
