"""Where an environment lives: the account and region that it was made in, noted on the controller.

The same name in another region is another environment. Without this note, a teardown with the wrong
AWS_DEFAULT_REGION would find nothing, report that nothing is left, and forget the keys of machines that run.
"""

from __future__ import annotations

from pathlib import Path

from faas_exp.aws.errors import AwsError
from faas_exp.aws.session import Cloud
from faas_exp.clouds.note import Note

_NOTE = Note("aws.json", "It holds account and region; write it again", AwsError)


def same_home(cloud: Cloud, env: str, folder: Path) -> None:
    """Refuse to go on with an environment that was made elsewhere.

    Args:
        folder: the environment's state on the controller.

    Raises:
        AwsError: another region or account than the note says.
    """
    noted = _NOTE.read(folder)
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
    _NOTE.write(folder, {"account": cloud.account, "region": cloud.region})
