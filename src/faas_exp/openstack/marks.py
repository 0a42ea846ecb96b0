"""Marks: the only state there is.

Servers carry metadata. Networking's own tags can't be given in the call that makes a thing, only afterwards; so there
the description is the mark, and the tag is added for people who look (``openstack network list --tags …``). Key pairs
and server groups have neither: of a key pair the public key's comment is the mark, of a server group its name.
"""

from __future__ import annotations

ENV = "faas-exp:env"
MACHINE = "faas-exp:machine"
GROUPS = "faas-exp:groups"
HOST_KEY = "faas-exp:host-key"

_PREFIX = f"{ENV}="


def mark(env: str) -> str:
    """The description, tag or key comment of everything of an environment."""
    return f"{_PREFIX}{env}"


def env_of(text: str | None) -> str:
    """The environment that a description, tag or comment names; empty for one that is no mark."""
    return text.removeprefix(_PREFIX) if text and text.startswith(_PREFIX) else ""


def key_pair_name(env: str) -> str:
    """Key pairs belong to a user, whose other key pairs may well be called as an environment is."""
    return f"faas-exp-{env}"


def marked_key(env: str, public_key: str) -> str:
    """A public key whose comment is the mark."""
    return " ".join([*public_key.split()[:2], mark(env)])


def env_of_key(public_key: str | None) -> str:
    """The environment that a marked public key belongs to."""
    parts = (public_key or "").split(maxsplit=2)
    return env_of(parts[2].strip()) if len(parts) == 3 else ""


def server_group_name(env: str, role: str) -> str:
    """Name and mark of the server group that keeps one role's machines apart."""
    return f"{mark(env)}/{role}"


def env_of_server_group(name: str | None) -> str:
    """The environment that a server group belongs to."""
    return env_of(name).partition("/")[0]
