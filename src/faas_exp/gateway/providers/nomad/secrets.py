"""Functions' secrets: keys of Consul's store, which Nomad's clients read and write into files of a replica.

A job names a secret and never holds it. Gateways neither read nor write secrets; who runs the platform puts them there.
"""

from __future__ import annotations

import re
from typing import Any

from faas_exp.gateway.model import InvalidFunctionError

FOLDER = "/var/openfaas/secrets"
"""Where a function finds its secrets, one file each."""

# Within the folder of the task that is kept in memory where the machine can. The driver takes no path outside of it.
_INSIDE = "secrets/openfaas"
VOLUME = f"{_INSIDE}:{FOLDER}:ro"
"""For the docker driver."""

# It becomes part of a template and of a path.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")


def templates(names: tuple[str, ...], store: str) -> list[dict[str, Any]]:
    """A task's Templates.

    Args:
        names: the function's secrets.
        store: the key in Consul below which they are; "" where there is no Consul.

    Raises:
        InvalidFunctionError: a name can't be one, or there is no place for secrets.
    """
    if names and not store:
        raise InvalidFunctionError(f"secrets: found {', '.join(names)}, allowed: none (Nomad has them from Consul)")
    for name in names:
        if not _NAME.match(name) or ".." in name:
            raise InvalidFunctionError(
                f"secrets: found {name!r}, allowed: up to 253 of a-z, 0-9, - and ., not at either end"
            )
    return [
        {
            "EmbeddedTmpl": '{{ key "' + store + "/" + name + '" }}',
            "DestPath": f"{_INSIDE}/{name}",
            "Perms": "0444",
            # Like Kubernetes: a secret that changes is another file, and no reason to end a replica that serves.
            "ChangeMode": "noop",
        }
        for name in names
    ]
