"""Nomad as the provider needs it: functions with their replicas, and what changes them.

A change is a whole job under the index at which it was read (``EnforceIndex``): when somebody else was quicker it is
tried again on what is there then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from urllib.parse import quote

from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, ProviderError
from faas_exp.gateway.providers.cluster.deployed import Deployed, Task
from faas_exp.gateway.providers.nomad import allocations, jobs
from faas_exp.gateway.providers.nomad.api import NomadApi, NomadError
from faas_exp.gateway.providers.nomad.settings import NomadSettings

_ATTEMPTS = 5
_CONFLICT = "Enforcing job modify index"
_INVALID = ("error occurred", "errors occurred", "error(s) occurred", "alidation failed")
# An evaluation that places nothing is over in milliseconds; a leader just chosen needs its time.
_SETTLE = 10.0
_SHORTAGE_EVERY = 1.0


class Cluster:
    """Functions of one Nomad cluster."""

    def __init__(self, api: NomadApi, settings: NomadSettings) -> None:
        self._api = api
        self._settings = settings
        self._addresses: dict[str, tuple[str, int]] = {}
        self._jobs: dict[str, dict[str, Any]] = {}
        self._shortages: dict[str, tuple[float, str]] = {}
        self.version: tuple[int, ...] = (1, 0, 0)

    # reading

    def learn_version(self, nodes: list[dict[str, Any]]) -> None:
        """What the oldest client understands is what jobs are written in."""
        found = [version for node in nodes if (version := _version(node.get("Version", "")))]
        if found:
            self.version = min(found)

    async def functions(
        self, stubs: list[dict[str, Any]] | None = None, allocs: list[dict[str, Any]] | None = None
    ) -> dict[str, Deployed]:
        """All functions, by name.

        Args:
            stubs, allocs: Nomad's lists of jobs and allocations, when they are known already.

        Raises:
            ProviderError
        """
        if stubs is None:
            stubs = await self._api.get(f"/v1/jobs?prefix={jobs.PREFIX}")
        if allocs is None:
            allocs = await self._api.get("/v1/allocations")
        by_job: dict[str, list[dict[str, Any]]] = {}
        for allocation in allocs or []:
            by_job.setdefault(allocation["JobID"], []).append(allocation)
        self._forget(allocs or [], stubs or [])
        found = {}
        for stub in stubs or []:
            job = await self._known(stub)
            deployed = None if job is None else await self._deployed(job, by_job.get(stub["ID"], []))
            if deployed is not None:
                found[deployed.spec.name] = deployed
        return found

    async def get(self, name: str) -> Deployed | None:
        """One function, as it is now.

        Raises:
            ProviderError
        """
        job = await self._job(name)
        if job is None:
            return None
        allocs = await self._api.get(f"/v1/job/{quote(jobs.job_id(name))}/allocations")
        return await self._deployed(job, allocs or [])

    async def _known(self, stub: dict[str, Any]) -> dict[str, Any] | None:
        job = self._jobs.get(stub["ID"])
        if job is None or job["JobModifyIndex"] != stub["JobModifyIndex"]:
            job = await self._api.get(f"/v1/job/{quote(stub['ID'])}")
            if job is not None:
                self._jobs[stub["ID"]] = job
        return job

    async def _deployed(self, job: dict[str, Any], allocs: list[dict[str, Any]]) -> Deployed | None:
        spec = jobs.function_of(job)
        if spec is None:
            return None
        serving = [allocation for allocation in allocs if allocations.serves(allocation)]
        places = await asyncio.gather(*(self._address(allocation["ID"]) for allocation in serving))
        up = [
            Task(allocation["ID"], place[0], place[1], allocations.started_ms(allocation))
            for allocation, place in zip(serving, places, strict=True)
            if place is not None
        ]
        up.sort(key=lambda task: task.id)
        count = jobs.wanted(job)
        error = "" if len(up) >= count else await self._why_not(job, allocs, count)
        return Deployed(spec, count, jobs.created(job), tuple(up), error, jobs.autoscaled(job))

    async def _address(self, allocation: str) -> tuple[str, int] | None:
        """Asked once: an allocation keeps its address."""
        if allocation not in self._addresses:
            whole = await self._api.get(f"/v1/allocation/{allocation}")
            place = None if whole is None else allocations.address(whole)
            if place is None:
                return None
            self._addresses[allocation] = place
        return self._addresses[allocation]

    async def _why_not(self, job: dict[str, Any], allocs: list[dict[str, Any]], count: int) -> str:
        """What the newest replica that does not run complains of; else why some have no place."""
        placed = [allocation for allocation in allocs if allocations.wanted(allocation)]
        failing = max(
            (
                allocations.trouble(allocation)
                for allocation in allocs
                if not allocations.serves(allocation) and allocation.get("JobVersion") == job.get("Version")
            ),
            default=(0, ""),
        )
        if len(placed) >= count:
            return failing[1]
        last, text = self._shortages.get(job["ID"], (0.0, ""))
        if monotonic() - last > _SHORTAGE_EVERY:
            evaluations = await self._api.get(f"/v1/job/{quote(job['ID'])}/evaluations")
            current = [one for one in evaluations or [] if one.get("JobModifyIndex", 0) >= job["JobModifyIndex"]]
            text = allocations.shortage(current or evaluations or [], count, len(placed))
            self._shortages[job["ID"]] = (monotonic(), text)
        return text or failing[1]

    def _forget(self, allocs: list[dict[str, Any]], stubs: list[dict[str, Any]]) -> None:
        present = {allocation["ID"] for allocation in allocs}
        for gone in self._addresses.keys() - present:
            del self._addresses[gone]
        named = {stub["ID"] for stub in stubs}
        for old in self._jobs.keys() - named:
            del self._jobs[old]
        for old in self._shortages.keys() - named:
            del self._shortages[old]

    async def _job(self, name: str) -> dict[str, Any] | None:
        job = await self._api.get(f"/v1/job/{quote(jobs.job_id(name))}")
        return job if job is not None and jobs.function_of(job) is not None else None

    # changing

    async def deploy(self, spec: FunctionSpec) -> None:
        """Registers the job, with the replicas of ``scale.min``.

        Raises:
            FunctionExistsError, InvalidFunctionError, ProviderError
        """
        if await self._job(spec.name) is not None:
            raise FunctionExistsError(f"function {spec.name} exists already; PUT changes it")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        job = jobs.job_of(spec, spec.scale.minimum, now, self.version, self._settings)
        stale = await self._api.get(f"/v1/job/{quote(jobs.job_id(spec.name))}")
        if not await self._register(job, 0 if stale is None else stale["JobModifyIndex"]):
            raise FunctionExistsError(f"function {spec.name} exists already; PUT changes it")

    async def update(self, spec: FunctionSpec) -> None:
        """Changes the job; Nomad starts new replicas before it ends the old ones (from 0.9 on).

        Raises:
            FunctionNotFoundError, InvalidFunctionError, ProviderError
        """

        def change(job: dict[str, Any]) -> dict[str, Any]:
            scale = spec.scale
            count = min(max(jobs.wanted(job), scale.minimum), scale.maximum)
            return jobs.job_of(spec, count, jobs.created(job), self.version, self._settings)

        await self._change(spec.name, change)

    async def scale(self, name: str, replicas: int, expected: int | None) -> None:
        """Asks for a number of replicas; does nothing when there are not ``expected`` any more.

        Args:
            expected: given by autoscalers, and only by them.

        Raises:
            FunctionNotFoundError, ProviderError
        """
        by_autoscaler = expected is not None

        def change(job: dict[str, Any]) -> dict[str, Any] | None:
            now = jobs.wanted(job)
            if by_autoscaler and now != expected:
                return None
            if now == replicas and jobs.autoscaled(job) == by_autoscaler:
                return None
            changed: dict[str, Any] = jobs.with_replicas(job, replicas, self.version, self._settings, by_autoscaler)
            return changed

        await self._change(name, change)

    async def delete(self, name: str) -> None:
        """Removes the job and its record; its replicas finish what they have.

        Raises:
            FunctionNotFoundError, ProviderError
        """
        if await self._job(name) is None:
            raise FunctionNotFoundError(f"function {name} not found")
        answer = await self._api.send("DELETE", f"/v1/job/{quote(jobs.job_id(name))}?purge=true")
        # A job of that name registered before this is through would find the old replicas its own.
        await self._settled(answer.get("EvalID") or "")

    async def _change(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        for _ in range(_ATTEMPTS):
            job = await self._job(name)
            if job is None:
                raise FunctionNotFoundError(f"function {name} not found")
            wish = change(job)
            if wish is None or await self._register(wish, job["JobModifyIndex"]):
                return
        raise ProviderError(f"function {name}: somebody else changes it all the time")

    async def _register(self, job: dict[str, Any], index: int) -> bool:
        """Registers a job that is at ``index`` still, 0 for a new one; False when it is not."""
        # No mark of this call goes along: another meta would be another task to Nomad, and replace every replica.
        body = {"Job": job, "EnforceIndex": True, "JobModifyIndex": index}
        try:
            await self._api.send("PUT", "/v1/jobs", body)
        except NomadError as error:
            if _CONFLICT in error.text:
                # A call whose answer was lost was given again, and finds its own work done.
                there = await self._api.get(f"/v1/job/{quote(job['ID'])}")
                return there is not None and jobs.same(there, job)
            if error.status == 400 or any(part in error.text for part in _INVALID):
                raise InvalidFunctionError(str(error)) from error
            raise
        return True

    async def _settled(self, evaluation: str) -> None:
        end = monotonic() + _SETTLE
        while evaluation and monotonic() < end:
            found = await self._api.get(f"/v1/evaluation/{evaluation}")
            if found is None or found["Status"] not in ("pending", "blocked"):
                return
            await asyncio.sleep(0.05)


def _version(text: str) -> tuple[int, ...]:
    """``1.6.4-beta+ent`` as (1, 6, 4)."""
    numbers = text.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(number) for number in numbers) if all(number.isdigit() for number in numbers) else ()
