"""The orchestrators a gateway can stand in front of."""

from __future__ import annotations

import os
from pathlib import Path

from faas_exp.errors import ConfigError
from faas_exp.gateway.provider import Provider
from faas_exp.gateway.settings import Settings

NAMES = ("process", "swarm", "nomad", "k8s")


def create(name: str, settings: Settings, state_dir: Path, functions_dir: Path | None) -> Provider:
    """The provider of that name, not started.

    Raises:
        ConfigError: no such provider, or it lacks something.
    """
    if name == "process":
        # Here, so that a gateway on a cluster needs only what its own provider imports.
        from faas_exp.gateway.providers.process import ProcessProvider

        if functions_dir is None:
            raise ConfigError("command line", "--functions-dir", "nothing", "the folder that holds the functions")
        return ProcessProvider(settings, state_dir, functions_dir)
    if name == "swarm":
        from faas_exp.gateway.providers.swarm.provider import SwarmProvider
        from faas_exp.gateway.providers.swarm.settings import SwarmSettings

        return SwarmProvider(SwarmSettings.from_environment(os.environ))
    if name == "nomad":
        from faas_exp.gateway.providers.nomad.provider import NomadProvider
        from faas_exp.gateway.providers.nomad.settings import NomadSettings

        return NomadProvider(NomadSettings.from_environment(os.environ))
    if name == "k8s":
        from faas_exp.gateway.providers.k8s.provider import K8sProvider
        from faas_exp.gateway.providers.k8s.settings import K8sSettings

        return K8sProvider(K8sSettings.from_environment(os.environ))
    raise ConfigError("command line", "--provider", repr(name), ", ".join(NAMES))
