"""moto once per session, behind a proxy that is as strict as EC2; everything forgotten before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from awschild import IN_HASTE
from awslab import Lab, credentials
from ec2rules import Rules
from ec2server import moto, reset
from strictec2 import StrictEc2

from faas_exp.clouds import patience

Servers = tuple[str, StrictEc2, Any]


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """In this process as in its children."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "time", IN_HASTE)
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with moto(tmp_path_factory.mktemp("moto") / "log") as address:
        inspector = boto3.client(
            "ec2",
            region_name="us-east-1",
            endpoint_url=address,
            aws_access_key_id="inspector",
            aws_secret_access_key="inspector",
        )
        with StrictEc2(address, Rules(inspector)).running() as strict:
            yield address, strict, inspector


def empty_lab(servers: Servers, base: Path, patch: pytest.MonkeyPatch) -> Lab:
    """An environment with nothing in it, and the credentials for it."""
    address, strict, inspector = servers
    reset(address)
    strict.reset()
    for key, value in credentials(strict.address).items():
        patch.setenv(key, value)
    for key in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        patch.delenv(key, raising=False)
    return Lab(base, strict, inspector)


@pytest.fixture
def lab(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """An environment of the test's own."""
    return empty_lab(servers, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def standing(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One that is there already, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        one = empty_lab(servers, tmp_path_factory.mktemp("standing"), patch)
        one.made = one.ensure()
        yield one


@pytest.fixture(scope="session")
def whole(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What an environment looks like that was made without any trouble."""
    with pytest.MonkeyPatch.context() as patch:
        one = empty_lab(servers, tmp_path_factory.mktemp("whole"), patch)
        one.ensure()
        return one.shape()
