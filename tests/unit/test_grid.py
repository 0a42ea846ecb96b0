"""The grid: what is run, in which order, and when two runs are the same experiment."""

from __future__ import annotations

from pathlib import Path

import pytest
from experimentfiles import minimal, write_experiment

from faas_exp.config import load_experiment
from faas_exp.errors import FaasExpError
from faas_exp.grid import Deployment, build_plan, run_from_dict, run_to_dict


def plan(path: Path, **options: object) -> list[Deployment]:
    return build_plan(load_experiment(path), "swarm", **options)  # type: ignore[arg-type]


def runs(deployments: list[Deployment]) -> list[str]:
    return [str(run.path) for deployment in deployments for run in deployment.runs]


SMALL = "number_of_runs: 2, number_of_requests: 100, replicas: [1, 3], concurrency: [5, 10]"


def test_the_thesis_order(tmp_path: Path) -> None:
    assert runs(plan(minimal(tmp_path, SMALL + ", order: thesis"))) == [
        "swarm/fn/sequential/noautoscaling/replica1/1",
        "swarm/fn/sequential/noautoscaling/replica1/2",
        "swarm/fn/sequential/noautoscaling/replica3/1",
        "swarm/fn/sequential/noautoscaling/replica3/2",
        "swarm/fn/parallel/autoscaling/user_5/1",
        "swarm/fn/parallel/autoscaling/user_5/2",
        "swarm/fn/parallel/autoscaling/user_10/1",
        "swarm/fn/parallel/autoscaling/user_10/2",
        "swarm/fn/parallel/noautoscaling/replica1/1",
        "swarm/fn/parallel/noautoscaling/replica1/2",
        "swarm/fn/parallel/noautoscaling/replica3/1",
        "swarm/fn/parallel/noautoscaling/replica3/2",
    ]


def test_users_replicas_and_labels(tmp_path: Path) -> None:
    sequential, _, auto, parallel, _ = plan(minimal(tmp_path, SMALL + ", order: thesis"))
    assert {(r.users, r.replicas) for r in sequential.runs} == {(1, 1)}
    assert sequential.labels == {"com.openfaas.scale.min": "1", "com.openfaas.scale.max": "1"}
    assert {(r.users, r.replicas) for r in auto.runs} == {(5, None), (10, None)}
    assert auto.labels == {}
    assert {(r.users, r.replicas) for r in parallel.runs} == {(15, 1)}


def test_interleaving_keeps_blocks_and_repeats_by_seed(tmp_path: Path) -> None:
    text = "number_of_runs: 4, concurrency: [1, 2, 3, 4, 5, 6], load_types: [parallel/autoscaling]"
    (first,) = plan(minimal(tmp_path, text + ", seed: 7"))
    (again,) = plan(minimal(tmp_path, text + ", seed: 7"))
    (other,) = plan(minimal(tmp_path, text + ", seed: 8"))
    order = [(r.case, r.run) for r in first.runs]
    assert order == [(r.case, r.run) for r in again.runs]
    assert order != [(r.case, r.run) for r in other.runs]
    for block in range(4):
        part = order[block * 6 : block * 6 + 6]
        assert {case for case, _ in part} == {f"user_{n}" for n in range(1, 7)}
        assert {number for _, number in part} == {block + 1}
    assert [case for case, _ in order[:6]] != [case for case, _ in order[6:12]]


def test_both_orders_hold_the_same_runs(tmp_path: Path) -> None:
    assert sorted(runs(plan(minimal(tmp_path, SMALL)))) == sorted(
        runs(plan(minimal(tmp_path, SMALL + ", order: thesis")))
    )


def test_every_orchestrator_gets_the_same_requests(tmp_path: Path) -> None:
    experiment = load_experiment(minimal(tmp_path, SMALL))
    seeds = [[r.seed for d in build_plan(experiment, name) for r in d.runs] for name in ("swarm", "k8s")]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == len(seeds[0])


def test_cold_start_chunks_lose_no_request(tmp_path: Path) -> None:
    path = minimal(tmp_path, "number_of_requests: 35000", "inactivity_duration: 9, chunks_number: 6")
    run = plan(path)[0].runs[0]
    assert [c.name for c in run.chunks] == ["warm_0", "cold_0", "warm_1", "cold_1", "warm_2", "cold_2"]
    assert [c.number_of_requests for c in run.chunks] == [5834, 5834, 5833, 5833, 5833, 5833]
    assert [c.cold for c in run.chunks] == [False, True] * 3
    assert len({c.seed for c in run.chunks}) == 6


