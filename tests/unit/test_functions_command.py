"""What a function's Containerfile and stack file say about how it is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from faas_exp.errors import ConfigError, FaasExpError
from faas_exp.functions.bundle import debian_packages, missing_programs, read_command, requires


def containerfile(folder: Path, text: str) -> Path:
    (folder / "Containerfile").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('FROM x\nCMD ["./function"]\n', ["./function"]),
        ('FROM x\ncmd ["node", "a b.js"]', ["node", "a b.js"]),
        ('FROM x\nCMD ["one"]\nCMD ["two"]\n', ["two"]),
        ('FROM x AS build\nCMD ["early"]\nFROM y\nCMD ["late"]\n', ["late"]),
        ('FROM x\nCMD [ "java", \\\n  # why not\n\n  "-jar", \\\n  "a.jar" ]\n', ["java", "-jar", "a.jar"]),
        ('FROM x\n  # CMD ["no"]\nRUN echo \\\nCMD ["no"]\nCMD ["yes"]\n', ["yes"]),
        ('FROM x\nCMD ["quote\\"d", "\\u00e4"]\n', ['quote"d', "ä"]),
    ],
)
def test_reads_the_command(tmp_path: Path, text: str, command: list[str]) -> None:
    assert read_command(containerfile(tmp_path, text)) == command


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM x\nCMD node function.js\n", "Containerfile:2: CMD: found node function.js, allowed: the exec form"),
        ("FROM x\nCMD []\n", "Containerfile:2: CMD: found []"),
        ('FROM x\nCMD ["a", 1]\n', 'Containerfile:2: CMD: found ["a", 1]'),
        ('FROM x\nCMD ["a", ""]\n', "Containerfile:2: CMD: "),
        ("FROM x\nRUN true\n", "Containerfile: CMD: found nothing"),
        ('FROM x\nCMD ["early"]\nFROM y\n', "Containerfile: CMD: found nothing"),
        ('FROM x\nENTRYPOINT ["a"]\nCMD ["b"]\n', "Containerfile:2: ENTRYPOINT: "),
    ],
)
def test_refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_command(containerfile(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_containerfile(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Containerfile: \(the file\): found nothing"):
        read_command(tmp_path)


def stack(tmp_path: Path, annotations: str, name: str = "hello") -> Path:
    folder = tmp_path / "hello"
    folder.mkdir()
    head = "version: 1.0\nprovider: {name: openfaas}\nfunctions:\n"
    (folder / "stack.yml").write_text(f"{head}  {name}:\n    image: faas-exp/hello:latest\n{annotations}")
    return folder


def test_requires(tmp_path: Path) -> None:
    folder = stack(tmp_path, "    annotations: {faas.exp/requires: 'sh  no-such-java sh'}\n")
    assert requires(folder) == ["sh", "no-such-java", "sh"]
    assert missing_programs(folder) == ["no-such-java"]


def test_requires_nothing(tmp_path: Path) -> None:
    assert requires(stack(tmp_path, "")) == []


def test_stack_file_of_another_function(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found other, allowed: a function named hello"):
        requires(stack(tmp_path, "", name="other"))


def test_no_stack_file(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    with pytest.raises(FaasExpError, match=r"stack\.yml"):
        requires(tmp_path / "hello")


def test_folder_name_that_is_no_functions_name(tmp_path: Path) -> None:
    (tmp_path / "My_Function").mkdir()
    with pytest.raises(ConfigError, match="found My_Function, allowed: a-z, 0-9 and -"):
        requires(tmp_path / "My_Function")


def test_debian_packages() -> None:
    programs = ["node", "java", "javac", "go", "python3", "ruby"]
    assert debian_packages(programs) == ["nodejs", "default-jdk-headless", "golang-go", "python3", "ruby"]
    assert debian_packages([]) == []
