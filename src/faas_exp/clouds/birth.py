"""What a machine is told when it is born."""

from __future__ import annotations

import yaml

from faas_exp.hostkeys import HostKey


def user_data(name: str, ssh_user: str, key: HostKey) -> str:
    """What cloud-init does at birth: name, login, host key. Nothing else: roles do the rest."""
    config = {
        "hostname": name,
        "preserve_hostname": False,
        "manage_etc_hosts": "localhost",
        # Renames the image's own login, with its rights; its key is the key pair.
        "user": {"name": ssh_user},
        "disable_root": True,
        "ssh_pwauth": False,
        # Keys of the image, should it have any, are not kept; where ssh_keys is given no others are made.
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": key.private, "ed25519_public": f"{key.public} {name}"},
    }
    return "#cloud-config\n" + yaml.safe_dump(config, sort_keys=False, width=1000)
