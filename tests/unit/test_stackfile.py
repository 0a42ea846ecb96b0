"""OpenFaaS stack files as faas-cli reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from faas_exp.errors import ConfigError, ConfigErrors
from faas_exp.stackfile import load_stack

FULL = """
version: 1.0
provider: {name: openfaas, gateway: http://127.0.0.1:8080}
functions:
  fn:
    lang: node12
    handler: ./code
    image: ${REGISTRY:-docker.io/me}/fn:${TAG:-latest}
    fprocess: node index.js
    environment: {a: 1, b: true}
    environment_file: [more.yml]
    labels: {com.openfaas.scale.min: 1}
    annotations: {topic: x}
    secrets: [s]
    constraints: ["node.role == worker"]
    limits: {memory: 40m}
    requests: {cpu: 100m}
    readonly_root_filesystem: true
"""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    (tmp_path / "more.yml").write_text("environment: {a: lost, c: file}\n")
    (tmp_path / "code").mkdir()
    path = tmp_path / "stack.yml"
    path.write_text(FULL)
    return path


def test_everything_reaches_the_deploy_call(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "v2")
    function = load_stack(stack)["fn"]
    assert function.handler == stack.parent / "code"
    assert function.deployment({"b": "mine"}, {"com.openfaas.scale.min": "5"}) == {
        "service": "fn",
        "image": "docker.io/me/fn:v2",
        "envProcess": "node index.js",
        "envVars": {"a": "1", "b": "mine", "c": "file"},
        "labels": {"com.openfaas.scale.min": "5"},
        "annotations": {"topic": "x"},
        "secrets": ["s"],
        "constraints": ["node.role == worker"],
        "limits": {"memory": "40m"},
        "requests": {"cpu": "100m"},
        "readOnlyRootFilesystem": True,
    }


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("functions: {}\n", "functions"),
        ("functions: {fn: {lang: go}}\n", "functions.fn.image"),
        ("functions: {fn: {image: x, lables: {}}}\n", "functions.fn.lables"),
        ("functions: {fn: {image: x, labels: [a]}}\n", "functions.fn.labels"),
        ("functions: {fn: {image: x, environment: {a: [1]}}}\n", "functions.fn.environment.a"),
        ("functions: {fn: {image: x, environment_file: [none.yml]}}\n", "functions.fn.environment_file"),
        ("functions: {fn: hello}\n", "functions.fn"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "stack.yml"
    path.write_text(text)
    with pytest.raises((ConfigError, ConfigErrors)) as caught:
        load_stack(path)
    error = caught.value.errors[0] if isinstance(caught.value, ConfigErrors) else caught.value
    assert error.key == key
    assert str(path) in error.file
