"""Where an environment lives: the account and region that it was made in, noted on the controller.

The same name in another region is another environment. Without this note, a teardown with the wrong
AWS_DEFAULT_REGION would find nothing, report that nothing is left, and forget the keys of machines that run.
"""

from __future__ import annotations

import json
from pathlib import Path

from faas_exp.aws.errors import AwsError
from faas_exp.aws.session import Cloud

_NOTE = "aws.json"


def same_home(cloud: Cloud, env: str, folder: Path) -> None:
    """Refuse to go on with an environment that was made elsewhere.

    Args:
        folder: the environment's state on the controller.

    Raises:
        AwsError: another region or account than the note says.
    """
    noted = _read(folder / _NOTE)
    if noted.get("region", cloud.region) != cloud.region:
        raise AwsError(
            f"{env} was made in region {noted['region']}, this is {cloud.region}. "
            f"Set AWS_DEFAULT_REGION={noted['region']}, or choose another env_name"
        )
    if noted.get("account", cloud.account) != cloud.account:
        raise AwsError(
            f"{env} was made in AWS account {noted['account']}, these are credentials of {cloud.account}. "
            "Use that account's, or choose another env_name"
        )


def settle(cloud: Cloud, folder: Path) -> None:
    """Write the note, before the first resource is made."""
    wanted = {"account": cloud.account, "region": cloud.region}
    if _read(folder / _NOTE) == wanted:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{_NOTE}.new"
    draft.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
    draft.rename(folder / _NOTE)


def _read(path: Path) -> dict[str, str]:
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AwsError(f"{path}: can't be read ({error}). It holds account and region; write it again") from None
    return dict(noted)
