"""The functions that come with the project: every folder keeps to the rules of docs/contracts.md."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from faas_exp.functions.bundle import assemble, content_hash, debian_packages, read_command, requires
from faas_exp.stackfile import StackFunction, load_stack

FUNCTIONS = Path(__file__).resolve().parents[2] / "experiments" / "functions"
FOLDERS = {path.parent.name: path.parent for path in sorted(FUNCTIONS.glob("*/stack.yml"))}
NODE = ["io", "matrix", "consumer", "ftp", "warm", "fib", "node"]
SCALES_TO_ZERO = {"warmfunction", "fibfunction"}

each = pytest.mark.parametrize("name", FOLDERS)


def stack(name: str) -> StackFunction:
    functions = load_stack(FOLDERS[name] / "stack.yml")
    assert list(functions) == [name]
    return functions[name]


def test_there_are_ten() -> None:
    assert len(FOLDERS) == 10


@each
def test_stack_file(name: str) -> None:
    function = stack(name)
    assert function.image == f"faas-exp/{name}:latest"
    assert function.handler == FOLDERS[name]
    labels = {"com.openfaas.scale.min": "1", "com.openfaas.scale.max": "20"}
    if name in SCALES_TO_ZERO:
        labels["com.openfaas.scale.zero"] = "true"
    assert function.labels == labels
    assert (FOLDERS[name] / "stack.yml").read_text().count("version: 1.0\nprovider:\n  name: openfaas\n") == 1


@each
def test_command_and_required_programs_agree(name: str) -> None:
    program = read_command(FOLDERS[name])[0]
    needed = requires(FOLDERS[name])
    assert needed
    assert program in needed or program == "./function"
    assert set(debian_packages(needed)) <= {"nodejs", "golang-go", "default-jdk-headless", "python3"}


@each
def test_containerfile(name: str) -> None:
    text = (FOLDERS[name] / "Containerfile").read_text()
    # One base for all, which the builder names; nothing comes from elsewhere.
    assert text.startswith("ARG BASE_IMAGE=debian:bookworm-slim\n")
    stages = re.findall(r"^FROM (.*)$", text, re.MULTILINE)
    assert stages and all(re.fullmatch(r"\$\{BASE_IMAGE\}( AS build)?", stage) for stage in stages)
    # Debian's client has no BuildKit.
    assert not re.search(r"--mount|--chmod|--link|<<|# syntax", text)
    # A number, so that an orchestrator can tell that it isn't root.
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "10001:10001"
    for install in re.findall(r"apt-get install[^\n]*", text):
        assert "--no-install-recommends" in install
    assert text.count("apt-get update") == text.count("rm -rf /var/lib/apt/lists/*")


@each
def test_what_containerfile_copies_is_there(name: str, tmp_path: Path) -> None:
    assemble(FOLDERS[name], tmp_path)
    text = (FOLDERS[name] / "Containerfile").read_text()
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert source == "." or list(tmp_path.glob(source)), source
    if "build.sh" in text:
        assert os.access(tmp_path / "build.sh", os.X_OK)


def test_containerfiles_of_node_functions_are_one_and_the_same() -> None:
    assert len({(FOLDERS[f"{name}function"] / "Containerfile").read_text() for name in NODE}) == 1


@pytest.mark.parametrize(("name", "output"), [("gofunction", "function"), ("javafunction", "function.jar")])
def test_building_in_place_does_not_change_what_it_is(name: str, output: str, tmp_path: Path) -> None:
    shutil.copytree(FUNCTIONS, tmp_path / "functions")
    folder = tmp_path / "functions" / name
    (folder / output).unlink(missing_ok=True)
    before = content_hash(folder)
    (folder / output).write_bytes(b"as build.sh leaves it")
    assert content_hash(folder) == before
    assert f"$OUT/{output}" in (folder / "build.sh").read_text()


def test_no_output_is_ignored_that_nothing_makes() -> None:
    assert {path.parent.name for path in FUNCTIONS.glob("*/.dockerignore")} == {"gofunction", "javafunction"}
