"""Where a gateway finds the swarm, from environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faas_exp.errors import ConfigError
from faas_exp.gateway.providers.swarm.link import Address

_AGENT = re.compile(r"([^\s:,]+):(\d{1,5})\Z")


@dataclass(frozen=True)
class SwarmSettings:
    """Each field is read from the environment variable of its name.

    Attributes:
        swarm_agents: where the managers' agents listen, ``host:port,host:port``.
        swarm_certificate, swarm_key: files that both sides show each other.
        swarm_task: id of the task that this gateway is, "" when it is none.
        swarm_gateway_port: where the gateways reach each other.
    """

    swarm_agents: tuple[Address, ...]
    swarm_certificate: Path
    swarm_key: Path
    swarm_task: str = ""
    swarm_gateway_port: int = 8080

    @classmethod
    def from_environment(cls, source: Mapping[str, str]) -> SwarmSettings:
        """Reads the variables.

        Raises:
            ConfigError: one is missing or can't be understood.
        """
        agents = []
        text = source.get("swarm_agents", "")
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = _AGENT.match(part)
            if match is None or not 0 < int(match.group(2)) < 65536:
                raise ConfigError("environment", "swarm_agents", repr(part), "host:port, separated by commas")
            agents.append((match.group(1), int(match.group(2))))
        if not agents:
            raise ConfigError("environment", "swarm_agents", repr(text), "host:port of at least one manager's agent")
        port = source.get("swarm_gateway_port", "") or "8080"
        if not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
            raise ConfigError("environment", "swarm_gateway_port", repr(port), "1 to 65535")
        files = []
        for name in ("swarm_certificate", "swarm_key"):
            if not source.get(name):
                raise ConfigError("environment", name, "nothing", "a file in PEM format")
            files.append(Path(source[name]))
        return cls(tuple(agents), files[0], files[1], source.get("swarm_task", ""), int(port))
