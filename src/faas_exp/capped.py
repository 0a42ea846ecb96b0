"""Editions of OpenFaaS that can't do what an experiment asks for, told by the name that their provider gives itself.

They answer 202 to a number of replicas and make fewer, so without this an experiment would measure its small cases and
fail at the large ones; what they did make would be compared with platforms that have no such limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from faas_exp.errors import PlatformError
from faas_exp.openfaas import provider_name

MOST_REPLICAS = {"faas-netes-ce": 5}
"""By provider. Community Edition: ``MaxReplicas`` in faas-netes, pkg/handlers/replica_reader.go; it refuses 0 too."""

_MAXIMUM = "com.openfaas.scale.max"


def refuse_capped(info: Mapping[str, Any], deployments: Iterable[Mapping[str, Any]]) -> None:
    """Nothing may be run on a platform that would cut some of it short.

    Args:
        info: what ``/system/info`` says.
        deployments: see ``planning.deployments_as_dicts``.

    Raises:
        PlatformError: with the edition, its limit and what was asked for.
    """
    provider = provider_name(info)
    most = MOST_REPLICAS.get(provider)
    if most is None:
        return
    beyond = []
    for deployment in deployments:
        function = deployment["function"]
        wanted = deployment["replicas"] or _number(function["labels"].get(_MAXIMUM))
        if wanted > most:
            beyond.append(f"{function['name']} up to {wanted}")
        if function["request"]["cold_start"]:
            beyond.append(f"{function['name']} down to 0")
    if beyond:
        raise PlatformError(
            f"the platform is OpenFaaS Community Edition ({provider}): 1 to {most} replicas of a function, whatever it "
            f"is asked for. Nothing was run, since this experiment asks for more: {', '.join(dict.fromkeys(beyond))}. "
            "docs/openfaas.md names versions without that limit"
        )


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdigit() else 0
