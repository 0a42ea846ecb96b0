"""Finding runs: wherever the user points, whatever else lies about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from analysis_trees import campaign, jmeter_run, own_run

from faas_exp.analysis.errors import AnalysisError, NoResultsError
from faas_exp.analysis.tree import find_leaves

TYPES = {("sequential", "noautoscaling"): ("replica1",)}


def small(root: Path, **options: object) -> Path:
    return campaign(root, **{"functions": ("gofunction",), "types": TYPES, "runs": 2, "requests": 5, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(("below", "prefix"), [("", "k8s/gofunction"), ("k8s", "gofunction"), ("k8s/gofunction", "")])
def test_the_source_may_be_the_tree_an_orchestrator_or_a_function(tmp_path: Path, below: str, prefix: str) -> None:
    small(tmp_path, ratios={"k8s": 1.0})
    leaves, left_out = find_leaves(tmp_path / below)
    assert {(leaf.orchestrator, leaf.function, leaf.prefix) for leaf in leaves} == {("k8s", "gofunction", prefix)}
    assert [leaf.run for leaf in leaves] == [1, 2]
    assert left_out == []


def test_any_number_of_orchestrators_functions_cases_and_runs_in_natural_order(tmp_path: Path) -> None:
    types = {
        ("parallel", "autoscaling"): ("user_50", "user_5", "user_10"),
        ("sequential", "autoscaling"): ("odd case",),
    }
    small(
        tmp_path,
        ratios={"k3s": 1.0, "k8s": 1.0, "my cloud": 1.0, "z": 1.0},
        functions=("a b", "ünknown"),
        types=types,
        runs=11,
    )
    leaves, _ = find_leaves(tmp_path)
    assert list(dict.fromkeys(leaf.orchestrator for leaf in leaves)) == ["k3s", "k8s", "my cloud", "z"]
    assert {leaf.function for leaf in leaves} == {"a b", "ünknown"}
    of_one = [leaf for leaf in leaves if (leaf.orchestrator, leaf.function) == ("z", "a b")]
    assert list(dict.fromkeys(leaf.case for leaf in of_one)) == ["odd case", "user_5", "user_10", "user_50"]
    assert [leaf.run for leaf in of_one][:11] == list(range(1, 12))


def test_chunks_in_the_order_they_were_run(tmp_path: Path) -> None:
    small(tmp_path, functions=(), cold=("warmfunction",), ratios={"k8s": 1.0}, runs=1)
    leaves, left_out = find_leaves(tmp_path)
    assert [leaf.chunk for leaf in leaves] == ["warm_0", "cold_0", "warm_1", "cold_1"]
    assert {leaf.run_path.name for leaf in leaves} == {"1"}
    assert left_out == []


def test_an_incomplete_run_is_left_out_and_said(tmp_path: Path) -> None:
    small(tmp_path, ratios={"k8s": 1.0})
    (tmp_path / "k8s/gofunction/sequential/noautoscaling/replica1/2/run.json").unlink()
    leaves, left_out = find_leaves(tmp_path)
    assert [leaf.run for leaf in leaves] == [1]
    assert [item.reason for item in left_out] == ["incomplete: no run.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "\xff"])
def test_a_broken_run_json_is_left_out_and_said(tmp_path: Path, content: str) -> None:
    small(tmp_path, ratios={"k8s": 1.0})
    (tmp_path / "k8s/gofunction/sequential/noautoscaling/replica1/2/run.json").write_bytes(content.encode("latin-1"))
    leaves, left_out = find_leaves(tmp_path)
    assert [leaf.run for leaf in leaves] == [1]
    assert [item.reason for item in left_out] == ["run.json is not a JSON object"]


def test_an_incomplete_run_of_chunks_is_said_once(tmp_path: Path) -> None:
    small(tmp_path, functions=(), cold=("warmfunction",), ratios={"k8s": 1.0}, runs=2)
    (tmp_path / "k8s/warmfunction/sequential/noautoscaling/replica1/2/run.json").unlink()
    leaves, left_out = find_leaves(tmp_path)
    assert {leaf.run for leaf in leaves} == {1}
    assert len(left_out) == 1


def test_an_empty_run_folder_is_said_and_jmeter_needs_no_run_json(tmp_path: Path) -> None:
    case = tmp_path / "nomad/gofunction/parallel/autoscaling/user_5"
    jmeter_run(case / "1", [1, 2])
    (case / "2").mkdir()
    leaves, left_out = find_leaves(tmp_path)
    assert [(leaf.kind, leaf.run) for leaf in leaves] == [("jmeter", 1)]
    assert [item.reason for item in left_out] == ["has no requests.csv and no summary.jtl"]


def test_files_elsewhere_are_said_and_hidden_folders_are_not_looked_into(tmp_path: Path) -> None:
    small(tmp_path, ratios={"k8s": 1.0})
    own_run(tmp_path / "k8s/gofunction/stray", [1.0])
    own_run(tmp_path / ".replaced/x/k8s/gofunction/sequential/noautoscaling/replica1/1", [1.0])
    own_run(tmp_path / "deep/er/k8s/gofunction/sequential/noautoscaling/replica1/1", [1.0])
    leaves, left_out = find_leaves(tmp_path)
    assert len(leaves) == 2
    assert len(left_out) == 2
    assert all("is not at <orchestrator>/<function>" in item.reason for item in left_out)


def test_excluded_functions(tmp_path: Path) -> None:
    small(tmp_path, functions=("gofunction", "ftpfunction"), ratios={"k8s": 1.0})
    leaves, left_out = find_leaves(tmp_path, exclude=["ftpfunction", "gone"])
    assert {leaf.function for leaf in leaves} == {"gofunction"}
    assert [str(item) for item in left_out] == ["gone: was to be excluded, but there is no such function here"]
    with pytest.raises(NoResultsError, match="every function in it is excluded"):
        find_leaves(tmp_path, exclude=["ftpfunction", "gofunction"])


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NoResultsError, match="found nothing, allowed: a folder"):
        find_leaves(tmp_path / "gone")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NoResultsError, match="found a file, allowed: a folder"):
        find_leaves(tmp_path / "file")
    with pytest.raises(NoResultsError, match="it holds: file"):
        find_leaves(tmp_path)
    (tmp_path / "file").unlink()
    with pytest.raises(NoResultsError, match="it holds: nothing") as error:
        find_leaves(tmp_path)
    assert "<orchestrator>/<function>/<sequential|parallel>" in str(error.value)
    assert isinstance(error.value, AnalysisError)


def test_the_generator_of_these_tests_writes_what_the_contract_says(tmp_path: Path) -> None:
    small(tmp_path, ratios={"k8s": 1.0})
    run = json.loads((tmp_path / "k8s/gofunction/sequential/noautoscaling/replica1/1/run.json").read_text())
    assert {"config_hash", "number_of_requests", "users", "void", "versions", "machine"} <= set(run)
