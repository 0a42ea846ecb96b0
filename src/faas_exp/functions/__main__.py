"""``python -m faas_exp.functions``: what a script or a role needs to build an image of a function by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from faas_exp.errors import FaasExpError
from faas_exp.functions import bundle

_FOLDER = click.argument("function_dir", type=click.Path(path_type=Path))


@click.group()
def main() -> None:
    """Folders of functions: content hash, build context, ready-to-start folder."""


@main.command("hash")
@_FOLDER
def hash_(function_dir: Path) -> None:
    """Print the content hash."""
    click.echo(bundle.content_hash(function_dir))


@main.command()
@_FOLDER
@click.argument("dest", type=click.Path(path_type=Path))
def assemble(function_dir: Path, dest: Path) -> None:
    """Make DEST the complete build context: the function's files and the shared folders it names."""
    bundle.assemble(function_dir, dest)


@main.command()
@_FOLDER
@click.argument("cache_dir", type=click.Path(path_type=Path))
def build(function_dir: Path, cache_dir: Path) -> None:
    """Build without a container engine, unless that is done already, and print the folder to start it in."""
    click.echo(bundle.build(function_dir, cache_dir))


if __name__ == "__main__":
    try:
        main(prog_name="python -m faas_exp.functions")
    except FaasExpError as error:
        sys.exit(f"Error: {error}")
