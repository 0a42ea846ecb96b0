"""Is everything here that an experiment needs? Each answer comes with the way to mend it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faas_exp.config import load_experiment
from faas_exp.errors import FaasExpError
from faas_exp.openfaas import OpenFaaS
from faas_exp.planning import code_folders
from faas_exp.playbook import collection_dir, shipped_functions

_PACKAGES = {
    "load": ("locust", "gevent"),
    "analysis": ("numpy", "pandas", "pyarrow", "scipy", "seaborn"),
    "control": ("ansible", "ansible_runner", "rich"),
    "gateway": ("httptools", "uvloop"),
}
_TOOLS = {"embedded": (), "swarm": ("ssh",), "nomad": ("ssh",), "k8s": ("ssh",)}
_EMBEDDED_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Check:
    """One answer."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def run_checks(
    framework: str, *, config_file: Path | None = None, gateway: str | None = None, password_file: Path | None = None
) -> Iterator[Check]:
    """All checks, in the order in which a person would mend them."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", sys.version_info >= (3, 11), version, "use Python 3.11 or newer")
    for extra, modules in _PACKAGES.items():
        if extra == "gateway" and framework != "embedded":
            continue
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        found = "no " + ", ".join(missing) if missing else "all there"
        yield Check(f"packages for {extra}", not missing, found, f"pip install 'faas-exp[{extra}]'")
    for tool in ("ansible-playbook", *_TOOLS[framework]):
        path = shutil.which(tool) or shutil.which(tool, path=str(Path(sys.executable).parent))
        yield Check(tool, path is not None, path or "not on the PATH", f"install {tool}, or add its folder to PATH")
    yield _collection()
    if config_file is not None:
        yield from _experiment(config_file, framework)
    yield from _gateway(framework, gateway, password_file)


def _collection() -> Check:
    try:
        return Check("collection faas.exp", True, str(collection_dir()))
    except FaasExpError as error:
        return Check("collection faas.exp", False, str(error), "ansible-galaxy collection install faas.exp")


def _experiment(path: Path, framework: str) -> Iterator[Check]:
    from faas_exp.functions.programs import debian_packages, missing_programs

    try:
        experiment = load_experiment(path, shipped_functions=shipped_functions())
    except FaasExpError as error:
        yield Check("experiment file", False, str(error), "correct the file")
        return
    yield Check("experiment file", True, f"{path}, {len(experiment.functions)} functions")
    if framework != "embedded":
        return
    for name, folder in code_folders(experiment).items():
        missing = missing_programs(folder)
        mend = "apt-get install " + " ".join(debian_packages(missing)) if missing else ""
        yield Check(f"runtime of {name}", not missing, "no " + ", ".join(missing) if missing else "there", mend)


def _gateway(framework: str, url: str | None, password_file: Path | None) -> Iterator[Check]:
    if not url and framework != "embedded":
        yield Check(
            "gateway URL", False, "none given", "export OPENFAAS_URL=http://gateway.openfaas.local, or give --gateway"
        )
        return
    url = url or _EMBEDDED_URL
    yield Check("gateway URL", True, url)
    password = os.environ.get("OPENFAAS_PASSWORD")
    if password is None:
        path = password_file or Path(".faas", framework, "secrets", "basic-auth-password")
        try:
            password = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            mend = "make the platform first (ansible-playbook playbooks/site.yml), or give --password-file"
            yield Check("gateway password", False, f"{path}: {error.strerror}", mend)
            return
    yield Check("gateway password", True, "known")
    try:
        info = OpenFaaS(url, password=password).check()
    except FaasExpError as error:
        yield Check("gateway", False, str(error), "start the platform (ansible-playbook playbooks/site.yml)")
        return
    provider = (info.get("provider") or {}).get("provider") or "provider not told"
    yield Check("gateway", True, f"answers, {provider}")
