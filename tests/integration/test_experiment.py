"""The experiment as a user runs it: exactly the rows asked for, nothing the second time, no mixing, no secrets."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import BIN, ROOT, Lab, free_port, lab_in, recap

ALL_RUNS = 10  # twice: replicas 1 and 2 sequential, 3 users autoscaling, replicas 1 and 2 parallel


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="module")
def first(lab: Lab) -> str:
    """Output of the first run of the whole experiment."""
    lab.experiment("", "good, environment: {ftp_password: hunter2-in-env}, data: hello")
    done = lab.play("experiment", "-v")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_check_mode_changes_nothing(lab: Lab) -> None:
    lab.experiment()
    done = lab.play("experiment", "--check", "-e", "experiment_result_dir=results/check")
    assert done.returncode == 0, done.stdout
    assert not (lab.base / "results" / "check").exists()
    assert lab.gateway.list() == []


def test_every_run_has_exactly_its_rows(lab: Lab, first: str) -> None:
    assert len(lab.complete()) == ALL_RUNS
    assert set(lab.rows().values()) == {40}
    assert len(lab.rows()) == ALL_RUNS
    assert "Run good sequential noautoscaling replica" in first, "each run has a label that says which"


def test_the_thesis_tree(lab: Lab, first: str) -> None:
    assert {str(p.parent.relative_to(lab.results)) for p in lab.complete()} == {
        f"embedded/good/{kind}/{run}"
        for kind in (
            "sequential/noautoscaling/replica1",
            "sequential/noautoscaling/replica2",
            "parallel/autoscaling/user_3",
            "parallel/noautoscaling/replica1",
            "parallel/noautoscaling/replica2",
        )
        for run in (1, 2)
    }


def test_replicas_were_really_there(lab: Lab, first: str) -> None:
    for path in lab.complete():
        record = json.loads(path.read_text())
        if record["replicas"] is None:
            continue
        assert record["replicas_seen"]["before"] == record["replicas"]
        with (path.parent / "requests.csv").open(newline="") as file:
            served_by = {row["replica"] for row in csv.DictReader(file)}
        if record["users"] > 1:
            assert len(served_by) == record["replicas"], path


def test_records_and_manifest(lab: Lab, first: str) -> None:
    record = json.loads(lab.complete()[0].read_text())
    for key in (
        "config_hash",
        "seed",
        "order",
        "versions",
        "machine",
        "started",
        "finished",
        "void",
        "server",
        "image",
    ):
        assert key in record
    manifest = json.loads((lab.results / "embedded" / "manifest.json").read_text())
    assert len(manifest["order"]) == ALL_RUNS
    orders = sorted(json.loads(p.read_text())["order"] for p in lab.complete())
    assert orders == list(range(1, ALL_RUNS + 1))


def test_the_function_is_gone_afterwards(lab: Lab, first: str) -> None:
    assert lab.gateway.list() == []


def test_the_report_twice_changes_nothing(lab: Lab, first: str) -> None:
    done = lab.play("report")
    assert done.returncode == 0, done.stdout
    assert recap(done.stdout)["changed"] == 1
    assert "<html" in (lab.results / "report" / "report.html").read_text(encoding="utf-8")
    again = lab.play("report")
    assert recap(again.stdout)["changed"] == 0, again.stdout


def test_again_does_nothing_and_says_so(lab: Lab, first: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in lab.results.rglob("*")}
    done = lab.play()
    assert done.returncode == 0, done.stdout
    assert f"All {ALL_RUNS} runs are complete" in done.stdout
    assert recap(done.stdout)["changed"] == 0
    assert {p: p.stat().st_mtime_ns for p in lab.results.rglob("*")} == before


def test_secrets_are_nowhere(lab: Lab, first: str) -> None:
    for secret in (lab.password, "hunter2-in-env"):
        assert secret not in first
        holders = [p for p in lab.results.rglob("*") if p.is_file() and secret in p.read_text(errors="replace")]
        assert holders == []
        assert secret not in (lab.state_dir / "gateway.log").read_text(errors="replace")


def test_a_changed_file_is_refused_before_anything_is_touched(lab: Lab, first: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in lab.results.rglob("*")}
    lab.experiment("number_of_requests: 41", "good, environment: {ftp_password: hunter2-in-env}, data: hello")
    try:
        done = lab.play()
        assert done.returncode != 0
        assert f"{ALL_RUNS} runs are of another configuration" in " ".join(done.stdout.split())
        assert "number_of_requests 40 → 41" in " ".join(done.stdout.split())
        assert {p: p.stat().st_mtime_ns for p in lab.results.rglob("*")} == before
    finally:
        lab.experiment("", "good, environment: {ftp_password: hunter2-in-env}, data: hello")


def test_a_void_run_stays_void_until_asked(lab: Lab, first: str) -> None:
    path = lab.complete()[0]
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "void": True}))
    assert "nothing to do" in lab.play().stdout
    done = lab.play("experiment", "-e", "experiment_redo_void=true")
    assert done.returncode == 0, done.stdout
    assert len(lab.complete()) == ALL_RUNS
    assert json.loads(path.read_text())["started"] > record["started"]


def test_cold_starts_are_cold(lab: Lab) -> None:
    lab.experiment(
        "load_types: [sequential/noautoscaling], replicas: [1]", "good, cold_start: forced, chunks_number: 4"
    )
    done = lab.play("experiment", "-e", "experiment_result_dir=results/cold")
    assert done.returncode == 0, done.stdout
    runs = sorted((lab.base / "results" / "cold").rglob("run.json"))
    assert len(runs) == 2
    for run in runs:
        for chunk in ("warm_0", "cold_0", "warm_1", "cold_1"):
            with (run.parent / chunk / "requests.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            assert len(rows) == 10
            was_cold = float(rows[0]["replicaStart"]) > float(rows[0]["timeStamp"])
            assert was_cold == chunk.startswith("cold"), (run, chunk)


def test_depends_on_is_there_first(lab: Lab) -> None:
    lab.add_function("second")
    lab.experiment("load_types: [parallel/autoscaling]", "good", "second, depends_on: good")
    done = lab.play("experiment", "-e", "experiment_result_dir=results/depends")
    assert done.returncode == 0, done.stdout
    deployed = done.stdout.index("Deploy the dependencies of second")
    assert done.stdout.index("[faas.exp.experiment : Run second") > deployed
    assert [s.name for s in lab.gateway.list()] == [], "what others depended on is removed too"


def test_a_function_that_fails_is_named_and_the_others_go_on(lab: Lab) -> None:
    lab.add_function("failing", status=500)
    lab.experiment("load_types: [parallel/autoscaling]", "failing", "good")
    done = lab.play("experiment", "-e", "experiment_result_dir=results/failing")
    assert done.returncode != 0
    output = " ".join(done.stdout.split())
    assert (
        "failing parallel autoscaling: failing: replicas are up but POST /function/failing answers 500: hello" in output
    )
    assert "1 of 2 deployments were not measured completely" in output
    assert {p.parts[-6] for p in (lab.base / "results" / "failing").rglob("run.json")} == {"good"}


def test_a_function_that_never_gets_healthy(lab: Lab) -> None:
    lab.add_function("sick", health=503)
    lab.experiment("load_types: [parallel/autoscaling], ready_timeout: 3", "sick", "good")
    done = lab.play("experiment", "-e", "experiment_result_dir=results/sick")
    assert done.returncode != 0
    assert "sick: 0 of at least 1 replicas are up after the time allowed" in " ".join(done.stdout.split())
    assert len(list((lab.base / "results" / "sick").rglob("run.json"))) == 2
    assert lab.gateway.list() == []


def test_failed_requests_are_data(lab: Lab) -> None:
    """A function whose answers fail after the first one passes the probe; its failures are rows."""
    flaky = lab.functions / "flaky"
    lab.add_function("flaky")
    source = (flaky / "main.py").read_text()
    source = source.replace("class Handler", "import itertools\nCOUNT = itertools.count()\nclass Handler").replace(
        "STATUS)", "(STATUS if next(COUNT) < 1 else 418))"
    )
    (flaky / "main.py").write_text(source)
    lab.experiment("load_types: [parallel/autoscaling], number_of_runs: 1", "flaky")
    done = lab.play("experiment", "-e", "experiment_result_dir=results/flaky")
    assert done.returncode == 0, done.stdout
    (file,) = (lab.base / "results" / "flaky").rglob("requests.csv")
    with file.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {(row["responseCode"], row["success"]) for row in rows} == {("418", "false")}
    assert len(rows) == 40


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (["-e", "openfaas_port=1"], "did not answer GET /healthz"),
        (["-e", "openfaas_password=wrong"], "refused the user name or password"),
        (["-e", "openfaas_password_file=/nowhere"], "/nowhere: no such file"),
        (["-e", "experiment=missing.yml"], "missing.yml: (the file): found nothing at that path"),
        (["-e", '{"experiment_functions": ["nobody"]}'], "no function 'nobody'; there are good"),
        (["-e", "experiment_result_dir=/proc/here"], "/proc/here"),
    ],
)
def test_bad_input_is_one_clear_line(lab: Lab, variables: list[str], message: str) -> None:
    lab.experiment()
    done = lab.play("experiment", "-e", "experiment_result_dir=results/bad", *variables)
    assert done.returncode != 0
    assert message in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout
    assert list((lab.base / "results" / "bad").rglob("requests.csv")) == []


def test_runs_come_back_from_another_machine(lab: Lab) -> None:
    """As if the bastion were elsewhere: its tree is a stage, ours is filled run by run."""
    lab.experiment("load_types: [parallel/autoscaling]")
    elsewhere = lab.base / "elsewhere"
    variables = json.dumps({"experiment__here": False, "experiment_work_dir": str(elsewhere)})
    done = lab.play("experiment", "-e", variables, "-e", "experiment_result_dir=results/remote")
    assert done.returncode == 0, done.stdout
    here, there = lab.base / "results" / "remote", elsewhere / "results" / "remote"
    runs = sorted(p.relative_to(here) for p in here.rglob("run.json"))
    assert len(runs) == 2
    assert runs == sorted(p.relative_to(there) for p in there.rglob("run.json"))
    assert all((here / r.parent / "requests.csv").is_file() for r in runs)
    # A run that ended there and did not arrive here is fetched, not done again.
    started = json.loads((here / runs[0]).read_text())["started"]
    (here / runs[0]).unlink()
    done = lab.play("experiment", "-e", variables, "-e", "experiment_result_dir=results/remote")
    assert done.returncode == 0, done.stdout
    assert json.loads((here / runs[0]).read_text())["started"] == started


def test_the_plan_knows_what_the_inventory_knows_and_no_secret(lab: Lab) -> None:
    stack = lab.functions / "good" / "stack.yml"
    text = stack.read_text()
    stack.write_text(text.replace("{faas.exp/requires", "{faas.exp/environment: a_host a_password, faas.exp/requires"))
    try:
        arguments = {
            "experiment": str(lab.experiment()),
            "orchestrator": "embedded",
            "base_dir": str(lab.base),
            "result_dir": "results/plan",
            "environment": {"a_host": "1", "a_password": "hunter2", "other": "x"},
        }
        command = [str(BIN / "ansible"), "localhost", "-i", str(ROOT / "inventories" / "embedded")]
        command += ["-m", "faas.exp.experiment_plan", "-a", json.dumps(arguments), "-vvv"]
        callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        environment = {**lab.environment(), **callback}
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=lab.base, env=environment)
    finally:
        stack.write_text(text)
    assert "hunter2" not in done.stdout
    start = done.stdout.index("{\n")
    plan = json.JSONDecoder().raw_decode(done.stdout[start:])[0]["plays"][0]["tasks"][0]["hosts"]["localhost"]
    deployment = plan["deployments"][0]
    assert deployment["function"]["environment"] == {"a_host": "1"}
    assert deployment["runs"][0]["run"]["run"] == 1, "a short value does not blot out numbers"


def test_noise_floor_and_stopping_rule(lab: Lab) -> None:
    """With half-width 100 % the rule is content as soon as it may be: six of the eight runs are made, of both twins."""
    rule = "noise_floor: true, stopping_rule: {half_width_pct: 100, least_runs: 6}, number_of_runs: 8"
    lab.experiment(f"load_types: [parallel/autoscaling], {rule}")
    done = lab.play("experiment", "-v", "-e", "experiment_result_dir=results/noise")
    assert done.returncode == 0, done.stdout
    tree = lab.base / "results" / "noise" / "embedded"
    void = sum(json.loads(p.read_text())["void"] for p in tree.rglob("run.json"))
    counts = {name: len(list((tree / name).rglob("run.json"))) for name in ("good", "good~aa")}
    assert all(6 <= count <= 8 for count in counts.values())
    assert sum(counts.values()) <= 12 + void
    if not void:
        assert "not needed: " in done.stdout
    assert recap(lab.play("experiment", "-e", "experiment_result_dir=results/noise").stdout)["changed"] == 0


def test_validate_changes_nothing(lab: Lab) -> None:
    lab.experiment()
    done = lab.play("validate", "-e", "experiment_result_dir=results/validate")
    assert done.returncode == 0, done.stdout
    assert recap(done.stdout)["changed"] == 0
    assert not (lab.base / "results" / "validate").exists()


def test_site_twice(lab: Lab) -> None:
    state = lab.play("site")
    assert state.returncode == 0, state.stdout
    assert recap(state.stdout)["changed"] == 0, "it runs already"


def test_platform_starts_and_stops(tmp_path: Path) -> None:
    lab = Lab(tmp_path, free_port())
    try:
        assert recap(lab.play("site").stdout)["changed"] == 1
        assert lab.gateway.check()
        assert recap(lab.play("site").stdout)["changed"] == 0
        assert recap(lab.play("site", "-e", "openfaas_state=absent").stdout)["changed"] == 1
        assert recap(lab.play("site", "-e", "openfaas_state=absent").stdout)["changed"] == 0
    finally:
        lab.stop()
