"""From file and tree to what is to be done, as plain data without secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from experimentfiles import minimal, write_experiment

from faas_exp.config import load_experiment
from faas_exp.errors import ConfigError, FaasExpError, ResultsError
from faas_exp.grid import Run
from faas_exp.planning import deployments_as_dicts, environment_of, prepare, result_root
from faas_exp.results import finish_run, new_run

SETTINGS = "number_of_runs: 2, replicas: [1], concurrency: [5], delay_between_runs: 1, delay_between_functions: 2"


def two_functions(folder: Path) -> Path:
    return write_experiment(
        folder,
        f"""
        experiment: {{{SETTINGS}, load_types: [sequential/noautoscaling]}}
        functions:
          - name: a
            yaml_path: a.yml
            api: {{uri: a, param: {{min: 2, max: 3}}}}
            environment: {{db_password: hunter2}}
          - {{name: b, yaml_path: b.yml, api: {{uri: b, headers: {{Authorization: hunter2}}}}, depends_on: a}}
        """,
        "a",
        "b",
    )


def test_delays_are_between_things_only(tmp_path: Path) -> None:
    first, second = deployments_as_dicts(prepare(two_functions(tmp_path), "swarm", tmp_path / "tree"))
    assert (first["delay"], second["delay"]) == (0, 120)
    assert [run["delay"] for run in first["runs"]] == [0, 60]
    assert [d["name"] for d in second["depends_on"]] == ["a"]
    assert first["runs"][0]["label"] == "a sequential noautoscaling replica1 run 1 [1/4]"
    assert second["runs"][1]["order"] == 4


def test_the_probe_is_a_real_request(tmp_path: Path) -> None:
    first, _ = deployments_as_dicts(prepare(two_functions(tmp_path), "swarm", tmp_path / "tree"))
    assert first["function"]["probe"] == {"path": "/a?param=2", "method": "POST", "data": None}


def test_no_secret_in_plan_or_manifest(tmp_path: Path) -> None:
    prepared = prepare(two_functions(tmp_path), "swarm", tmp_path / "tree")
    text = json.dumps([deployments_as_dicts(prepared), prepared.manifest()])
    assert "hunter2" not in text
    assert "db_password" in text, "that there is one is no secret"


def test_a_left_out_function_takes_those_that_need_it_along(tmp_path: Path) -> None:
    with pytest.raises(FaasExpError, match="the grid is empty"):
        prepare(two_functions(tmp_path), "swarm", tmp_path / "tree", skip={"a": "no reason"})
    prepared = prepare(two_functions(tmp_path), "swarm", tmp_path / "tree", skip={"b": "no reason", "zzz": "unknown"})
    assert {d.function for d in prepared.todo} == {"a"}
    assert prepared.notes == ["b: left out, no reason"]


def test_asking_for_a_left_out_function_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FaasExpError, match="a: asked for, but no reason"):
        prepare(two_functions(tmp_path), "swarm", tmp_path / "tree", only=["a"], skip={"a": "no reason"})


def test_a_missing_runtime_leaves_the_function_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    root = Path(__file__).parents[2]
    prepared = prepare(_go_and_python(tmp_path, root), "embedded", tmp_path / "tree", skip={}, check_programs=False)
    assert {d.function for d in prepared.todo} == {"gofunction", "pythonfunction"}
    (tmp_path / "bin" / "python3").symlink_to("/usr/bin/env")
    prepared = prepare(_go_and_python(tmp_path, root), "embedded", tmp_path / "tree", check_programs=True)
    assert {d.function for d in prepared.todo} == {"pythonfunction"}
    assert prepared.notes == [
        "gofunction: left out, this machine has no go (on Debian: apt-get install golang-go)",
    ]


def _go_and_python(folder: Path, root: Path) -> Path:
    lines = [
        f"  - {{name: {name}, yaml_path: {root}/experiments/functions/{name}/stack.yml, api: {{uri: x}}}}"
        for name in ("gofunction", "pythonfunction")
    ]
    return write_experiment(folder, "functions:\n" + "\n".join(lines))


def test_what_the_inventory_knows_reaches_who_asks(tmp_path: Path) -> None:
    (tmp_path / "asks.yml").write_text(
        "functions: {asks: {image: x, annotations: {faas.exp/environment: ftp_host ftp_password}}}"
    )
    path = write_experiment(
        tmp_path,
        """
        functions:
          - {name: asks, yaml_path: asks.yml, api: {uri: x}, environment: {ftp_host: mine}}
          - {name: other, yaml_path: other.yml, api: {uri: x}}
        """,
        "other",
    )
    experiment = load_experiment(path)
    inventory = {"ftp_host": "198.18.0.9", "ftp_password": "hunter2", "gateway_endpoint": "http://x"}
    assert environment_of(experiment, "asks", inventory) == ({"ftp_host": "mine"}, {"ftp_password": "hunter2"})
    assert environment_of(experiment, "other", inventory) == ({}, {})


def test_what_a_function_asks_for_must_come_from_somewhere(tmp_path: Path) -> None:
    functions = Path(__file__).parents[2] / "experiments" / "functions"
    path = write_experiment(
        tmp_path,
        f"""
        functions:
          - {{name: ftpfunction, yaml_path: {functions}/ftpfunction/stack.yml, api: {{uri: x}}}}
          - {{name: gofunction, yaml_path: {functions}/gofunction/stack.yml, api: {{uri: x}}}}
        """,
    )
    tree = tmp_path / "tree"
    # The embedded platform has no FTP server.
    inventory = {"ftp_host": "", "ftp_user": "ftpuser", "ftp_password": "hunter2-in-inventory"}
    with pytest.raises(ConfigError) as refused:
        prepare(path, "embedded", tree, inventory=inventory)
    assert str(refused.value).startswith(
        f"{path}: ftpfunction: environment: ftp_host: found nothing, and the inventory has none, allowed: a value; or"
    )
    assert "hunter2" not in str(refused.value)
    assert prepare(path, "embedded", tree, inventory=inventory, skip={"ftpfunction": "no server"}).left > 0
    assert prepare(path, "embedded", tree, inventory=inventory, only=["gofunction"]).left > 0
    assert prepare(path, "embedded", tree, inventory={**inventory, "ftp_host": "198.18.0.6"}).left > 0


def test_replacing_moves_only_when_it_is_meant(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for run in [r for d in prepare(minimal(tmp_path, SETTINGS), "swarm", tree).plan for r in d.runs]:
        with new_run(tree, run) as folder:
            finish_run(folder, {"config_hash": run.config_hash, "config": run.config})
    changed = minimal(tmp_path, SETTINGS + ", rate: 5")
    with pytest.raises(ResultsError, match="experiment_replace=true"):
        prepare(changed, "swarm", tree)
    assert prepare(changed, "swarm", tree, replace=True, dry_run=True).moved_to is None
    assert prepare(changed, "swarm", tree, replace=True).left == 6
    assert prepare(changed, "swarm", tree).left == 6


@pytest.mark.parametrize(
    ("own", "asked", "expected"),
    [("", None, "results/experiment"), ("result_dir: here", None, "here"), ("result_dir: here", "/there", "/there")],
)
def test_result_folder(tmp_path: Path, own: str, asked: str | None, expected: str) -> None:
    assert result_root(minimal(tmp_path, own), tmp_path, asked) == tmp_path / expected


def _measured(tree: Path, run: Run, median: float, **more: object) -> None:
    with new_run(tree, run) as folder:
        (folder / "stats.json").write_text(json.dumps({"elapsed_ms": {"p50": median}}))
        finish_run(folder, {"config_hash": run.config_hash, "config": run.config, **more})


RULE = "number_of_runs: 12, replicas: [1], load_types: [sequential/noautoscaling], order: thesis"


@pytest.mark.parametrize(
    ("medians", "void", "left"),
    [
        ([2.0, 2.01, 2.02, 2.0, 2.01, 2.0], False, 0),  # narrow after six
        ([2.0, 2.01, 2.02, 2.0, 2.01], False, 7),  # narrow, but five are too few
        ([2.0, 3.0, 1.0, 2.5, 1.5, 2.0], False, 6),  # wide
        ([2.0, 2.01, 2.02, 2.0, 2.01, 2.0], True, 6),  # void runs say nothing
    ],
)
def test_a_case_that_is_known_is_not_repeated(tmp_path: Path, medians: list[float], void: bool, left: int) -> None:
    tree = tmp_path / "tree"
    path = minimal(tmp_path, RULE + ", stopping_rule: {half_width_pct: 5}")
    runs = prepare(path, "swarm", tree).plan[0].runs
    for run, median in zip(runs, medians, strict=False):
        _measured(tree, run, median, void=void)
    prepared = prepare(path, "swarm", tree)
    assert prepared.left == left
    assert bool(prepared.notes) == (left == 0)
    assert prepare(minimal(tmp_path, RULE), "swarm", tree).left == 12 - len(medians), "only when it is asked for"
