"""Where a gateway finds Nomad, and how it asks for replicas, from environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faas_exp.errors import ConfigError

_ADDRESS = re.compile(r"(https?)://([^\s:,=/]+):(\d{1,5})(?:=(\S+))?\Z")
_STORE = re.compile(r"[\w.-]+(/[\w.-]+)*\Z", re.ASCII)
_CHECKS = ("consul", "nomad", "none")


@dataclass(frozen=True)
class Agent:
    """An agent of Nomad.

    Attributes:
        url: ``https://host:port``.
        name: what its certificate must be called; None for http.
    """

    url: str
    name: str | None = None


@dataclass(frozen=True)
class NomadSettings:
    """Each field is read from the environment variable of its name.

    Attributes:
        nomad_addresses: agents, the nearest first: ``https://host:port=name-in-certificate``, separated by commas.
        nomad_ca, nomad_certificate, nomad_key: files in PEM format; needed for https.
        nomad_token_file: holds the ACL token; None where Nomad asks for none.
        nomad_datacenter: where functions run.
        nomad_gateway_address: address of the client that this gateway runs on, "" when it is none.
        nomad_gateway_port: where the gateways reach each other.
        nomad_services: who is told of replicas and checks them: consul, nomad (from 1.4 on) or none.
        nomad_secrets: key in Consul's store below which functions' secrets are; "" when there are none.
        nomad_cpu: MHz reserved for a replica that does not say what it needs.
        nomad_memory: MB, likewise.
        nomad_memory_limit: MB that such a replica may take (Nomad 0.8 knows no limit beside the reservation).
        nomad_core: MHz that one core of a function's limits stands for.
    """

    nomad_addresses: tuple[Agent, ...]
    nomad_ca: Path | None = None
    nomad_certificate: Path | None = None
    nomad_key: Path | None = None
    nomad_token_file: Path | None = None
    nomad_datacenter: str = "dc1"
    nomad_gateway_address: str = ""
    nomad_gateway_port: int = 8080
    nomad_services: str = "consul"
    nomad_secrets: str = ""
    nomad_cpu: int = 100
    nomad_memory: int = 128
    nomad_memory_limit: int = 2048
    nomad_core: int = 1000

    @classmethod
    def from_environment(cls, source: Mapping[str, str]) -> NomadSettings:
        """Reads the variables.

        Raises:
            ConfigError: one is missing or can't be understood.
        """
        agents = _agents(source.get("nomad_addresses", ""))
        secure = any(agent.name for agent in agents)
        files: dict[str, Path | None] = {}
        for name in ("nomad_ca", "nomad_certificate", "nomad_key"):
            if secure and not source.get(name):
                raise ConfigError("environment", name, "nothing", "a file in PEM format")
            files[name] = Path(source[name]) if source.get(name) else None
        services = source.get("nomad_services", "") or "consul"
        if services not in _CHECKS:
            raise ConfigError("environment", "nomad_services", repr(services), ", ".join(_CHECKS))
        store = source.get("nomad_secrets", "")
        if store and not _STORE.match(store):
            raise ConfigError(
                "environment", "nomad_secrets", repr(store), "a key of Consul's store, e.g. faas-exp/secrets"
            )
        port = _number(source, "nomad_gateway_port", 8080)
        if port > 65535:
            raise ConfigError("environment", "nomad_gateway_port", repr(str(port)), "1 to 65535")
        return cls(
            nomad_addresses=agents,
            nomad_token_file=Path(source["nomad_token_file"]) if source.get("nomad_token_file") else None,
            nomad_datacenter=source.get("nomad_datacenter", "") or "dc1",
            nomad_gateway_address=source.get("nomad_gateway_address", ""),
            nomad_gateway_port=port,
            nomad_services=services,
            nomad_secrets=store,
            nomad_cpu=_number(source, "nomad_cpu", 100),
            nomad_memory=_number(source, "nomad_memory", 128),
            nomad_memory_limit=_number(source, "nomad_memory_limit", 2048),
            nomad_core=_number(source, "nomad_core", 1000),
            **files,
        )


def _agents(text: str) -> tuple[Agent, ...]:
    agents = []
    allowed = "https://host:port=name-in-certificate or http://host:port, separated by commas"
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _ADDRESS.match(part)
        if match is None or not 0 < int(match.group(3)) < 65536 or (match.group(1) == "https") != bool(match.group(4)):
            raise ConfigError("environment", "nomad_addresses", repr(part), allowed)
        agents.append(Agent(f"{match.group(1)}://{match.group(2)}:{match.group(3)}", match.group(4)))
    if not agents:
        raise ConfigError("environment", "nomad_addresses", repr(text), allowed)
    return tuple(agents)


def _number(source: Mapping[str, str], name: str, default: int) -> int:
    text = source.get(name, "") or str(default)
    if not re.fullmatch(r"\d{1,9}", text) or int(text) == 0:
        raise ConfigError("environment", name, repr(text), "a whole number above 0")
    return int(text)
