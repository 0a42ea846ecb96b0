"""Where a gateway finds Nomad."""

from __future__ import annotations

import pytest

from faas_exp.errors import ConfigError
from faas_exp.gateway.providers.nomad.settings import Agent, NomadSettings

FILES = {"nomad_ca": "/a", "nomad_certificate": "/b", "nomad_key": "/c"}


def test_agents_in_their_order() -> None:
    text = "https://127.0.0.1:4646=client.global.nomad, https://10.0.0.1:4646=server.global.nomad"
    settings = NomadSettings.from_environment({"nomad_addresses": text, **FILES})
    assert settings.nomad_addresses == (
        Agent("https://127.0.0.1:4646", "client.global.nomad"),
        Agent("https://10.0.0.1:4646", "server.global.nomad"),
    )
    assert settings.nomad_services == "consul"


def test_a_development_agent_needs_no_certificates() -> None:
    settings = NomadSettings.from_environment({"nomad_addresses": "http://127.0.0.1:4646"})
    assert settings.nomad_addresses == (Agent("http://127.0.0.1:4646"),)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"nomad_addresses": ""}, "nomad_addresses"),
        ({"nomad_addresses": "127.0.0.1:4646"}, "nomad_addresses"),
        ({"nomad_addresses": "https://127.0.0.1:4646"}, "nomad_addresses"),
        ({"nomad_addresses": "http://127.0.0.1:4646=name"}, "nomad_addresses"),
        ({"nomad_addresses": "http://127.0.0.1:99999"}, "nomad_addresses"),
        ({"nomad_addresses": "https://127.0.0.1:4646=n", "nomad_ca": ""}, "nomad_ca"),
        ({"nomad_services": "etcd"}, "nomad_services"),
        ({"nomad_secrets": "../x y"}, "nomad_secrets"),
        ({"nomad_cpu": "0"}, "nomad_cpu"),
        ({"nomad_memory": "128Mi"}, "nomad_memory"),
        ({"nomad_gateway_port": "70000"}, "nomad_gateway_port"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        NomadSettings.from_environment({"nomad_addresses": "http://127.0.0.1:4646", **FILES, **more})
    assert key in str(refused.value)
    assert "allowed" in str(refused.value)