def test_a_function_may_have_its_own_grid(tmp_path: Path) -> None:
    own = "replicas: [2], concurrency: [7], number_of_runs: 1, number_of_requests: 5"
    assert sorted(runs(plan(minimal(tmp_path, SMALL, own)))) == [
        "swarm/fn/parallel/autoscaling/user_7/1",
        "swarm/fn/parallel/noautoscaling/replica2/1",
        "swarm/fn/sequential/noautoscaling/replica2/1",
    ]


def hashes(path: Path, **options: object) -> dict[str, str]:
    return {str(r.path): r.config_hash for d in plan(path, **options) for r in d.runs}


@pytest.mark.parametrize(
    ("settings", "function"),
    [
        (SMALL.replace("100", "101"), ""),
        (SMALL + ", delay_between_runs: 2", ""),
        (SMALL + ", rate: 10", ""),
        (SMALL + ", seed: 2", ""),
        (SMALL, "environment: {read_timeout: 1s}"),
        (SMALL, "data: x"),
    ],
)
def test_what_makes_another_experiment(tmp_path: Path, settings: str, function: str) -> None:
    before = hashes(minimal(tmp_path, SMALL))
    after = hashes(minimal(tmp_path, settings, function))
    assert before.keys() == after.keys()
    assert all(before[path] != after[path] for path in before)


def test_other_code_is_another_experiment(tmp_path: Path) -> None:
    path = minimal(tmp_path, SMALL)
    assert hashes(path, code_hashes={"fn": "a"}) != hashes(path, code_hashes={"fn": "b"})


def test_more_runs_or_another_password_are_the_same_experiment(tmp_path: Path) -> None:
    before = hashes(minimal(tmp_path, SMALL, "environment: {ftp_password: one}"))
    after = hashes(minimal(tmp_path, SMALL.replace("runs: 2", "runs: 3"), "environment: {ftp_password: two}"))
    assert len(after) > len(before)
    assert before.items() <= after.items()


def test_no_secret_in_what_is_hashed(tmp_path: Path) -> None:
    path = minimal(tmp_path, SMALL, "environment: {ftp_password: hunter2}")
    assert "hunter2" not in str(run_to_dict(plan(path)[0].runs[0]))


def test_a_run_survives_the_way_through_a_module(tmp_path: Path) -> None:
    run = plan(minimal(tmp_path, SMALL, "cold_start: forced"))[0].runs[0]
    copy = run_from_dict(run_to_dict(run))
    assert copy == run
    assert copy.config_hash == run.config_hash


def test_dependencies_come_first(tmp_path: Path) -> None:
    path = write_experiment(
        tmp_path,
        """
        experiment: {number_of_runs: 1, replicas: [1], concurrency: [1]}
        functions:
          - {name: a, yaml_path: a.yml, api: {uri: a}, depends_on: b}
          - {name: b, yaml_path: b.yml, api: {uri: b}}
        """,
        "a",
        "b",
    )
    assert {d.depends_on for d in plan(path) if d.function == "a"} == {("b",)}
    assert {d.depends_on for d in plan(path) if d.function == "b"} == {()}
    assert {d.function for d in plan(path, only=["b"])} == {"b"}


def test_unknown_function_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FaasExpError, match="no function 'x'; there are fn"):
        plan(minimal(tmp_path), only=["x"])


def test_empty_grid(tmp_path: Path) -> None:
    with pytest.raises(FaasExpError, match="the grid is empty"):
        plan(minimal(tmp_path), only=[])


def test_the_noise_floor_is_every_deployment_twice(tmp_path: Path) -> None:
    plain = plan(minimal(tmp_path, SMALL))
    doubled = plan(minimal(tmp_path, SMALL + ", noise_floor: true"))
    assert [d.label for d in doubled[::2]] == [d.label for d in plain]
    assert [d.label for d in doubled[1::2]] == [d.label.replace("fn ", "fn~aa ") for d in plain]
    first, twin = doubled[0].runs[0], doubled[1].runs[0]
    assert twin.function == "fn", "the same function is deployed and called"
    assert str(twin.path) == str(first.path).replace("/fn/", "/fn~aa/")
    assert (twin.config_hash, twin.seed) == (first.config_hash, first.seed)
    assert run_from_dict(run_to_dict(twin)) == twin
