"""Where an environment lives: the cloud, region and project that it was made in, noted on the controller.

The same name in another project is another environment. Without this note, a teardown with the wrong OS_CLOUD would
find nothing, report that nothing is left, and forget the keys of machines that run.
"""

from __future__ import annotations

from pathlib import Path

from faas_exp.clouds.note import Note
from faas_exp.openstack.errors import OpenStackError
from faas_exp.openstack.session import Cloud

_NOTE = Note("openstack.json", "It holds cloud, region and project; delete it if they are right now", OpenStackError)


def same_home(cloud: Cloud, env: str, folder: Path) -> None:
    """Refuse to go on with an environment that was made elsewhere.

    Args:
        folder: the environment's state on the controller.

    Raises:
        OpenStackError: another cloud, region or project than the note says.
    """
    noted = _NOTE.read(folder)
    for key, is_now in _home(cloud).items():
        if noted.get(key, is_now) != is_now:
            raise OpenStackError(
                f"{env} was made in {key} {noted[key] or '(default)'}, this is {is_now or '(default)'}. "
                "Use the credentials that it was made with (OS_CLOUD, RC file), or choose another env_name"
            )


def settle(cloud: Cloud, folder: Path) -> None:
    """Write the note, before the first resource is made."""
    _NOTE.write(folder, _home(cloud))


def _home(cloud: Cloud) -> dict[str, str]:
    return {"cloud": cloud.auth_url, "region": cloud.region, "project": cloud.project}
