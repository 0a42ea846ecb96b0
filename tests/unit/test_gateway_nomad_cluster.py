"""What the provider makes of the answers of a real Nomad, of every version that was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nomadreplay import VERSIONS, Replay

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, ProviderError
from faas_exp.gateway.providers.nomad import api as nomad_api
from faas_exp.gateway.providers.nomad.allocations import trouble
from faas_exp.gateway.providers.nomad.api import NomadApi, NomadError
from faas_exp.gateway.providers.nomad.cluster import Cluster
from faas_exp.gateway.providers.nomad.settings import Agent, NomadSettings


def run(version: str, test: Callable[[Replay, Cluster], Awaitable[None]]) -> None:
    async def whole() -> None:
        replay = await Replay.start(version)
        settings = NomadSettings((Agent(replay.url),))
        cluster = Cluster(NomadApi(settings), settings)
        try:
            await test(replay, cluster)
        finally:
            await replay.stop()

    asyncio.run(whole())


@pytest.mark.parametrize("version", VERSIONS)
def test_functions_and_their_replicas(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        cluster.learn_version(replay.answers["GET /v1/nodes"]["body"])
        assert ".".join(map(str, cluster.version)) == version
        found = await cluster.functions()
        assert set(found) == {"go1", "bad", "huge"}
        fine = found["go1"]
        assert (fine.wanted, len(fine.tasks), fine.error) == (1, 1, "")
        assert fine.spec.image == "gofn:v1"
        assert fine.spec.environment == {"X": "2"}
        (task,) = fine.tasks
        assert task.host.startswith("198.18.")
        assert 20000 <= task.port <= 32000
        assert task.started_ms > 1_700_000_000_000

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_that_does_not_exist_is_told(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        bad = (await cluster.functions())["bad"]
        assert bad.tasks == ()
        assert "nothing:v1" in bad.error
        assert "manifest unknown" in bad.error
        alone = await cluster.get("bad")
        assert alone is not None
        assert alone.error == bad.error

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_how_many_fit_is_told(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        huge = (await cluster.functions())["huge"]
        assert huge.wanted == 20
        assert 0 < len(huge.tasks) < 20
        assert huge.error.startswith(f"{len(huge.tasks)} of 20 replicas fit the cluster: memory")

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_address_is_asked_once(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        await cluster.functions()
        first = [call for call, _ in replay.asked if call.startswith("GET /v1/allocation/")]
        await cluster.functions()
        again = [call for call, _ in replay.asked if call.startswith("GET /v1/allocation/")]
        assert len(first) == len(set(first)) > 0
        assert again == first

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_scaling_sends_the_whole_job_under_its_index(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        there = replay.answers["GET /v1/job/faas-exp-go1"]["body"]
        replay.next("PUT /v1/jobs", 200, {"EvalID": "e"})
        await cluster.scale("go1", 7, None)
        (sent,) = [body for call, body in replay.asked if call == "PUT /v1/jobs"]
        assert sent["EnforceIndex"] is True
        assert sent["JobModifyIndex"] == there["JobModifyIndex"]
        assert sent["Job"]["TaskGroups"][0]["Count"] == 7
        # Whatever of these differs makes Nomad replace every replica.
        assert sent["Job"]["TaskGroups"][0]["Tasks"] == there["TaskGroups"][0]["Tasks"]
        assert sent["Job"]["Meta"] == there["Meta"]
        assert sent["Job"]["Constraints"] == there["Constraints"]

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_was_slower_tries_again(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        conflict = replay.answers["PUT conflict"]
        replay.next("PUT /v1/jobs", conflict["status"], conflict["body"])
        replay.next("PUT /v1/jobs", 200, {"EvalID": "e"})
        await cluster.scale("go1", 7, None)
        assert len([call for call, _ in replay.asked if call == "PUT /v1/jobs"]) == 2

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_number_that_somebody_changed_is_left_alone(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        await cluster.scale("go1", 7, expected=5)
        assert [call for call, _ in replay.asked if call == "PUT /v1/jobs"] == []

    run(version, test)


@pytest.mark.parametrize("version", VERSIONS)
def test_whether_an_autoscaler_asked_is_kept_in_nomad(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        there = replay.answers["GET /v1/job/faas-exp-go1"]
        found = await cluster.get("go1")
        assert found is not None
        assert not found.autoscaled
        replay.next("PUT /v1/jobs", 200, {"EvalID": "e"})
        await cluster.scale("go1", 7, expected=1)
        (sent,) = [body["Job"] for call, body in replay.asked if call == "PUT /v1/jobs"]
        replay.answers["GET /v1/job/faas-exp-go1"] = {**there, "body": {**there["body"], "Priority": sent["Priority"]}}
        found = await cluster.get("go1")
        assert found is not None
        assert found.autoscaled
        # The same number, asked for by somebody: it is theirs from now on.
        replay.next("PUT /v1/jobs", 200, {"EvalID": "e"})
        await cluster.scale("go1", 1, None)
        sent = [body["Job"] for call, body in replay.asked if call == "PUT /v1/jobs"][-1]
        assert sent["Priority"] == there["body"]["Priority"]

    run(version, test)


def test_a_secret_that_is_missing_is_named() -> None:
    event = {"Type": "Template", "Time": 5, "DisplayMessage": "Missing: kv.block(faas-exp/secrets/key)"}
    for one in (event, {**event, "DisplayMessage": "", "Message": event["DisplayMessage"]}):
        states = {"TaskStates": {"f": {"State": "pending", "Events": [one]}}}
        assert trouble(states) == (5, "secrets: not in Consul's store: faas-exp/secrets/key")


@pytest.mark.parametrize("version", VERSIONS)
def test_refusals(version: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        spec = FunctionSpec(name="go1", image="gofn:v1")
        with pytest.raises(FunctionExistsError):
            await cluster.deploy(spec)
        for call in (cluster.update(FunctionSpec(name="absent", image="x")), cluster.delete("absent")):
            with pytest.raises(FunctionNotFoundError):
                await call
        invalid = replay.answers["PUT invalid"]
        replay.next("PUT /v1/jobs", invalid["status"], invalid["body"])
        with pytest.raises(InvalidFunctionError, match="negative"):
            await cluster.deploy(FunctionSpec(name="absent", image="gofn:v1"))
        exists = replay.answers["PUT exists"]
        replay.next("PUT /v1/jobs", exists["status"], exists["body"])
        with pytest.raises(FunctionExistsError):
            await cluster.deploy(FunctionSpec(name="absent", image="gofn:v1"))

    run(version, test)


def test_a_lost_answer_is_no_conflict() -> None:
    """The call went through, its answer did not: asked again, Nomad says that the job is there already."""

    async def test(replay: Replay, cluster: Cluster) -> None:
        replay.next("PUT /v1/jobs", 500, "Enforcing job modify index 0: job already exists")
        original = NomadApi.get

        async def get(self: NomadApi, path: str) -> Any:
            sent = [body for call, body in replay.asked if call == "PUT /v1/jobs"]
            return sent[0]["Job"] if sent and path == "/v1/job/faas-exp-new" else await original(self, path)

        NomadApi.get = get  # type: ignore[method-assign]
        try:
            await cluster.deploy(FunctionSpec(name="new", image="gofn:v1"))
        finally:
            NomadApi.get = original  # type: ignore[method-assign]

    run("", test)


def test_deleting_waits_until_the_old_replicas_are_nobodys() -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        replay.next("DELETE /v1/job/faas-exp-go1?purge=true", 200, {"EvalID": "e1"})
        replay.next("GET /v1/evaluation/e1", 200, {"Status": "pending"})
        replay.next("GET /v1/evaluation/e1", 200, {"Status": "complete"})
        await cluster.delete("go1")
        assert [call for call, _ in replay.asked][-2:] == ["GET /v1/evaluation/e1"] * 2

    run(VERSIONS[-1], test)


@pytest.mark.parametrize(
    "said",
    [
        "No cluster leader",
        "rpc error: No cluster leader",
        "rpc error: failed to get conn: rpc error: lead thread didn't get connection",
        "rpc error: EOF",
        "rpc error: Not ready to serve consistent reads",
    ],
)
def test_calls_wait_while_a_leader_is_chosen(said: str) -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        for _ in range(3):
            replay.next("GET /v1/job/faas-exp-go1", 500, said)
        found = await cluster.get("go1")
        assert found is not None
        assert found.wanted == 1

    run(VERSIONS[-1], test)


def test_calls_go_on_with_another_agent() -> None:
    async def whole() -> None:
        replay = await Replay.start(VERSIONS[-1])
        gone = await Replay.start()
        await gone.stop()
        api = NomadApi(NomadSettings((Agent(gone.url), Agent(replay.url))))
        try:
            assert len(await api.get("/v1/nodes")) == 2
            # And stays there.
            await api.get("/v1/nodes")
            assert len(replay.asked) == 2
        finally:
            await replay.stop()

    asyncio.run(whole())


def test_nobody_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nomad_api, "_PATIENCE", 0.3)

    async def whole() -> None:
        gone = await Replay.start()
        await gone.stop()
        api = NomadApi(NomadSettings((Agent(gone.url),)))
        with pytest.raises(ProviderError, match="Nomad does not answer"):
            await api.get("/v1/nodes")

    asyncio.run(whole())


def test_a_token_that_may_not_is_said() -> None:
    async def test(replay: Replay, cluster: Cluster) -> None:
        replay.next("GET /v1/allocations", 403, "Permission denied")
        with pytest.raises(NomadError, match="Permission denied"):
            await cluster.functions()

    run(VERSIONS[-1], test)
