"""``faas-exp``: the commands that people type. Each is a thin face over a module of the same idea."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from faas_exp import __version__
from faas_exp.errors import FaasExpError

FRAMEWORKS = ("embedded", "swarm", "nomad", "k8s")
_SOURCE = click.option(
    "-s", "--source-dir", "source", required=True, type=click.Path(path_type=Path), help="Where to read."
)


def _destination(default: str) -> Callable[[Any], Any]:
    return click.option(
        "-d",
        "--destination-dir",
        "destination",
        default=default,
        show_default=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Where to write.",
    )


def _clear_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """A user's mistake is one line on standard error and exit code 2, not a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except FaasExpError as error:
            click.echo(f"faas-exp: {error}", err=True)
            sys.exit(2)

    return wrapped


def _say(report: Any) -> None:
    """What was written, and what could not be used; exit code 1 when something was wrong with the data."""
    for line in report.lines():
        click.echo(line)
    if report.errors:
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="faas-exp")
def main() -> None:
    """How fast is a serverless platform on each orchestrator, and how sure are we?"""


@main.command()
@click.option(
    "-f", "--framework", required=True, type=click.Choice(FRAMEWORKS), help="The orchestrator to be measured."
)
@click.option("-c", "--config-file", type=click.Path(path_type=Path), help="Also check this experiment file.")
@click.option("-u", "--gateway", envvar="OPENFAAS_URL", help="The gateway; $OPENFAAS_URL; left out, the inventory's.")
@click.option("--password-file", type=click.Path(path_type=Path), help="File with the gateway's password.")
@_clear_errors
def validate(framework: str, config_file: Path | None, gateway: str | None, password_file: Path | None) -> None:
    """Check interpreter, tools, URL, credentials and gateway; say how to mend what is missing."""
    from faas_exp.validate import run_checks

    failed = 0
    for check in run_checks(framework, config_file=config_file, gateway=gateway, password_file=password_file):
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.found}")
        if not check.ok:
            failed += 1
            click.echo(f"      mend: {check.mend}")
    if failed:
        click.echo(f"{failed} checks failed", err=True)
        sys.exit(1)
    click.echo("Everything is valid.")


@main.command()
@click.option("-c", "--config-file", required=True, type=click.Path(path_type=Path), help="The experiment file.")
@click.option("-i", "--inventory", type=click.Path(path_type=Path), help="The inventory; left out, ansible.cfg's.")
@click.option("-e", "--extra-vars", multiple=True, metavar="KEY=VALUE", help="A variable for the playbook; repeatable.")
@click.option("--log", type=click.Path(path_type=Path), help="Also write Ansible's own output here.")
@_clear_errors
def run(config_file: Path, inventory: Path | None, extra_vars: tuple[str, ...], log: Path | None) -> None:
    """Run an experiment: a bar, what runs now, when it will be done. Stop it at any time; the same command goes on."""
    from faas_exp.config import load_experiment
    from faas_exp.playbook import run_experiment, shipped_functions

    load_experiment(config_file, shipped_functions=shipped_functions())
    sys.exit(run_experiment(config_file, inventory=inventory, extra_vars=extra_vars, log=log))


@main.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write the result into this file.")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.5, 60), help="How long to measure.")
@_clear_errors
def calibrate(output: Path | None, seconds: float) -> None:
    """Measure the load generator itself: how many requests it can send, and the smallest time it can see."""
    from faas_exp.load import calibrate as measure

    found = measure(seconds=seconds, cache=output)
    click.echo(f"ceiling: {found.ceiling_rps:,.0f} requests/s, {found.cpu_us:.0f} µs of CPU per request, one process")
    click.echo(f"floor:   median {found.floor_p50_ms:.3f} ms, p99 {found.floor_p99_ms:.3f} ms, one user")
    click.echo("What a run measures near the floor, or above the ceiling, is the generator and not the server.")


@main.command()
@_SOURCE
@_destination("results")
@click.option("-e", "--exclude-function", "exclude", multiple=True, help="Leave this function out; repeatable.")
@_clear_errors
def aggregate(source: Path, destination: Path, exclude: tuple[str, ...]) -> None:
    """Medians over the runs of each case, and one tidy table of all runs."""
    from faas_exp import analysis

    _say(analysis.aggregate(source, destination, exclude=exclude))


@main.command()
@_SOURCE
@_destination("summary")
@click.option("--thesis", is_flag=True, help="Exactly as the thesis computed its rows.")
@_clear_errors
def prepare_for_statistics(source: Path, destination: Path, thesis: bool) -> None:
    """One row per run and factor, as the statistical tests want them."""
    from faas_exp import analysis

    _say(analysis.prepare_for_statistics(source, destination, thesis=thesis))


@main.command()
@_SOURCE
@_destination("wilcoxon")
@click.option("--thesis", is_flag=True, help="The thesis's own test: one-sided, asymptotic, not corrected.")
@_clear_errors
def compute_wilcoxon(source: Path, destination: Path, thesis: bool) -> None:
    """Tests between orchestrators from prepare-for-statistics' tables."""
    from faas_exp import analysis

    _say(analysis.compute_wilcoxon(source, destination, thesis=thesis))


@main.command()
@_SOURCE
@_destination("figures")
@_clear_errors
def generate_figures(source: Path, destination: Path) -> None:
    """All figures, as SVG and PNG."""
    from faas_exp import analysis

    _say(analysis.generate_figures(source, destination))


@main.command()
@_SOURCE
@_destination("report")
@_clear_errors
def report(source: Path, destination: Path) -> None:
    """One self-contained HTML file with the answer first, plus Markdown and LaTeX tables."""
    from faas_exp import analysis

    before = _contents(destination)
    written = analysis.report(source, destination)
    after = _contents(destination)
    changed = sum(before.get(path) != content for path, content in after.items())
    click.echo(f"{changed} of {len(after)} files are new or different" if changed else "nothing has changed")
    _say(written)


def _contents(folder: Path) -> dict[Path, bytes]:
    """A digest of every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in files}


if __name__ == "__main__":
    main()
