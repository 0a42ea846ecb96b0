"""Functions as Nomad jobs: the same deployment for every version, and back without a loss."""

from __future__ import annotations

import json
from typing import Any

import pytest

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers.nomad import jobs
from faas_exp.gateway.providers.nomad.resources import resources
from faas_exp.gateway.providers.nomad.settings import Agent, NomadSettings

SETTINGS = NomadSettings((Agent("http://127.0.0.1:4646"),))
WITH_SECRETS = NomadSettings((Agent("http://127.0.0.1:4646"),), nomad_secrets="faas-exp/secrets")
VERSIONS = [(0, 8, 4), (1, 0, 0), (1, 6, 4)]


def spec(**more: Any) -> FunctionSpec:
    return FunctionSpec(name="node", image="registry:5000/node@sha256:0123", **more)


def job(given: FunctionSpec, version: tuple[int, ...] = (1, 0, 0), count: int = 3) -> dict[str, Any]:
    return jobs.job_of(given, count, "2026-01-02T03:04:05Z", version, SETTINGS)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_goes_in_comes_out(version: tuple[int, ...]) -> None:
    given = spec(
        env_process="node index.js",
        environment={
            "write_timeout": "65s",
            "WHO": "${node.unique.id} and ${NOMAD_ALLOC_ID} and ${ not one",
            "PORT": "9000",
        },
        labels={"com.openfaas.scale.min": "3"},
        annotations={"a": "b"},
        constraints=("attr.cpu.arch == amd64",),
        limits={"memory": "256Mi", "cpu": "500m"},
        requests={"memory": "128Mi"},
        read_only_root_filesystem=True,
    )
    made = json.loads(json.dumps(job(given, version)))
    assert jobs.function_of(made) == given
    assert jobs.wanted(made) == 3
    assert jobs.created(made) == "2026-01-02T03:04:05Z"


def test_nomad_fills_in_nothing_of_a_functions_own() -> None:
    environment = job(spec(environment={"A": "${node.unique.id}", "B": "${HOME} x", "C": "plain"}))["TaskGroups"][0][
        "Tasks"
    ][0]["Env"]
    assert environment["A"] == "${NOMAD_META_faas_exp_dollar}{node.unique.id}"
    assert environment["B"] == "${NOMAD_META_faas_exp_dollar}{HOME} x"
    assert environment["C"] == "plain"
    assert environment["REPLICA_ID"] == "${NOMAD_ALLOC_ID}"


def test_the_environment_stands_once() -> None:
    assert "s3cret" not in json.dumps(job(spec(environment={"password": "s3cret"}))["Meta"])


def test_networks_of_the_task_before_1_0() -> None:
    old = job(spec(environment={"PORT": "9000"}), (0, 8, 4))["TaskGroups"][0]
    assert "Networks" not in old
    assert old["Tasks"][0]["Config"]["port_map"] == [{"http": 9000}]
    assert old["Tasks"][0]["Resources"]["Networks"] == [{"MBits": 1, "DynamicPorts": [{"Label": "http"}]}]
    new = job(spec(environment={"PORT": "9000"}), (1, 6, 4))["TaskGroups"][0]
    assert new["Networks"] == [{"DynamicPorts": [{"Label": "http", "To": 9000}]}]
    assert new["Tasks"][0]["Config"]["ports"] == ["http"]
    assert "Networks" not in new["Tasks"][0]["Resources"]


def test_new_replicas_come_before_old_ones_go() -> None:
    assert job(spec(), (1, 0, 0), 7)["Update"] == {
        **job(spec(), (1, 0, 0), 7)["Update"],
        "Canary": 7,
        "MaxParallel": 7,
        "AutoPromote": True,
    }
    assert job(spec(), (0, 8, 4), 7)["Update"]["Canary"] == 0
    assert job(spec(), (1, 0, 0), 0)["Update"]["Canary"] == 0


def test_scaling_changes_the_number_alone() -> None:
    before = job(spec(environment={"A": "b"}))
    # As Nomad gives it back: each group has the rules of its update.
    before["TaskGroups"][0]["Update"] = before["Update"]
    after = jobs.with_replicas(before, 20, (1, 0, 0), SETTINGS)
    assert jobs.wanted(after) == 20
    assert after["Update"]["Canary"] == 20
    assert after["TaskGroups"][0]["Tasks"] == before["TaskGroups"][0]["Tasks"]
    assert after["TaskGroups"][0].get("Update") is None


def test_who_asked_for_a_number_is_told_beside_the_tasks() -> None:
    before = job(spec())
    assert not jobs.autoscaled(before)
    by_itself = jobs.with_replicas(before, 5, (1, 0, 0), SETTINGS, by_autoscaler=True)
    assert jobs.autoscaled(by_itself)
    # Whatever of these differs makes Nomad replace every replica.
    assert by_itself["Meta"] == before["Meta"]
    assert by_itself["TaskGroups"][0]["Tasks"] == before["TaskGroups"][0]["Tasks"]
    assert not jobs.autoscaled(jobs.with_replicas(by_itself, 5, (1, 0, 0), SETTINGS))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_secret_is_named_and_never_held(version: tuple[int, ...]) -> None:
    given = spec(secrets=("ftp-password", "b"))
    made = jobs.job_of(given, 1, "", version, WITH_SECRETS)
    task = made["TaskGroups"][0]["Tasks"][0]
    assert [(one["EmbeddedTmpl"], one["DestPath"]) for one in task["Templates"]] == [
        ('{{ key "faas-exp/secrets/ftp-password" }}', "secrets/openfaas/ftp-password"),
        ('{{ key "faas-exp/secrets/b" }}', "secrets/openfaas/b"),
    ]
    # Relative, so that it is within the replica's own folder: the driver takes nothing else.
    assert task["Config"]["volumes"] == ["secrets/openfaas:/var/openfaas/secrets:ro"]
    assert jobs.function_of(made) == given
    without = jobs.job_of(spec(), 1, "", version, WITH_SECRETS)["TaskGroups"][0]["Tasks"][0]
    assert "Templates" not in without
    assert "volumes" not in without["Config"]


