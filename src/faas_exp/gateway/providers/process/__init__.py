"""Provider ``process``: a replica is a process on this machine."""

from faas_exp.gateway.providers.process.provider import ProcessProvider

__all__ = ["ProcessProvider"]
