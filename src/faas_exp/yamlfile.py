"""YAML files with line numbers, so that an error can say where; a key given twice is an error, not the last one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from faas_exp.errors import ConfigError

Path_ = tuple[str | int, ...]


def dotted(path: Path_) -> str:
    """``("functions", 2, "api")`` as a person writes it: ``functions[2].api``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(the file)"


class YamlFile:
    """The data of one YAML file and the line on which each key stands.

    Args:
        path: the file; shown to users as given.

    Raises:
        ConfigError: missing, unreadable, not YAML, not UTF-8, or a key stands twice.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lines: dict[Path_, int] = {}
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(str(path), "(the file)", "nothing at that path", "an existing YAML file") from None
        except IsADirectoryError:
            raise ConfigError(str(path), "(the file)", "a folder", "a YAML file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(path), "(the file)", str(error), "a readable UTF-8 YAML file") from None
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            problem = getattr(error, "problem", None) or str(error)
            raise ConfigError(where, "(the file)", f"text that is not YAML ({problem})", "valid YAML") from None
        if node is not None:
            self._walk(node, ())
        self.data: Any = yaml.safe_load(text)

    def _walk(self, node: yaml.Node, path: Path_) -> None:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                key = key_node.value
                inner = (*path, key)
                if inner in self._lines and key != "<<":
                    raise ConfigError(
                        f"{self.path}:{key_node.start_mark.line + 1}",
                        dotted(inner),
                        f"the key a second time (first on line {self._lines[inner]})",
                        "each key once",
                    )
                self._lines[inner] = key_node.start_mark.line + 1
                self._walk(value_node, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._walk(item, (*path, index))

    def where(self, path: Path_) -> str:
        """``file:line`` of a key, or of the nearest key around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self._lines:
                return f"{self.path}:{self._lines[path[:end]]}"
        return str(self.path)

    def error(self, path: Path_, found: object, allowed: str) -> ConfigError:
        """A :class:`ConfigError` that names this file, the line, the key."""
        return ConfigError(self.where(path), dotted(path), str(found), allowed)
