"""Which experiments an edition of OpenFaaS is refused for."""

from __future__ import annotations

from typing import Any

import pytest

from faas_exp.capped import refuse_capped
from faas_exp.errors import PlatformError

COMMUNITY = {"provider": {"provider": "faas-netes-ce", "orchestration": "kubernetes"}}


def deployment(replicas: int | None = None, cold: str | None = None, **labels: str) -> dict[str, Any]:
    return {"replicas": replicas, "function": {"name": "hello", "labels": labels, "request": {"cold_start": cold}}}


def test_more_replicas_than_it_makes_are_refused_before_any_run() -> None:
    with pytest.raises(PlatformError) as caught:
        refuse_capped(COMMUNITY, [deployment(1), deployment(10), deployment(20), deployment(20)])
    assert "Community Edition (faas-netes-ce): 1 to 5 replicas" in str(caught.value)
    assert str(caught.value).count("hello up to 20") == 1


def test_zero_and_the_autoscalers_maximum_count_too() -> None:
    with pytest.raises(PlatformError, match="hello down to 0"):
        refuse_capped(COMMUNITY, [deployment(1, cold="forced")])
    with pytest.raises(PlatformError, match="hello up to 20"):
        refuse_capped(COMMUNITY, [deployment(None, **{"com.openfaas.scale.max": "20"})])


@pytest.mark.parametrize("info", [{}, {"provider": "faas-swarm"}, {"provider": {"provider": "faas-netes"}}])
def test_others_are_not(info: dict[str, Any]) -> None:
    refuse_capped(info, [deployment(20, cold="idle")])


def test_what_it_can_do_it_may() -> None:
    refuse_capped(COMMUNITY, [deployment(5), deployment(None, **{"com.openfaas.scale.max": "5"}), deployment(None)])
