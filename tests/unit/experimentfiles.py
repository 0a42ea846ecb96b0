"""Small experiment files for tests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

STACK = """
version: 1.0
provider:
  name: openfaas
functions:
  {name}:
    lang: dockerfile
    handler: .
    image: faas-exp/{name}:latest
    labels:
      com.openfaas.scale.min: 1
      com.openfaas.scale.zero: true
"""


def write_stack(folder: Path, name: str) -> Path:
    path = folder / f"{name}.yml"
    path.write_text(STACK.format(name=name), encoding="utf-8")
    return path


def write_experiment(folder: Path, text: str, *names: str, file: str = "experiment.yml") -> Path:
    """An experiment file, and a stack file for each name."""
    for name in names:
        write_stack(folder, name)
    path = folder / file
    path.write_text(dedent(text), encoding="utf-8")
    return path


def minimal(folder: Path, experiment: str = "number_of_runs: 2", function: str = "") -> Path:
    """One function ``fn`` with the given lines added to both sections (one YAML flow mapping's inside each)."""
    return write_experiment(
        folder,
        f"""
        experiment: {{{experiment}}}
        functions:
          - {{name: fn, yaml_path: fn.yml, api: {{uri: function/fn}}{", " + function if function else ""}}}
        """,
        "fn",
    )
