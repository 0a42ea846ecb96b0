"""The grid: an experiment as an ordered list of deployments, each with an ordered list of runs.

The order is the thesis's per function: sequential without autoscaling, parallel with autoscaling, parallel without.
With ``order: interleaved`` what the deployments allow is shuffled, seeded: the order of the numbers of replicas of one
load type, and within one deployment the cases, in complete blocks (every case once, then every case again), so that a
drift of the machines over hours meets all cases alike.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from faas_exp.config import Experiment, is_secret
from faas_exp.errors import FaasExpError
from faas_exp.schema import Function

TWIN = "~aa"
"""Ending of a function's name in the tree when it is measured a second time for the noise floor."""

Case = tuple[str, int, int | None]
"""Name of the case's folder, users, replicas."""


@dataclass(frozen=True)
class Chunk:
    """A part of a cold-start run: ``warm_K`` or ``cold_K`` (``name`` is empty when a run has no chunks)."""

    name: str
    number_of_requests: int
    seed: int

    @property
    def cold(self) -> bool:
        return self.name.startswith("cold_")


@dataclass(frozen=True)
class Run:
    """One cell of the result tree, once.

    Attributes:
        case: ``user_N`` or ``replicaN``, as the thesis names its folders.
        run: counts from 1.
        users: that send requests at the same time.
        replicas: asked for; None where the platform scales.
        twin: done again for the noise floor (A/A).
        path: below the result folder.
        config: everything that makes this run comparable to another one with the same hash.
    """

    orchestrator: str
    function: str
    load: str
    scaling: str
    case: str
    run: int
    users: int
    replicas: int | None
    number_of_requests: int
    chunks: tuple[Chunk, ...]
    seed: int
    config: dict[str, Any] = field(compare=False)
    twin: bool = False

    @property
    def name(self) -> str:
        """The function's name in the tree: a twin is the same function under a second name."""
        return self.function + TWIN if self.twin else self.function

    @property
    def path(self) -> Path:
        return Path(self.orchestrator, self.name, self.load, self.scaling, self.case, str(self.run))

    @property
    def config_hash(self) -> str:
        text = json.dumps(self.config, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """What a progress line shows."""
        return f"{self.name} {self.load} {self.scaling} {self.case} run {self.run}"


@dataclass(frozen=True)
class Deployment:
    """A function deployed in one way, and the runs on it.

    Attributes:
        replicas: fixed number of replicas; None leaves scaling to the platform.
        labels: laid over the stack file's.
        depends_on: functions that must be deployed first, in this order.
    """

    function: str
    load: str
    scaling: str
    replicas: int | None
    labels: dict[str, str]
    depends_on: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def label(self) -> str:
        return f"{self.runs[0].name if self.runs else self.function} {self.load} " + (
            f"{self.replicas} replicas" if self.replicas else "autoscaling"
        )


def build_plan(
    experiment: Experiment,
    orchestrator: str,
    *,
    only: Sequence[str] | None = None,
    code_hashes: dict[str, str] | None = None,
) -> list[Deployment]:
    """All deployments with all runs, in the order in which they are to be executed.

    Args:
        orchestrator: first folder of the result tree, e.g. ``swarm``.
        only: restrict to these functions.
        code_hashes: per function, a hash of its code where the code is at hand: other code is another experiment.

    Raises:
        FaasExpError: nothing is left to run.
    """
    names = [f.name for f in experiment.functions]
    for name in only or ():
        if name not in names:
            raise FaasExpError(f"{experiment.path}: no function {name!r}; there are {', '.join(names)}")
    plan: list[Deployment] = []
    for function in experiment.functions:
        if only is None or function.name in only:
            plan.extend(_deployments(experiment, function, orchestrator, (code_hashes or {}).get(function.name)))
    if experiment.settings.noise_floor:
        # Right after each other: a drift over hours is no difference between a thing and itself.
        plan = [twin for deployment in plan for twin in (deployment, _twin(deployment))]
    if not plan:
        raise FaasExpError(f"{experiment.path}: nothing to run for {orchestrator}: the grid is empty")
    return plan


def _twin(deployment: Deployment) -> Deployment:
    return replace(deployment, runs=tuple(replace(run, twin=True) for run in deployment.runs))


def derived_seed(*parts: object) -> int:
    """A seed for one thing of many, the same whatever the order in which they are executed."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def _deployments(experiment: Experiment, function: Function, orchestrator: str, code: str | None) -> list[Deployment]:
    settings = experiment.settings
    depends_on = tuple(experiment.dependencies(function.name))
    load_types = function.load_types or settings.load_types
    result: list[Deployment] = []

    def runs(load: str, scaling: str, cases: list[Case]) -> tuple[Run, ...]:
        count = function.number_of_runs or settings.number_of_runs
        pairs = [(case, number) for case in cases for number in range(1, count + 1)]
        if settings.order == "interleaved":
            pairs = _blocks(cases, count, derived_seed(settings.seed, function.name, load, scaling))
        made = []
        for (case, users, replicas), number in pairs:
            # Without the orchestrator: every orchestrator gets the same requests in the same run.
            seed = derived_seed(settings.seed, function.name, load, scaling, case, number)
            chunks = _chunks(function, function.number_of_requests or settings.number_of_requests, seed)
            config = _config(experiment, function, load, scaling, users, replicas, code)
            made.append(
                Run(
                    orchestrator, function.name, load, scaling, case, number, users, replicas,
                    sum(c.number_of_requests for c in chunks), chunks, seed, {**config, "seed": seed},
                )
            )  # fmt: skip
        return tuple(made)

    def fixed(load: str, users: int) -> list[Deployment]:
        numbers = list(function.replicas or settings.replicas)
        if settings.order == "interleaved":
            random.Random(derived_seed(settings.seed, function.name, load, "replicas")).shuffle(numbers)  # noqa: S311 an order, no secret
        return [
            Deployment(
                function.name, load, "noautoscaling", number,
                {"com.openfaas.scale.min": str(number), "com.openfaas.scale.max": str(number)},
                depends_on, runs(load, "noautoscaling", [(f"replica{number}", users, number)]),
            )
            for number in numbers
        ]  # fmt: skip

    if "sequential/noautoscaling" in load_types:
        result.extend(fixed("sequential", 1))
    if "parallel/autoscaling" in load_types:
        cases: list[Case] = [(f"user_{users}", users, None) for users in function.concurrency or settings.concurrency]
        made = runs("parallel", "autoscaling", cases)
        result.append(Deployment(function.name, "parallel", "autoscaling", None, {}, depends_on, made))
    if "parallel/noautoscaling" in load_types:
        result.extend(fixed("parallel", settings.parallel_users))
    return result


def _blocks(cases: list[Case], count: int, seed: int) -> list[tuple[Case, int]]:
    """Complete blocks in random order: every case once, then every case again."""
    rng = random.Random(seed)  # noqa: S311 an order, no secret
    pairs: list[tuple[Case, int]] = []
    for number in range(1, count + 1):
        block = list(cases)
        rng.shuffle(block)
        pairs.extend((case, number) for case in block)
    return pairs


def _chunks(function: Function, requests: int, seed: int) -> tuple[Chunk, ...]:
    """One chunk without a name, or warm_0, cold_0, warm_1, …; a remainder goes to the first chunks."""
    if not function.has_cold_starts:
        return (Chunk("", requests, seed),)
    count = function.chunks_number or 6
    share, rest = divmod(requests, count)
    return tuple(
        Chunk(f"{'cold' if i % 2 else 'warm'}_{i // 2}", share + (i < rest), derived_seed(seed, "chunk", i))
        for i in range(count)
    )


def _config(
    experiment: Experiment,
    function: Function,
    load: str,
    scaling: str,
    users: int,
    replicas: int | None,
    code: str | None,
) -> dict[str, Any]:
    """What makes two runs the same experiment; secrets count as "there is one", not by their value."""
    settings, stack = experiment.settings, experiment.stacks[function.name]
    deployment = stack.deployment(function.environment)
    deployment["envVars"] = {k: "(secret)" if is_secret(k) else v for k, v in deployment["envVars"].items()}
    return {
        "function": function.name,
        "deployment": deployment,
        "code": code,
        "api": {
            **function.api.model_dump(exclude={"data", "headers"}),
            "data": function.body,
            "headers": {
                k: "(secret)" if is_secret(k) or k.lower() == "authorization" else v
                for k, v in function.api.headers.items()
            },
        },
        "load": load,
        "scaling": scaling,
        "users": users,
        "replicas": replicas,
        "number_of_requests": function.number_of_requests or settings.number_of_requests,
        "chunks_number": (function.chunks_number or 6) if function.has_cold_starts else None,
        "inactivity_duration": function.inactivity_duration,
        "cold_start": function.cold_start if function.has_cold_starts else None,
        "delay_between_runs": settings.delay_between_runs,
        "rate": settings.rate,
        "arrivals": settings.arrivals if settings.rate else None,
        "request_timeout": settings.request_timeout,
        "run_timeout": settings.run_timeout,
        "depends_on": sorted(experiment.dependencies(function.name)),
    }


def run_to_dict(run: Run) -> dict[str, Any]:
    """A run as JSON knows it (for a module's parameters)."""
    return {**asdict(run), "chunks": [asdict(c) for c in run.chunks]}


def run_from_dict(data: dict[str, Any]) -> Run:
    """The inverse of :func:`run_to_dict`."""
    return Run(**{**data, "chunks": tuple(Chunk(**c) for c in data["chunks"])})
