"""A real Kubespray's own names, against those that we give it. Runs where KUBESPRAY_DIR names a checkout."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from faas_exp.kubespray import environment, plan

DIRECTORY = os.environ.get("KUBESPRAY_DIR", "")
pytestmark = pytest.mark.skipif(not DIRECTORY, reason="NOT RUN: KUBESPRAY_DIR names no checkout of Kubespray")

WISH = plan.Wish(
    [plan.Machine("m1", "10.0.0.1", "10.0.0.1")],
    [plan.Machine("w1", "10.0.0.2", "10.0.0.2")],
    version="1.34.3",
    plain_registries=["10.0.0.9:5000"],
    files_repo="http://mirror",
    registry_host="mirror:5000",
)
# Ours to define: Kubespray's sample inventory builds other variables on them.
OWN = {"files_repo", "registry_host"}


def text(*patterns: str) -> str:
    files = [path for pattern in patterns for path in Path(DIRECTORY).glob(pattern)]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_the_checkout_is_one() -> None:
    folder = environment.checkout(DIRECTORY, "", "", Path("/nonexistent"))
    assert folder == Path(DIRECTORY).resolve()
    assert environment.revision(DIRECTORY, "", "")


def test_every_variable_is_one_that_kubespray_reads() -> None:
    known = text("roles/**/defaults/**/*.yml", "roles/**/vars/**/*.yml")
    for name in plan.variables(WISH).keys() - OWN:
        assert re.search(rf"^{name}:", known, re.MULTILINE), f"{name} is no variable of this Kubespray"


def test_groups_and_addresses_are_those_that_its_playbooks_name() -> None:
    used = text("playbooks/**/*.yml", "roles/**/*.yml")
    hosts = plan.inventory(WISH, {})["all"]
    for group in hosts["children"]:
        assert re.search(rf"\b{group}\b", used), f"no play is about {group}"
    for name in hosts["hosts"]["w1"].keys() - {"ansible_host"}:
        assert re.search(rf"\b{name}\b", used), f"{name} of a machine is not read"


def test_the_mirror_has_every_site_that_files_come_from() -> None:
    sites = set(
        re.findall(
            r"^(\w+_url): \"?https://[^/\"]+\"?$", text("roles/kubespray_defaults/**/download.yml"), re.MULTILINE
        )
    )
    assert sites
    assert sites <= plan.variables(WISH).keys(), "a site that no mirror stands for"
