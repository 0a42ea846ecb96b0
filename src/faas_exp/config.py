"""Experiment files: read, check, and name every mistake by file, key, found, allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from faas_exp.errors import ConfigError, ConfigErrors
from faas_exp.schema import ExperimentFile, Function, Settings
from faas_exp.stackfile import StackFunction, load_stack
from faas_exp.yamlfile import Path_, YamlFile

_THESIS_LAYOUT = re.compile(r"^(\./)?functions/[a-z]+-(scenarios|starts-scenarios)/")
_SECRET = re.compile(r"password|passwd|secret|token|credential|api_?key|private", re.IGNORECASE)


@dataclass(frozen=True)
class Experiment:
    """An experiment file that has been checked as a whole.

    Attributes:
        path: the file.
        settings: section ``experiment``.
        functions: in the file's order.
        stacks: per function what its stack file says.
        notes: what a user should know and nobody needs to mend.
    """

    path: Path
    settings: Settings
    functions: tuple[Function, ...]
    stacks: dict[str, StackFunction]
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    def function(self, name: str) -> Function:
        return next(f for f in self.functions if f.name == name)

    def dependencies(self, name: str) -> list[str]:
        """All functions that ``name`` needs, the deepest first."""
        found: list[str] = []
        for other in self.function(name).depends_on:
            for deeper in (*self.dependencies(other), other):
                if deeper not in found:
                    found.append(deeper)
        return found


def is_secret(key: str) -> bool:
    """Whether a key of this name holds something that must not be shown or stored in results."""
    return bool(_SECRET.search(key))


def load_experiment(path: Path | str, *, shipped_functions: Path | None = None) -> Experiment:
    """Read and check an experiment file and the stack files it names.

    Args:
        path: the experiment file.
        shipped_functions: folder of this project's own functions. A file in the thesis's layout
            (``functions/<kind>-scenarios/…``) whose stack files are not there falls back to the functions of the
            same name.

    Raises:
        ConfigError, ConfigErrors: each with file, key, found, allowed.
    """
    source = YamlFile(path)
    if not isinstance(source.data, dict):
        raise source.error(
            (), "nothing" if source.data is None else f"a {_kind(source.data)}", "sections experiment and functions"
        )
    try:
        parsed = ExperimentFile.model_validate(source.data)
    except ValidationError as error:
        raise ConfigErrors([_explain(source, detail) for detail in error.errors(include_url=False)]) from None
    errors = [*_check_names(source, parsed.functions), *_check_cold_starts(source, parsed)]
    if errors:
        raise ConfigErrors(errors)
    stacks, notes, errors = _read_stacks(source, parsed.functions, shipped_functions)
    if errors:
        raise ConfigErrors(errors)
    return Experiment(Path(path), parsed.experiment, tuple(parsed.functions), stacks, notes)


# --- checks that need more than one key -------------------------------------------------------------------------------


def _check_names(source: YamlFile, functions: list[Function]) -> list[ConfigError]:
    errors: list[ConfigError] = []
    names = [f.name for f in functions]
    for index, name in enumerate(names):
        if name in names[:index]:
            errors.append(source.error(("functions", index, "name"), f"{name!r} a second time", "each name once"))
    for index, function in enumerate(functions):
        for other in function.depends_on:
            if other not in names:
                key = ("functions", index, "depends_on")
                errors.append(source.error(key, repr(other), "a function of this file: " + ", ".join(names)))
    if errors:
        return errors
    graph = {f.name: f.depends_on for f in functions}
    for index, function in enumerate(functions):
        cycle = _cycle(graph, function.name)
        if cycle:
            key = ("functions", index, "depends_on")
            return [source.error(key, "a circle: " + " → ".join(cycle), "dependencies that end somewhere")]
    return []


def _cycle(graph: dict[str, list[str]], start: str) -> list[str] | None:
    """The way from ``start`` back to ``start``, if there is one."""
    trail: list[tuple[str, list[str]]] = [(start, [start])]
    seen: set[str] = set()
    while trail:
        node, way = trail.pop()
        for other in graph[node]:
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                trail.append((other, [*way, other]))
    return None


def _check_cold_starts(source: YamlFile, parsed: ExperimentFile) -> list[ConfigError]:
    errors = []
    for index, function in enumerate(parsed.functions):
        chunks = function.chunks_number or 6
        requests = function.number_of_requests or parsed.experiment.number_of_requests
        key: Path_ = ("functions", index, "chunks_number")
        if function.chunks_number is not None and not function.has_cold_starts:
            errors.append(source.error(key, chunks, "only beside inactivity_duration or cold_start: forced"))
        elif function.has_cold_starts and requests < chunks:
            found = f"{chunks} chunks for {requests} requests"
            errors.append(source.error(key, found, "at least one request per chunk"))
        if function.inactivity_duration is not None and function.cold_start == "forced":
            key = ("functions", index, "inactivity_duration")
            errors.append(source.error(key, "beside cold_start: forced", "one of the two"))
    return errors


# --- stack files ------------------------------------------------------------------------------------------------------


def _candidates(source: YamlFile, yaml_path: str) -> Iterable[Path]:
    """Where a relative ``yaml_path`` may mean: beside the experiment file, above it, in the working directory."""
    path = Path(yaml_path).expanduser()
    if path.is_absolute():
        return [path]
    base = source.path.resolve().parent
    return [base / path, base.parent / path, base.parent.parent / path, Path.cwd() / path]


def _read_stacks(
    source: YamlFile, functions: list[Function], shipped: Path | None
) -> tuple[dict[str, StackFunction], list[str], list[ConfigError]]:
    stacks: dict[str, StackFunction] = {}
    notes: list[str] = []
    errors: list[ConfigError] = []
    for index, function in enumerate(functions):
        key = ("functions", index, "yaml_path")
        path = next((p for p in _candidates(source, function.yaml_path) if p.is_file()), None)
        if path is None and shipped and _THESIS_LAYOUT.match(function.yaml_path):
            own = shipped / function.name / "stack.yml"
            if own.is_file():
                notes.append(
                    f"{function.name}: {function.yaml_path} is not here; using the collection's own {function.name}"
                )
                path = own
        if path is None:
            errors.append(source.error(key, f"{function.yaml_path} (no such file)", "an OpenFaaS stack file"))
            continue
        try:
            found = load_stack(path)
        except (ConfigError, ConfigErrors) as error:
            errors.extend(error.errors if isinstance(error, ConfigErrors) else [error])
            continue
        if function.name not in found:
            what = f"{path} without function {function.name!r}"
            errors.append(source.error(key, what, "a stack file with it; this one has " + ", ".join(found)))
            continue
        stacks[function.name] = found[function.name]
    return stacks, notes, errors


# --- pydantic's errors in the words of a user -------------------------------------------------------------------------

_ALLOWED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "keys with values",
    "bool_type": "true or false",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "finite_number": "a finite number",
}


def _kind(value: object) -> str:
    return {dict: "mapping", list: "list", str: "text", bool: "true/false", int: "number", float: "number"}.get(
        type(value), type(value).__name__
    )


def _keys_at(path: Path_) -> list[str]:
    """The keys allowed at a place of the file."""
    model: type[BaseModel] = ExperimentFile
    for part in path:
        if isinstance(part, int):
            continue
        info = model.model_fields.get(part)
        inner = _model_in(info.annotation) if info else None
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found:
            return found
    return None


def _explain(source: YamlFile, detail: ErrorDetails) -> ConfigError:
    path = tuple(part for part in detail["loc"] if not (isinstance(part, str) and "[" in part))
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    shown = "nothing" if value is None else _shown(path, value)
    if kind == "extra_forbidden":
        keys = _keys_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), keys, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return source.error(path, "an unknown key", "one of " + ", ".join(keys) + hint)
    if kind == "missing":
        return source.error(path, "nothing", "a value (the key is required)")
    if kind == "value_error":
        found, _, allowed = str(context.get("error", detail["msg"])).partition("|")
        return source.error(path, found if allowed else shown, allowed or found)
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        sign = {"greater_than_equal": "≥", "greater_than": ">", "less_than_equal": "≤", "less_than": "<"}[kind]
        limit = next(iter(context.values()))
        return source.error(path, shown, f"a number {sign} {limit:g}")
    if kind == "multiple_of":
        return source.error(path, shown, f"a multiple of {context['multiple_of']:g}")
    if kind == "too_short":
        return source.error(path, "an empty list", "at least one entry")
    if kind == "string_too_short":
        return source.error(path, "empty text", "some text")
    if kind == "literal_error":
        return source.error(path, shown, "one of " + str(context["expected"]).replace(" or ", ", "))
    if kind == "string_pattern_mismatch":
        return source.error(path, shown, _PATTERNS.get(str(context["pattern"]), f"text like {context['pattern']}"))
    return source.error(path, shown, _ALLOWED.get(kind, detail["msg"]))


_PATTERNS = {
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": "lower-case letters, digits and '-', 63 at most",
    r"^[^\s?#]+$": "a path without spaces, '?' and '#'",
    r"^[A-Za-z0-9._:\[\]-]+$": "a host name or address, without http:// and path",
}


def _shown(path: Path_, value: object) -> str:
    if any(isinstance(part, str) and is_secret(part) for part in path):
        return f"a {_kind(value)} (not shown)"
    text = repr(value) if not isinstance(value, dict | list) else f"a {_kind(value)}"
    return text if len(text) <= 80 else text[:77] + "…"
