"""Deployments on disk, so that they come back when the gateway is started again."""

from __future__ import annotations

import json
import os
from pathlib import Path

from faas_exp.errors import FaasExpError
from faas_exp.gateway import log
from faas_exp.gateway.model import FunctionSpec
from faas_exp.gateway.provider import ProviderError


class Store:
    """One file per function, readable by the owner only: an environment may hold secrets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, spec: FunctionSpec, wanted: int, created: str) -> None:
        """Writes a deployment, whole or not at all.

        Raises:
            ProviderError: the disk is full or not writable.
        """
        path = self._folder / f"{spec.name}.json"
        temporary = path.with_suffix(".tmp")
        content = json.dumps({"schema": 1, "spec": spec.to_json(), "replicas": wanted, "created": created}, indent=1)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
            temporary.replace(path)
        except OSError as error:
            raise ProviderError(f"{path}: can't be written: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Forgets a deployment.

        Raises:
            ProviderError: the folder is not writable.
        """
        try:
            (self._folder / f"{name}.json").unlink(missing_ok=True)
        except OSError as error:
            raise ProviderError(f"{name}: can't be removed from {self._folder}: {error.strerror}") from error

    def load(self) -> list[tuple[FunctionSpec, int, str]]:
        """Every deployment as (spec, replicas, created); a file that can't be read is left out and logged."""
        found: list[tuple[FunctionSpec, int, str]] = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                spec = FunctionSpec.from_json(data["spec"])
                _ = (spec.scale, spec.exec_timeout)
                found.append((spec, int(data["replicas"]), str(data["created"])))
            except (OSError, ValueError, KeyError, TypeError, AttributeError, FaasExpError) as error:
                # Not the error's text: it may quote the environment.
                log.trouble("deployment unreadable", file=str(path), error=type(error).__name__)
        return found
