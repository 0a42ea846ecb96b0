"""The shape of an experiment file: which keys there are, their types, defaults and limits.

Names are the thesis's, so that its files stay valid; keys it did not have are optional.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LoadType = Literal["sequential/noautoscaling", "parallel/autoscaling", "parallel/noautoscaling"]
LOAD_TYPES: tuple[LoadType, ...] = ("sequential/noautoscaling", "parallel/autoscaling", "parallel/noautoscaling")


def _unique(values: list[int]) -> list[int]:
    if len(set(values)) != len(values):
        raise ValueError("each number once")
    return values


def _text(value: Any) -> Any:
    """Environment values reach a container as text: take YAML's numbers and booleans as OpenFaaS's CLI does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value


Count = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
Counts = Annotated[
    list[Annotated[int, Field(ge=1, le=100_000, strict=True)]], Field(min_length=1), AfterValidator(_unique)
]
Minutes = Annotated[float, Field(ge=0, le=7 * 24 * 60, allow_inf_nan=False)]
Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must never mean "default"."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Param(Strict):
    """A random whole number per request, sent as ``?param=``."""

    min: Annotated[int, Field(ge=0, strict=True)] = 1
    max: Annotated[int, Field(ge=0, strict=True)] = 3

    @model_validator(mode="after")
    def _ordered(self) -> Param:
        if self.min > self.max:
            raise ValueError(f"min {self.min} > max {self.max}|min at most max")
        return self


class Api(Strict):
    """How the function is called.

    Attributes:
        uri: path below the gateway, e.g. ``function/gofunction``.
        http_method: request method.
        data: request body.
        param: range of the random query parameter.
        headers: more request headers.
    """

    uri: Annotated[str, Field(min_length=1, pattern=r"^[^\s?#]+$")]
    http_method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "POST"
    data: Text | None = None
    param: Param | None = None
    headers: dict[str, Text] = {}


class Function(Strict):
    """One function of the experiment.

    Attributes:
        yaml_path: an OpenFaaS stack file which defines the function.
        environment: environment variables for the function.
        inactivity_duration: minutes after which the platform scales an idle function to zero; given, each run is split
            into warm and cold chunks and each cold chunk waits that long and a minute more.
        cold_start: ``idle`` waits for the platform to scale to zero, ``forced`` scales to zero through the API.
        chunks_number: into how many chunks a cold-start run is split: warm_0, cold_0, warm_1, …
        depends_on: functions that must be deployed while this one runs.
        replicas, concurrency, number_of_runs, number_of_requests, load_types: this function's own instead of the
            experiment's.
    """

    name: Name
    yaml_path: Annotated[str, Field(min_length=1)]
    environment: dict[str, Text] = {}
    api: Api
    data: Text | None = None
    inactivity_duration: Annotated[Minutes, Field(ge=5)] | None = None
    cold_start: Literal["idle", "forced"] = "idle"
    chunks_number: Annotated[int, Field(ge=2, le=1000, multiple_of=2, strict=True)] | None = None
    depends_on: list[Name] = []
    replicas: Counts | None = None
    concurrency: Counts | None = None
    number_of_runs: Count | None = None
    number_of_requests: Count | None = None
    load_types: Annotated[list[LoadType], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("depends_on"), str):
            return {**value, "depends_on": [value["depends_on"]]}
        return value

    @property
    def has_cold_starts(self) -> bool:
        return self.inactivity_duration is not None or self.cold_start == "forced"

    @property
    def body(self) -> str | None:
        """The request body: the thesis's files have it under ``api``, its code read it beside ``api``."""
        return self.api.data if self.api.data is not None else self.data


class StoppingRule(Strict):
    """Repeat a case until its median is known well enough; ``number_of_runs`` is the cap.

    Attributes:
        half_width_pct: stop when the 95 % interval of the median over runs reaches at most so many percent to a side.
        least_runs: never stop before.
    """

    half_width_pct: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 5
    least_runs: Annotated[int, Field(ge=6, le=1000, strict=True)] = 6


class Settings(Strict):
    """Section ``experiment``.

    Attributes:
        server, port: the gateway or the load balancer in front of it; left out, the inventory's.
        number_of_runs: how often each case is repeated.
        number_of_requests: requests of one run, all users together.
        delay_between_runs: minutes without load after each run.
        delay_between_functions: minutes without load after each function.
        replicas: numbers of replicas of the cases without autoscaling.
        concurrency: numbers of users of the cases with autoscaling.
        parallel_users: users of parallel cases without autoscaling.
        result_dir: where the result tree is written; left out, ``results/<name of this file>``.
        load_types: which of the three kinds of load are run.
        seed: of the order of runs and of every random number in them.
        order: ``interleaved`` shuffles (seeded) what the deployments allow, ``thesis`` keeps the written order.
        rate: requests per second of an open loop; left out, the closed loop of the thesis.
        arrivals: of an open loop.
        request_timeout: seconds after which a request counts as failed.
        run_timeout: seconds after which a run is stopped and marked void.
        ready_timeout: seconds a function may take to be ready or gone.
        load_processes: processes of the load generator; ``auto``: as many as the users and half the cores want.
        noise_floor: do every case a second time under the name ``<function>~aa``: how much two equal things differ.
        stopping_rule: repeat a case only until its median is known well enough.
        prices: cost per hour of each orchestrator's machines, for cost per million requests.
    """

    server: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9._:\[\]-]+$")] | None = None
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    number_of_runs: Count = 6
    number_of_requests: Count = 35000
    delay_between_runs: Minutes = 1
    delay_between_functions: Minutes = 2
    replicas: Counts = [1, 10, 20]
    concurrency: Counts = [5, 10, 20, 50]
    parallel_users: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 15
    result_dir: Annotated[str, Field(min_length=1)] | None = None
    load_types: Annotated[list[LoadType], Field(min_length=1)] = list(LOAD_TYPES)
    seed: Annotated[int, Field(ge=0, strict=True)] = 1
    order: Literal["interleaved", "thesis"] = "interleaved"
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    arrivals: Literal["constant", "poisson"] = "constant"
    request_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 310
    run_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    ready_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 300
    load_processes: Annotated[int, Field(ge=1, le=256, strict=True)] | Literal["auto"] = 1
    noise_floor: Annotated[bool, Field(strict=True)] = False
    stopping_rule: StoppingRule | None = None
    prices: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}


class ExperimentFile(Strict):
    """A whole file: section ``experiment`` and the list ``functions``."""

    experiment: Settings = Settings()
    functions: Annotated[list[Function], Field(min_length=1)]
