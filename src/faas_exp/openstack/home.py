"""Where an environment lives: the cloud, region and project that it was made in, noted on the controller.

The same name in another project is another environment. Without this note, a teardown with the wrong OS_CLOUD would
find nothing, report that nothing is left, and forget the keys of machines that run.
"""

from __future__ import annotations

import json
from pathlib import Path

from faas_exp.openstack.errors import OpenStackError
from faas_exp.openstack.session import Cloud

_NOTE = "openstack.json"


def same_home(cloud: Cloud, env: str, folder: Path) -> None:
    """Refuse to go on with an environment that was made elsewhere.

    Args:
        folder: the environment's state on the controller.

    Raises:
        OpenStackError: another cloud, region or project than the note says.
    """
    noted = _read(folder / _NOTE)
    for key, is_now in _home(cloud).items():
        if noted.get(key, is_now) != is_now:
            raise OpenStackError(
                f"{env} was made in {key} {noted[key] or '(default)'}, this is {is_now or '(default)'}. "
                "Use the credentials that it was made with (OS_CLOUD, RC file), or choose another env_name"
            )


def settle(cloud: Cloud, folder: Path) -> None:
    """Write the note, before the first resource is made."""
    wanted = _home(cloud)
    if _read(folder / _NOTE) == wanted:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{_NOTE}.new"
    draft.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
    draft.rename(folder / _NOTE)


def _home(cloud: Cloud) -> dict[str, str]:
    return {"cloud": cloud.auth_url, "region": cloud.region, "project": cloud.project}


def _read(path: Path) -> dict[str, str]:
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OpenStackError(
            f"{path}: can't be read ({error}). It holds cloud, region and project; delete it if they are right now"
        ) from None
    return dict(noted)