@pytest.mark.parametrize("name", ["", "../nomad-gateway-token", "a/b", 'a" }}{{ key "b', "A", "-a", "a..b", "a\n"])
def test_a_secret_can_not_be_another_key(name: str) -> None:
    with pytest.raises(InvalidFunctionError, match=r"secrets: found .*, allowed: up to 253 of"):
        jobs.job_of(spec(secrets=(name,)), 1, "", (1, 0, 0), WITH_SECRETS)


def test_a_replica_gets_the_time_a_request_may_take() -> None:
    task = job(spec(environment={"write_timeout": "65s"}))["TaskGroups"][0]["Tasks"][0]
    assert task["KillTimeout"] == 66 * 10**9
    assert job(spec(environment={"write_timeout": "1h"}))["TaskGroups"][0]["Tasks"][0]["KillTimeout"] == 306 * 10**9
    assert job(spec())["TaskGroups"][0]["Tasks"][0]["KillTimeout"] == 30 * 10**9


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("attr.cpu.arch == amd64", {"LTarget": "${attr.cpu.arch}", "Operand": "=", "RTarget": "amd64"}),
        ("${node.class} = fast", {"LTarget": "${node.class}", "Operand": "=", "RTarget": "fast"}),
        ("meta.disk != slow", {"LTarget": "${meta.disk}", "Operand": "!=", "RTarget": "slow"}),
    ],
)
def test_constraints(constraint: str, expected: dict[str, str]) -> None:
    assert job(spec(constraints=(constraint,)))["Constraints"] == [expected]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"constraints": ("disk is fast",)}, "constraints: found 'disk is fast'"),
        ({"secrets": ("key",)}, "secrets: found key, allowed: none"),
        ({"environment": {"PORT": "http"}}, "envVars.PORT: found 'http'"),
        ({"limits": {"memory": "lots"}}, "limits.memory: found 'lots'"),
        ({"requests": {"cpu": "-1"}}, "requests.cpu: found '-1'"),
        ({"limits": {"memory": "64Mi"}, "requests": {"memory": "128Mi"}}, "requests.memory: found 128 MB"),
    ],
)
def test_what_can_not_be_is_refused(more: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidFunctionError, match="allowed") as refused:
        job(spec(**more))
    assert named in str(refused.value)


def test_somebody_elses_job_is_none_of_ours() -> None:
    assert jobs.function_of({"ID": "faas-exp-x", "Meta": None}) is None
    assert jobs.function_of({"ID": "faas-exp-x", "Meta": {"faas_exp_function": "{"}}) is None
    assert jobs.function_of({**job(spec()), "Stop": True}) is None


@pytest.mark.parametrize(
    ("limits", "requests", "version", "cpu", "memory", "hard"),
    [
        (None, None, (1, 0, 0), 100, 128, 2048),
        (None, None, (0, 8, 4), 100, 128, None),
        ({"memory": "256Mi"}, None, (1, 0, 0), 100, 256, None),
        ({"memory": "256Mi", "cpu": "0.5"}, {"memory": "64Mi", "cpu": "250m"}, (1, 0, 0), 250, 64, 256),
        ({"memory": "256Mi"}, {"memory": "64Mi"}, (0, 8, 4), 100, 256, None),
        ({"cpu": "1m", "memory": "1Mi"}, None, (1, 0, 0), 20, 10, None),
    ],
)
def test_sizes(
    limits: dict[str, str] | None,
    requests: dict[str, str] | None,
    version: tuple[int, ...],
    cpu: int,
    memory: int,
    hard: int | None,
) -> None:
    sizes = resources(spec(limits=limits, requests=requests), version, SETTINGS)
    assert (sizes.nomad["CPU"], sizes.nomad["MemoryMB"]) == (cpu, memory)
    assert sizes.docker.get("memory_hard_limit") == hard


@pytest.mark.parametrize("services", ["consul", "nomad", "none"])
def test_who_checks_replicas(services: str) -> None:
    settings = NomadSettings((Agent("http://127.0.0.1:4646"),), nomad_services=services)
    made = jobs.job_of(spec(), 1, "", (1, 6, 4), settings)
    found = made["TaskGroups"][0]["Tasks"][0].get("Services")
    if services == "none":
        assert found is None
        assert made["Update"]["HealthCheck"] == "task_states"
    else:
        assert found[0]["Provider"] == services
        assert found[0]["Checks"][0]["Path"] == "/_/health"
        assert (
            "Provider"
            not in jobs.job_of(spec(), 1, "", (1, 0, 0), settings)["TaskGroups"][0]["Tasks"][0]["Services"][0]
        )


def test_what_makes_two_jobs_the_same() -> None:
    first = job(spec(environment={"A": "1"}))
    assert jobs.same(first, job(spec(environment={"A": "1"})))
    assert not jobs.same(first, job(spec(environment={"A": "2"})))
    assert not jobs.same(first, job(spec(environment={"A": "1"}), count=4))
    assert not jobs.same(first, job(spec(environment={"A": "1"}, labels={"x": "y"})))
