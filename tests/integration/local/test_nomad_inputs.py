"""What Nomad can't be asked is said in one line, before a machine is made."""

from __future__ import annotations

import pytest
from locallab import Lab
from test_preflight import refusal

SUM = "0" * 64


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        (
            {"servers_count": 2},
            "inputs: servers_count: found 2, allowed: 1, 3 or 5 (a majority must be able to survive)",
        ),
        ({"faas_versions": "old"}, "inputs: faas_versions: found old, allowed: newest, thesis"),
        ({"nomad_version": "1.6"}, "inputs: nomad_version: found 1.6, allowed: 0.8.4, 1.0.0, "),
        ({"nomad_version": "1.6.99"}, "inputs: nomad_version: found 1.6.99, allowed: 0.8.4, 1.0.0, "),
        ({"nomad_version": "latest", "nomad_sha256": SUM}, "inputs: nomad_version: found latest with checksum 000"),
        ({"nomad_sha256": "abc"}, "inputs: nomad_version: found 1.6.4 with checksum abc, allowed: "),
        (
            {"nomad_version": "0.7.1", "nomad_sha256": SUM},
            "inputs: nomad_version: found 0.7.1, allowed: 0.8.4 or later",
        ),
        ({"consul_version": "1.99.0"}, "inputs: consul_version: found 1.99.0, allowed: 1.2.0, "),
        ({"consul_from": "brew"}, "inputs: consul_from: found brew, allowed: archive, package"),
    ],
)
def test_wrong_input(lab: Lab, inputs: dict[str, object], line: str) -> None:
    assert refusal(lab, orchestrator="nomad", **inputs).startswith(line)
