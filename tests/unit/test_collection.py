"""The collection as Ansible and Galaxy see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted(p.name for p in (ROOT / "roles").iterdir() if p.is_dir())
MODULES = sorted(p.stem for p in (ROOT / "plugins" / "modules").glob("*.py"))
BIN = Path(sys.executable).parent


def ansible(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    merged = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    merged.update(environment)
    return subprocess.run(command, check=False, capture_output=True, text=True, env=merged, cwd=ROOT)


def _yaml(path: Path) -> dict[str, object]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.is_file() else {}


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_equal_defaults(role: str) -> None:
    defaults = _yaml(ROOT / "roles" / role / "defaults" / "main.yml")
    specs = _yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    options: dict[str, dict[str, object]] = {}
    for entry in specs.values():  # type: ignore[attr-defined]
        options.update(entry.get("options") or {})
    optional = {name: option.get("default") for name, option in options.items() if not option.get("required")}
    with_default = {name: value for name, value in optional.items() if value is not None}
    assert with_default == {name: value for name, value in defaults.items() if value is not None}
    for name, option in options.items():
        assert option.get("description"), f"{role}: {name} has no description"


@pytest.mark.parametrize("role", ROLES)
def test_role_says_who_it_is(role: str) -> None:
    assert (ROOT / "roles" / role / "meta" / "main.yml").is_file()


def test_every_module_is_documented() -> None:
    done = ansible(str(BIN / "ansible-doc"), "--json", *(f"faas.exp.{name}" for name in MODULES))
    assert done.returncode == 0, done.stderr
    documents = json.loads(done.stdout)
    assert sorted(documents) == sorted(f"faas.exp.{name}" for name in MODULES)
    for name, document in documents.items():
        assert document["examples"], name
        assert document["return"] is not None, name


def test_playbooks_parse() -> None:
    playbooks = [str(p.relative_to(ROOT)) for p in sorted((ROOT / "playbooks").glob("*.yml"))]
    done = ansible(str(BIN / "ansible-playbook"), "-i", "inventories/embedded", "--syntax-check", *playbooks)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_built_collection_works_elsewhere(tmp_path: Path) -> None:
    galaxy = str(BIN / "ansible-galaxy")
    built = ansible(galaxy, "collection", "build", "--output-path", str(tmp_path))
    assert built.returncode == 0, built.stderr
    (archive,) = tmp_path.glob("faas-exp-*.tar.gz")
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert "src/faas_exp/cli.py" in names, "the Python package travels with the collection"
    assert "playbooks/experiment.yml" in names
    leftovers = ("collections/", ".venv", ".faas", ".git/", "results/", "__pycache__", ".egg-info", ".cache")
    assert [n for n in names if any(part in f"{n}/" for part in leftovers)] == []

    target = tmp_path / "elsewhere"
    (tmp_path / "ansible.cfg").touch()
    environment = {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(target)}
    # The dependencies come with the PyPI package "ansible"; there is no Galaxy to ask here.
    install = (galaxy, "collection", "install", "--no-deps", "--offline", "-p", str(target), str(archive))
    installed = ansible(*install, **environment)
    assert installed.returncode == 0, installed.stderr
    document = ansible(str(BIN / "ansible-doc"), "--json", "faas.exp.openfaas_function", **environment)
    assert json.loads(document.stdout)["faas.exp.openfaas_function"]["doc"]["filename"].startswith(str(target))
    parsed = ansible(
        str(BIN / "ansible-playbook"), "-i", "localhost,", "--syntax-check", "faas.exp.experiment", **environment
    )
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr
