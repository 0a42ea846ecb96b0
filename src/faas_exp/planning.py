"""From an experiment file and a result tree to the list of things that are still to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faas_exp import __version__
from faas_exp.config import Experiment, is_secret, load_experiment
from faas_exp.enough import decision_for
from faas_exp.errors import ConfigError, FaasExpError
from faas_exp.functions.bundle import content_hash
from faas_exp.functions.programs import debian_packages, missing_programs
from faas_exp.grid import Deployment, Run, build_plan, run_to_dict
from faas_exp.results import TreeState, pending, refuse_mixing, set_aside, survey
from faas_exp.yamlfile import YamlFile

# What the inventory knows and an experiment file may leave out, per function of the thesis. Other functions name the
# variables that they want in the annotation ENVIRONMENT_ANNOTATION of their stack file.
INVENTORY_ENVIRONMENT = {
    "ftpfunction": ("ftp_host", "ftp_user", "ftp_password"),
    "consumerfunction": ("gateway_endpoint",),
}
ENVIRONMENT_ANNOTATION = "faas.exp/environment"


@dataclass
class Prepared:
    """An experiment, ready to be executed.

    Attributes:
        todo: deployments with the runs that are not complete.
        skipped_functions: name → reason.
        notes: worth telling the user.
        moved_to: where runs of another configuration went.
    """

    experiment: Experiment
    plan: list[Deployment]
    todo: list[Deployment]
    state: TreeState
    root: Path
    skipped_functions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    moved_to: Path | None = None

    @property
    def total(self) -> int:
        return sum(len(d.runs) for d in self.plan)

    @property
    def left(self) -> int:
        return sum(len(d.runs) for d in self.todo)

    def manifest(self) -> dict[str, Any]:
        """What is kept beside the tree: the file as read (secrets masked) and the order of the whole plan."""
        experiment = self.experiment
        functions = [masked(function.model_dump(mode="json", exclude_none=True)) for function in experiment.functions]
        return {
            "schema": 1,
            "faas_exp": __version__,
            "file": experiment.path.name,
            "experiment": experiment.settings.model_dump(mode="json", exclude_none=True),
            "functions": functions,
            "seed": experiment.settings.seed,
            "order": [str(run.path) for deployment in self.plan for run in deployment.runs],
            "skipped_functions": self.skipped_functions,
        }


def _cap(experiment: Experiment, name: str) -> int:
    return experiment.function(name).number_of_runs or experiment.settings.number_of_runs


def result_root(path: Path | str, base_dir: Path | str, override: str | None = None) -> Path:
    """Where an experiment's tree is: asked for, else named in the file, else ``results/<name of the file>``."""
    source = YamlFile(path)
    section = source.data.get("experiment") if isinstance(source.data, dict) else None
    own = section.get("result_dir") if isinstance(section, dict) else None
    return Path(base_dir, override or (own if isinstance(own, str) else None) or f"results/{Path(path).stem}")


