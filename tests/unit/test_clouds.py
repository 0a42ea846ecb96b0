"""What the clouds share: it knows none of them, and its options are documented as they are."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from faas_exp.clouds.errors import CloudError
from faas_exp.clouds.jobs import all_of
from faas_exp.clouds.note import Note
from faas_exp.clouds.survey import Resource
from faas_exp.clouds.teardown import prove

ROOT = Path(__file__).parents[2]
_ALONE = """
import importlib, pkgutil, sys, faas_exp.clouds
for one in pkgutil.iter_modules(faas_exp.clouds.__path__):
    importlib.import_module(f"faas_exp.clouds.{one.name}")
clouds = {"faas_exp.aws", "faas_exp.openstack", "boto3", "botocore", "openstack", "keystoneauth1"}
print(sorted(clouds & set(sys.modules)))
"""


class OneCloudError(CloudError):
    """A cloud's own."""


def test_it_imports_no_cloud() -> None:
    done = subprocess.run([sys.executable, "-c", _ALONE], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["aws_environment", "openstack_environment"])
def test_every_option_is_documented_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "collections"))
    arguments = importlib.import_module(f"ansible_collections.faas.exp.plugins.modules.{name}").ARGUMENTS
    shown = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "--json", f"faas.exp.{name}"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    documented = json.loads(shown.stdout)[f"faas.exp.{name}"]["doc"]["options"]

    def of(options: dict[str, Any]) -> dict[str, Any]:
        keys = ("type", "default", "choices", "elements")
        return {
            option: {**{key: its.get(key) for key in keys}, "required": bool(its.get("required"))}
            for option, its in options.items()
        }

    assert of(documented) == of(arguments)


def test_a_note_is_read_back_and_a_broken_one_is_told(tmp_path: Path) -> None:
    note = Note("one.json", "Write it again", OneCloudError)
    assert note.read(tmp_path / "none") == {}
    note.write(tmp_path / "env", {"region": "here"})
    assert note.read(tmp_path / "env") == {"region": "here"}
    (tmp_path / "env" / "one.json").write_text("{", encoding="utf-8")
    with pytest.raises(OneCloudError, match=r"one.json: can't be read \(.*\). Write it again$"):
        note.read(tmp_path / "env")


def test_every_job_runs_and_each_failure_is_told_once() -> None:
    ran = []

    def fails(text: str) -> None:
        ran.append(text)
        raise OneCloudError(text)

    with pytest.raises(OneCloudError, match=r"^a; b$"):
        all_of([lambda: fails("a"), lambda: fails("b"), lambda: fails("a"), lambda: ran.append("c")], OneCloudError)
    assert sorted(ran) == ["a", "a", "b", "c"]


def test_what_is_left_is_named() -> None:
    left = Resource("port", "7", "trial", "trial-bastion", datetime.now(UTC))

    def in_vain(done: Any, what: str, seconds: float) -> None:
        assert not done()
        raise OneCloudError("too late")

    with pytest.raises(OneCloudError, match=r"teardown of trial: port trial-bastion \(7\). Run the teardown again"):
        prove("trial", lambda: [left], in_vain, 0, OneCloudError)
    prove("trial", list, lambda done, what, seconds: None, 0, OneCloudError)
