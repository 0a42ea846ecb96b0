"""Experiment files: the thesis's own are valid, and every mistake is named by file, key, found, allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from experimentfiles import minimal, write_experiment, write_stack

from faas_exp.config import load_experiment
from faas_exp.errors import ConfigError, ConfigErrors

ROOT = Path(__file__).parents[2]


def problems(path: Path) -> list[ConfigError]:
    """All that is wrong with a file."""
    with pytest.raises((ConfigError, ConfigErrors)) as caught:
        load_experiment(path)
    return caught.value.errors if isinstance(caught.value, ConfigErrors) else [caught.value]


def only_problem(path: Path) -> ConfigError:
    found = problems(path)
    assert len(found) == 1, [str(e) for e in found]
    assert str(path) in found[0].file
    return found[0]


def test_defaults_are_the_thesis(tmp_path: Path) -> None:
    settings = load_experiment(minimal(tmp_path, "")).settings
    assert (settings.number_of_runs, settings.number_of_requests, settings.delay_between_runs) == (6, 35000, 1)
    assert settings.replicas == [1, 10, 20]
    assert settings.concurrency == [5, 10, 20, 50]
    assert settings.parallel_users == 15


THESIS = """
experiment:
  server: gateway.openfaas.local
  port: 80
  number_of_runs: 6
  number_of_requests: 35000
  delay_between_runs: 1
  replicas:
    - 1
    - 10
  concurrency:
    - 5
  result_dir: /home/centos/result
functions:
  - name: warmfunction
    inactivity_duration: 9
    chunks_number: 6
    yaml_path: functions/warm-starts-scenarios/common/warmfunction.yml
    environment:
      read_timeout: 5m5s
      write_timeout: 5m5s
    api:
      uri: function/warmfunction
      data: "Hello warmfunction on swarm"
      http_method: POST
  - name: matrixfunction
    yaml_path: functions/computation-scenarios/matrix/common/matrixfunction.yml
    api: {uri: function/matrixfunction, http_method: POST, param: {min: 10, max: 200}}
  - name: consumerfunction
    yaml_path: functions/composite-scenarios/consumer/swarm/consumerfunction.yml
    environment: {gateway_endpoint: http://gateway:8080}
    api: {uri: function/consumerfunction, http_method: POST, param: {min: 5, max: 150}}
    depends_on: matrixfunction
"""


def test_a_file_of_the_thesis_is_valid_in_its_own_tree(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    for kind, name in (
        ("warm-starts-scenarios/common", "warmfunction"),
        ("computation-scenarios/matrix/common", "matrixfunction"),
        ("composite-scenarios/consumer/swarm", "consumerfunction"),
    ):
        folder = tmp_path / "functions" / kind
        folder.mkdir(parents=True)
        write_stack(folder, name)
    path = tmp_path / "config" / "swarm.yaml"
    path.write_text(THESIS, encoding="utf-8")
    experiment = load_experiment(path)
    assert [f.name for f in experiment.functions] == ["warmfunction", "matrixfunction", "consumerfunction"]
    assert experiment.function("warmfunction").body == "Hello warmfunction on swarm"
    assert experiment.function("warmfunction").has_cold_starts
    assert experiment.dependencies("consumerfunction") == ["matrixfunction"]
    assert experiment.notes == []


def test_a_file_of_the_thesis_alone_uses_our_functions_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "swarm.yaml"
    path.write_text(THESIS, encoding="utf-8")
    experiment = load_experiment(path, shipped_functions=ROOT / "experiments" / "functions")
    assert experiment.stacks["matrixfunction"].image == "faas-exp/matrixfunction:latest"
    assert len(experiment.notes) == 3
    assert "matrixfunction: functions/computation-scenarios/" in experiment.notes[1]


def test_without_our_functions_it_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "swarm.yaml"
    path.write_text(THESIS, encoding="utf-8")
    assert {e.key for e in problems(path)} == {f"functions[{i}].yaml_path" for i in range(3)}


@pytest.mark.parametrize("name", ["quick", "thesis/swarm", "thesis/nomad", "thesis/k8s"])
def test_shipped_files_are_valid(name: str) -> None:
    experiment = load_experiment(ROOT / "experiments" / f"{name}.yml")
    assert experiment.notes == []


def test_data_is_read_beside_api_too(tmp_path: Path) -> None:
    path = minimal(tmp_path, function="data: hello")
    assert load_experiment(path).function("fn").body == "hello"


def test_environment_values_become_text(tmp_path: Path) -> None:
    path = minimal(tmp_path, function="environment: {a: 1, b: true, c: 2.5, d: x}")
    assert load_experiment(path).function("fn").environment == {"a": "1", "b": "true", "c": "2.5", "d": "x"}


@pytest.mark.parametrize(
    ("experiment", "key", "found", "allowed"),
    [
        ("number_of_runs: 0", "number_of_runs", "0", "≥ 1"),
        ("number_of_requests: -5", "number_of_requests", "-5", "≥ 1"),
        ("number_of_requests: many", "number_of_requests", "'many'", "a whole number"),
        ("number_of_requests: 1.5", "number_of_requests", "1.5", "a whole number"),
        ("number_of_requests: true", "number_of_requests", "True", "a whole number"),
        ("replicas: []", "replicas", "an empty list", "at least one"),
        ("replicas: [0]", "replicas[0]", "0", "≥ 1"),
        ("replicas: [2, 2]", "replicas", "a list", "each number once"),
        ("concurrency: 5", "concurrency", "5", "a list"),
        ("delay_between_runs: -1", "delay_between_runs", "-1", "≥ 0"),
        ("delay_between_runs: .nan", "delay_between_runs", "nan", "number"),
        ("port: 70000", "port", "70000", "≤ 65535"),
        ("server: 'http://x/'", "server", "'http://x/'", "without http://"),
        ("order: random", "order", "'random'", "interleaved"),
        ("rate: 0", "rate", "0", "> 0"),
        ("load_types: [wild]", "load_types[0]", "'wild'", "parallel/autoscaling"),
        ("number_of_run: 1", "number_of_run", "an unknown key", "did you mean number_of_runs?"),
    ],
)
def test_bad_settings(tmp_path: Path, experiment: str, key: str, found: str, allowed: str) -> None:
    error = only_problem(minimal(tmp_path, experiment))
    assert error.key == f"experiment.{key}"
    assert found in error.found
    assert allowed in error.allowed
    assert str(error).count("\n") == 0


@pytest.mark.parametrize(
    ("function", "key", "found", "allowed"),
    [
        ("data: [1]", "data", "a list", "text"),
        ("depends_on: other", "depends_on", "'other'", "a function of this file"),
        ("depends_on: fn", "depends_on", "fn → fn", "end somewhere"),
        ("inactivity_duration: 4", "inactivity_duration", "4", "≥ 5"),
        ("inactivity_duration: 5, chunks_number: 3", "chunks_number", "3", "a multiple of 2"),
        ("chunks_number: 4", "chunks_number", "4", "inactivity_duration"),
        ("cold_start: forced, inactivity_duration: 5", "inactivity_duration", "beside", "one of the two"),
        ("cold_start: forced, number_of_requests: 3", "chunks_number", "6 chunks for 3 requests", "at least one"),
        ("color: red", "color", "an unknown key", "yaml_path"),
    ],
)
def test_bad_functions(tmp_path: Path, function: str, key: str, found: str, allowed: str) -> None:
    error = only_problem(minimal(tmp_path, function=function))
    assert error.key == f"functions[0].{key}"
    assert found in error.found
    assert allowed in error.allowed


def functions(tmp_path: Path, *lines: str) -> Path:
    return write_experiment(tmp_path, "functions:\n" + "\n".join(f"  - {line}" for line in lines), "a", "b", "c")


def test_min_above_max(tmp_path: Path) -> None:
    path = functions(tmp_path, "{name: a, yaml_path: a.yml, api: {uri: x, param: {min: 5, max: 2}}}")
    assert str(only_problem(path)).endswith("functions[0].api.param: found min 5 > max 2, allowed: min at most max")


def test_missing_keys(tmp_path: Path) -> None:
    assert {(e.key, e.found) for e in problems(functions(tmp_path, "{name: a}"))} == {
        ("functions[0].yaml_path", "nothing"),
        ("functions[0].api", "nothing"),
    }


def test_circle_of_three(tmp_path: Path) -> None:
    path = functions(
        tmp_path,
        "{name: a, yaml_path: a.yml, api: {uri: x}, depends_on: b}",
        "{name: b, yaml_path: b.yml, api: {uri: x}, depends_on: [c]}",
        "{name: c, yaml_path: c.yml, api: {uri: x}, depends_on: a}",
    )
    assert only_problem(path).found == "a circle: a → b → c → a"


def test_a_chain_is_no_circle(tmp_path: Path) -> None:
    path = functions(
        tmp_path,
        "{name: a, yaml_path: a.yml, api: {uri: x}, depends_on: [b, c]}",
        "{name: b, yaml_path: b.yml, api: {uri: x}, depends_on: c}",
        "{name: c, yaml_path: c.yml, api: {uri: x}}",
    )
    assert load_experiment(path).dependencies("a") == ["c", "b"]


def test_a_name_twice(tmp_path: Path) -> None:
    line = "{name: a, yaml_path: a.yml, api: {uri: x}}"
    error = only_problem(functions(tmp_path, line, line))
    assert (error.key, error.found) == ("functions[1].name", "'a' a second time")


def test_a_name_that_is_no_host_name(tmp_path: Path) -> None:
    error = only_problem(functions(tmp_path, "{name: A_b, yaml_path: a.yml, api: {uri: x}}"))
    assert error.allowed.startswith("lower-case letters")


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    path = minimal(tmp_path, "number_of_runs: 0, replicas: []", "color: red")
    assert len(problems(path)) == 3


def test_missing_file(tmp_path: Path) -> None:
    error = only_problem(tmp_path / "none.yml")
    assert error.found == "nothing at that path"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing"),
        (b"- 1\n", "a list"),
        (b"a: [1\n", "text that is not YAML"),
        (b"\xff\xfe", "invalid start byte"),
        (b"experiment: {}\nexperiment: {}\n", "the key a second time (first on line 1)"),
    ],
)
def test_not_an_experiment(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "e.yml"
    path.write_bytes(content)
    assert found in only_problem(path).found


def test_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "e.yml"
    path.write_text("experiment:\n  seed: 1\n  port: 0\nfunctions:\n  - {name: a, yaml_path: a.yml, api: {uri: x}}\n")
    assert only_problem(path).file == f"{path}:3"


def test_stack_file_missing(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "functions: [{name: a, yaml_path: nowhere.yml, api: {uri: x}}]")
    assert "nowhere.yml (no such file)" in only_problem(path).found


def test_stack_file_without_the_function(tmp_path: Path) -> None:
    write_stack(tmp_path, "other")
    path = write_experiment(tmp_path, "functions: [{name: a, yaml_path: other.yml, api: {uri: x}}]")
    error = only_problem(path)
    assert "without function 'a'" in error.found
    assert error.allowed.endswith("this one has other")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    error = only_problem(minimal(tmp_path, function="environment: {ftp_password: [hunter2]}"))
    assert "hunter2" not in str(error)
    assert error.found == "a list (not shown)"
