"""An environment of the local cloud for each test, and an engine to make it on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from locallab import Lab, run


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
