"""The real services, which tools/test-openstack started; each test has an environment of its own and leaves none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack
import pytest
import yaml
from openstacklab import Lab, MakeLab
from openstackproxy import Faults, way_to

_NAMES = iter(f"trial{number}-{os.getpid()}" for number in range(1000))


@pytest.fixture(scope="session")
def real_clouds() -> Path:
    """clouds.yaml of the services."""
    path = os.environ.get("FAAS_OPENSTACK_CLOUDS")
    if not path:
        pytest.skip("no OpenStack runs here: tools/test-openstack starts one and these tests with it")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    return Path(path)


@pytest.fixture(scope="session")
def admin(real_clouds: Path) -> Any:
    """An administrator's connection."""
    return openstack.connection.Connection(
        config=openstack.config.OpenStackConfig(config_files=[str(real_clouds)]).get_one("admin")
    )


@pytest.fixture(scope="session")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="session")
def users(admin: Any) -> Iterator[dict[str, dict[str, str]]]:
    """Users of this session's own, no administrators, each alone in a project: what it has is the tests' doing."""
    identity, made = admin.identity, {}
    role = identity.find_role("member")
    for cloud in ("demo", "small"):
        name, password = f"{cloud}-{os.getpid()}", secrets.token_hex(8)
        project = identity.create_project(name=name, domain_id="default")
        user = identity.create_user(name=name, password=password, domain_id="default", default_project_id=project.id)
        identity.assign_project_role_to_user(project, user, role)
        made[cloud] = {"name": name, "password": password, "project": project.id, "user": user.id}
    admin.compute.put(
        f"/os-quota-sets/{made['small']['project']}", json={"quota_set": {"instances": 3, "cores": 6}}
    ).raise_for_status()
    # Three clusters side by side have more rules than the usual hundred.
    admin.network.update_quota(made["demo"]["project"], security_groups=50, security_group_rules=500)
    yield made
    for one in made.values():
        for group in admin.network.security_groups(project_id=one["project"]):
            admin.network.delete_security_group(group)
        identity.delete_user(one["user"])
        identity.delete_project(one["project"])


@pytest.fixture(scope="session")
def clouds(
    real_clouds: Path,
    admin: Any,
    users: dict[str, dict[str, str]],
    faults: Faults,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """clouds.yaml that leads to compute and networking by a way on which faults can be made."""
    known = yaml.safe_load(real_clouds.read_text(encoding="utf-8"))["clouds"]["admin"]
    path = tmp_path_factory.mktemp("clouds") / "clouds.yaml"
    compute = urlsplit(admin.compute.get_endpoint())
    network = urlsplit(admin.network.get_endpoint())
    with way_to(compute.netloc, faults) as to_compute, way_to(network.netloc, faults) as to_network:
        config = {}
        for cloud, user in users.items():
            login = {"username": user["name"], "project_name": user["name"], "password": user["password"]}
            config[cloud] = {
                **known,
                "auth": {**known["auth"], **login},
                "compute_endpoint_override": f"{to_compute}/v2.1",
                "network_endpoint_override": to_network,
            }
        path.write_text(yaml.safe_dump({"clouds": config}), encoding="utf-8")
        yield path


@pytest.fixture(scope="session")
def make_lab(clouds: Path, admin: Any, users: dict[str, dict[str, str]], faults: Faults) -> MakeLab:
    """Makes environments: of which user, in which folder. Each is gone afterwards, whatever was done to it."""

    @contextmanager
    def make(cloud: str, base: Path) -> Iterator[Lab]:
        with pytest.MonkeyPatch.context() as patch:
            for key in [one for one in os.environ if one.startswith("OS_")]:
                patch.delenv(key)
            patch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
            patch.setenv("OS_CLOUD", cloud)
            faults.reset()
            lab = Lab(base, next(_NAMES), admin, users[cloud]["project"], clouds, faults, cloud)
            yield lab
            faults.reset()
            if lab.found().all:
                lab.teardown()

    return make


@pytest.fixture
def lab(make_lab: MakeLab, tmp_path: Path) -> Iterator[Lab]:
    """An environment of the test's own."""
    with make_lab("demo", tmp_path) as one:
        yield one


@pytest.fixture
def small_lab(make_lab: MakeLab, tmp_path: Path) -> Iterator[Lab]:
    """The same, as a user with room for three machines."""
    with make_lab("small", tmp_path) as one:
        yield one
