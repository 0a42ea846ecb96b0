"""schemathesis against a live gateway: every answer is documented, none is a 500, no bad input gets through."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
import schemathesis
from gateway_tools import RunningGateway, running_gateway
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from faas_exp.gateway.app import openapi

schema = schemathesis.openapi.from_file(openapi().decode())
generously = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway"), ready_timeout="2s", write_timeout="5s") as running:
        running.deploy("existing")
        yield running


def check(case: schemathesis.Case, gateway: RunningGateway, *excluded: object) -> None:
    token = base64.b64encode(f"admin:{gateway.password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"} if case.path.startswith("/system") else {}
    # A well-formed deployment may still name an image that does not exist.
    excluded = (*excluded, positive_data_acceptance)
    if case.path.startswith("/function/"):
        # Methods are the function's business, those of tomorrow's RFCs too.
        excluded = (*excluded, unsupported_method)
    case.call_and_validate(base_url=gateway.info.url, headers=headers, excluded_checks=excluded)


@schema.parametrize()
@generously
def test_documented(case: schemathesis.Case, gateway: RunningGateway) -> None:
    check(case, gateway)


@schema.include(path_regex=r"\{name\}").parametrize()
@generously
def test_documented_for_a_function_that_exists(case: schemathesis.Case, gateway: RunningGateway) -> None:
    case.path_parameters = {"name": "existing"}
    if isinstance(case.body, dict) and case.body.get("replicas") in range(3, 1001):
        case.body["replicas"] = 2
    # What was bad about the name is not any more.
    check(case, gateway, negative_data_rejection)


def test_nothing_went_wrong_inside(gateway: RunningGateway) -> None:
    assert '"level": "error"' not in gateway.log
    assert "Traceback" not in gateway.log