def prepare(
    path: Path | str,
    orchestrator: str,
    root: Path,
    *,
    only: Sequence[str] = (),
    skip: Mapping[str, str] | None = None,
    check_programs: bool = False,
    shipped_functions: Path | None = None,
    redo_void: bool = False,
    replace: bool = False,
    load_generators: int = 1,
    inventory: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Prepared:
    """Check the file, lay out the grid, compare with the tree.

    Args:
        root: result folder.
        only: restrict to these functions; empty means all.
        skip: functions to leave out, with the reason.
        check_programs: leave out functions whose code needs a program that this machine does not have.
        replace: move runs of another configuration aside instead of refusing.
        load_generators: how many machines make the load.
        inventory: what functions may ask for and the file may leave out; None: not looked at.
        dry_run: change nothing.

    Raises:
        FaasExpError: bad file, empty grid, or a tree with runs of another configuration.
    """
    experiment = load_experiment(path, shipped_functions=shipped_functions)
    skipped = dict(skip or {})
    if check_programs:
        skipped.update({n: r for n, r in _without_runtime(experiment).items() if n not in skipped})
    for function in experiment.functions:
        broken = [d for d in experiment.dependencies(function.name) if d in skipped]
        if broken and function.name not in skipped:
            skipped[function.name] = f"it needs {broken[0]}, which is left out"
    skipped = {name: reason for name, reason in skipped.items() if any(f.name == name for f in experiment.functions)}
    wanted = [f.name for f in experiment.functions if f.name not in skipped]
    for name in only:
        if name in skipped:
            raise FaasExpError(f"{name}: asked for, but {skipped[name]}")
    hashes = {name: content_hash(folder) for name, folder in code_folders(experiment).items()}
    plan = build_plan(experiment, orchestrator, only=list(only) or wanted, code_hashes=hashes)
    if inventory is not None:
        for name in only or wanted:
            _demand_environment(experiment, name, inventory)
    runs = [run for deployment in plan for run in deployment.runs]
    shared = _generators_for(load_generators, runs)
    state = survey(root, runs)
    moved = None
    if not replace:
        refuse_mixing(root, state)
    elif not dry_run:
        moved = set_aside(root, state)
    rule = experiment.settings.stopping_rule
    if rule is not None:
        for run in runs:
            decision = decision_for(root, run, rule, _cap(experiment, run.function))
            if decision is not None and decision.stop:
                state.enough.add(str(run.path))
    todo = pending(plan, state, redo_void=redo_void)
    needless = len(state.enough - state.complete)
    spared = [f"{needless} runs are not needed: their cases are known well enough"] if needless else []
    notes = [
        *experiment.notes,
        *shared,
        *spared,
        *(f"{name}: left out, {reason}" for name, reason in sorted(skipped.items())),
    ]
    return Prepared(experiment, plan, todo, state, root, skipped, notes, moved)


def _generators_for(count: int, runs: Sequence[Run]) -> list[str]:
    """What to say of runs that ``count`` load generators can't share, as each of these has a user at least.

    Raises:
        ConfigError: no run has so many users.
    """
    users = {run.users for run in runs}
    most = max(users, default=1)
    if not 1 <= count <= most:
        allowed = f"1 to {most}, the users of the largest case"
        raise ConfigError(file="inputs", key="load_generator_count", found=str(count), allowed=allowed)
    fewer = sorted(number for number in users if number < count)
    return [f"cases of {number} user{'s'[: number != 1]} use {number} of {count} load generators" for number in fewer]


def _without_runtime(experiment: Experiment) -> dict[str, str]:
    reasons = {}
    for name, folder in code_folders(experiment).items():
        missing = missing_programs(folder)
        if missing:
            packages = " ".join(debian_packages(missing))
            reasons[name] = f"this machine has no {' and no '.join(missing)} (on Debian: apt-get install {packages})"
    return reasons


def masked(value: Any, key: str = "") -> Any:
    """The same data with every secret replaced."""
    if isinstance(value, dict):
        return {k: masked(v, str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [masked(item, key) for item in value]
    return "(secret)" if is_secret(key) or key.lower() == "authorization" else value


def code_folders(experiment: Experiment) -> dict[str, Path]:
    """The functions whose code is at hand as a folder that we know how to build."""
    return {
        name: stack.handler
        for name, stack in experiment.stacks.items()
        if stack.handler and (stack.handler / "Containerfile").is_file()
    }


def _wanted_environment(experiment: Experiment, name: str) -> Sequence[str]:
    annotation = experiment.stacks[name].annotations.get(ENVIRONMENT_ANNOTATION, "")
    return annotation.split() or INVENTORY_ENVIRONMENT.get(name, ())


def _demand_environment(experiment: Experiment, name: str, inventory: Mapping[str, str]) -> None:
    """What a function asks for must come from somewhere, or it would fail only once it is deployed.

    Raises:
        ConfigError: neither the file nor the inventory has it.
    """
    plain, secret = environment_of(experiment, name, inventory)
    for key in _wanted_environment(experiment, name):
        if not {**plain, **secret}.get(key):
            raise ConfigError(
                file=str(experiment.path),
                key=f"{name}: environment: {key}",
                found="nothing, and the inventory has none",
                allowed=f'a value; or leave the function out (-e \'{{"experiment_skip": {{"{name}": "no {key}"}}}}\')',
            )


def environment_of(
    experiment: Experiment, name: str, inventory: Mapping[str, str] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """A function's environment as (plain, secret): the file's, and below it what the inventory knows."""
    function, stack = experiment.function(name), experiment.stacks[name]
    wanted = _wanted_environment(experiment, name)
    merged = {key: str(inventory[key]) for key in wanted if inventory and inventory.get(key)}
    merged.update(stack.environment)
    merged.update(function.environment)
    return (
        {k: v for k, v in merged.items() if not is_secret(k)},
        {k: v for k, v in merged.items() if is_secret(k)},
    )


def deployments_as_dicts(prepared: Prepared, inventory: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What is to be done, as plain data for Ansible. Holds no secrets."""
    experiment = prepared.experiment
    position = {run.path: index for index, run in enumerate((r for d in prepared.plan for r in d.runs), start=1)}
    result: list[dict[str, Any]] = []
    previous: str | None = None
    for index, deployment in enumerate(prepared.todo):
        following = prepared.todo[index + 1].depends_on if index + 1 < len(prepared.todo) else ()
        delay = experiment.settings.delay_between_functions * 60 if previous not in (None, deployment.function) else 0
        previous = deployment.function
        result.append(
            {
                "label": deployment.label,
                "delay": delay,
                "replicas": deployment.replicas,
                "function": _definition(experiment, deployment.function, deployment.labels, inventory),
                # What the next deployment needs too stays; all else would share the machines with it.
                "remove": [deployment.function, *(n for n in reversed(deployment.depends_on) if n not in following)],
                "depends_on": [_definition(experiment, name, {}, inventory) for name in deployment.depends_on],
                "runs": [
                    {
                        "label": f"{run.label} [{position[run.path]}/{prepared.total}]",
                        "order": position[run.path],
                        # The first run has just waited for its deployment, and has nothing before it to rest from.
                        "delay": 0 if number == 0 else experiment.settings.delay_between_runs * 60,
                        "redo": str(run.path) in prepared.state.void,
                        "run": run_to_dict(run),
                    }
                    for number, run in enumerate(deployment.runs)
                ],
            }
        )
    return result


def _definition(
    experiment: Experiment, name: str, labels: Mapping[str, str], inventory: Mapping[str, str] | None
) -> dict[str, Any]:
    function, stack = experiment.function(name), experiment.stacks[name]
    plain, _ = environment_of(experiment, name, inventory)
    param = function.api.param
    settings = experiment.settings
    path = function.api.uri + (f"?param={param.min}" if param else "")
    return {
        "name": name,
        "image": stack.image,
        "fprocess": stack.fprocess,
        "environment": plain,
        "labels": {**stack.labels, **labels},
        "annotations": stack.annotations,
        "secrets": stack.secrets,
        "constraints": stack.constraints,
        "limits": stack.limits,
        "requests": stack.requests,
        "probe": {"path": "/" + path.lstrip("/"), "method": function.api.http_method, "data": function.body},
        "timeout": settings.ready_timeout,
        "request": {
            "uri": function.api.uri,
            "method": function.api.http_method,
            "data": function.body,
            "param": [param.min, param.max] if param else None,
            "rate": settings.rate,
            "arrivals": settings.arrivals,
            "request_timeout": settings.request_timeout,
            "run_timeout": settings.run_timeout,
            "processes": settings.load_processes,
            "stopping_rule": settings.stopping_rule.model_dump() if settings.stopping_rule else None,
            "most_runs": function.number_of_runs or settings.number_of_runs,
            "cold_start": function.cold_start if function.has_cold_starts else None,
            "inactivity_duration": function.inactivity_duration,
        },
    }
