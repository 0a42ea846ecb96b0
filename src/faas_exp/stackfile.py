"""OpenFaaS stack files (``stack.yml``): what to deploy, as the body of ``POST /system/functions``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faas_exp.errors import ConfigError, ConfigErrors
from faas_exp.yamlfile import Path_, YamlFile

# Keys that faas-cli knows; those that speak of building are read over.
_KEYS = {
    "annotations", "build_args", "build_options", "constraints", "copy", "environment", "environment_file", "fprocess",
    "handler", "image", "labels", "lang", "limits", "namespace", "platforms", "publish", "readonly_root_filesystem",
    "requests", "secrets", "skip_build",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True)
class StackFunction:
    """One function of a stack file.

    Attributes:
        name: OpenFaaS's ``service``.
        handler: folder with the code, if it is there.
    """

    name: str
    image: str
    path: Path
    handler: Path | None = None
    fprocess: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    limits: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    readonly_root_filesystem: bool = False
    namespace: str | None = None

    def deployment(
        self,
        environment: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        image: str | None = None,
    ) -> dict[str, Any]:
        """The request body of OpenFaaS's deploy call; what is given wins over the stack file, as in faas-cli."""
        body: dict[str, Any] = {
            "service": self.name,
            "image": image or self.image,
            "envVars": {**self.environment, **(environment or {})},
            "labels": {**self.labels, **(labels or {})},
            "annotations": dict(self.annotations),
        }
        optional = {
            "envProcess": self.fprocess,
            "secrets": self.secrets,
            "constraints": self.constraints,
            "limits": self.limits,
            "requests": self.requests,
            "readOnlyRootFilesystem": self.readonly_root_filesystem,
            "namespace": self.namespace,
        }
        body.update({key: value for key, value in optional.items() if value})
        return body


def load_stack(path: Path | str) -> dict[str, StackFunction]:
    """Read a stack file; ``${NAME:-default}`` is replaced from the environment as faas-cli does.

    Raises:
        ConfigError, ConfigErrors: what is wrong and where.
    """
    source = YamlFile(path)
    data = source.data
    if not isinstance(data, dict) or not isinstance(data.get("functions"), dict) or not data["functions"]:
        raise source.error(("functions",), "nothing", "at least one function under functions:")
    errors: list[ConfigError] = []
    found: dict[str, StackFunction] = {}
    for name, body in data["functions"].items():
        try:
            found[str(name)] = _function(source, str(name), body)
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise ConfigErrors(errors)
    return found


def _function(source: YamlFile, name: str, body: Any) -> StackFunction:
    at: Path_ = ("functions", name)
    if not isinstance(body, dict):
        raise source.error(at, repr(body), "keys such as image, lang, handler")
    for key in body:
        if key not in _KEYS:
            raise source.error((*at, key), "an unknown key", "one of " + ", ".join(sorted(_KEYS)))
    image = body.get("image")
    if not isinstance(image, str) or not image:
        raise source.error((*at, "image"), repr(image), "an image name")
    folder = source.path.resolve().parent
    handler = folder / str(body["handler"]) if body.get("handler") else None
    environment = dict(_from_files(source, at, body.get("environment_file") or [], folder))
    environment.update(_texts(source, (*at, "environment"), body.get("environment")))
    return StackFunction(
        name=name,
        image=_expand(image),
        path=source.path,
        handler=handler if handler and handler.is_dir() else None,
        fprocess=_expand(str(body["fprocess"])) if body.get("fprocess") else None,
        environment=environment,
        labels=_texts(source, (*at, "labels"), body.get("labels")),
        annotations=_texts(source, (*at, "annotations"), body.get("annotations")),
        secrets=_list(source, (*at, "secrets"), body.get("secrets")),
        constraints=_list(source, (*at, "constraints"), body.get("constraints")),
        limits=_texts(source, (*at, "limits"), body.get("limits")),
        requests=_texts(source, (*at, "requests"), body.get("requests")),
        readonly_root_filesystem=bool(body.get("readonly_root_filesystem", False)),
        namespace=body.get("namespace"),
    )


def _from_files(source: YamlFile, at: Path_, files: Any, folder: Path) -> dict[str, str]:
    merged: dict[str, str] = {}
    for name in _list(source, (*at, "environment_file"), files):
        path = folder / name
        if not path.is_file():
            raise source.error((*at, "environment_file"), f"{name} (no such file)", "a YAML file with environment:")
        inner = YamlFile(path)
        values = inner.data.get("environment") if isinstance(inner.data, dict) else None
        merged.update(_texts(inner, ("environment",), values))
    return merged


def _texts(source: YamlFile, at: Path_, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise source.error(at, repr(value), "keys with values")
    result = {}
    for key, item in value.items():
        if isinstance(item, dict | list) or item is None:
            raise source.error((*at, str(key)), repr(item), "text, a number or true/false")
        text = ("true" if item else "false") if isinstance(item, bool) else str(item)
        result[str(key)] = _expand(text)
    return result


def _list(source: YamlFile, at: Path_, value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise source.error(at, repr(value), "a list")
    return [str(item) for item in value]


def _expand(text: str) -> str:
    return _VARIABLE.sub(lambda m: os.environ.get(m[1], m[2] if m[2] is not None else m[0]), text)
