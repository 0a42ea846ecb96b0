"""The command line: what a user reads, and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from experimentfiles import minimal

from faas_exp.cli import main


def faas_exp(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_commands_of_the_design() -> None:
    output = faas_exp("--help").output
    for command in (
        "validate",
        "run",
        "calibrate",
        "aggregate",
        "prepare-for-statistics",
        "compute-wilcoxon",
        "generate-figures",
        "report",
    ):
        assert command in output
        assert faas_exp(command, "--help").exit_code == 0


def test_help_does_not_load_the_heavy_parts() -> None:
    code = "import sys, faas_exp.cli; print([m for m in ('pandas', 'locust', 'scipy', 'rich') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    "command", ["aggregate", "prepare-for-statistics", "compute-wilcoxon", "generate-figures", "report"]
)
def test_a_wrong_folder_is_one_line(tmp_path: Path, command: str) -> None:
    result = faas_exp(command, "-s", str(tmp_path / "nowhere"), "-d", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert result.output.startswith("faas-exp: ")
    assert "nowhere" in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_run_checks_the_file_before_ansible_starts(tmp_path: Path) -> None:
    result = faas_exp("run", "-c", str(minimal(tmp_path, "number_of_runs: 0")))
    assert result.exit_code == 2
    assert "experiment.number_of_runs: found 0, allowed: a number ≥ 1" in result.output


@pytest.mark.parametrize("value", ["novalue", "1x=2", "=3"])
def test_run_wants_key_and_value(tmp_path: Path, value: str) -> None:
    result = faas_exp("run", "-c", str(minimal(tmp_path)), "-e", value)
    assert (result.exit_code, result.output) == (2, f"faas-exp: -e {value}: must be KEY=VALUE\n")


def test_run_wants_an_inventory_that_exists(tmp_path: Path) -> None:
    result = faas_exp("run", "-c", str(minimal(tmp_path)), "-i", "nowhere")
    assert (result.exit_code, result.output) == (2, "faas-exp: -i nowhere: no such inventory\n")


def test_validate_says_how_to_mend(tmp_path: Path) -> None:
    bad = minimal(tmp_path, "number_of_runs: 0")
    missing = str(tmp_path / "password")
    result = faas_exp("validate", "-f", "embedded", "-c", str(bad), "--password-file", missing)
    assert result.exit_code == 1
    assert "FAIL  experiment file: " in result.output
    assert "FAIL  gateway password: " in result.output
    assert result.output.count("mend: ") == 2
    assert result.output.endswith("2 checks failed\n")


def test_validate_wants_a_url_for_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENFAAS_URL", raising=False)
    result = faas_exp("validate", "-f", "swarm")
    assert result.exit_code == 1
    assert "export OPENFAAS_URL=" in result.output
