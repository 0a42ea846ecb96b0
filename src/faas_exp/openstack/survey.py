"""What there is: everything that carries the mark, of every kind that is ever made here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from faas_exp.clouds import survey as survey_of_clouds
from faas_exp.clouds.survey import list_all
from faas_exp.openstack import marks
from faas_exp.openstack.errors import FAILURES, OpenStackError, explain
from faas_exp.openstack.patience import again
from faas_exp.openstack.session import Cloud

SERVER, FLOATING_IP, PORT, ROUTER, SUBNET, NETWORK = (
    "server",
    "floating address",
    "port",
    "router",
    "subnet",
    "network",
)
SERVER_GROUP, SECURITY_GROUP, KEY_PAIR = "server group", "security group", "key pair"

_Lister = Callable[[Cloud, str | None], Iterable[Any]]


@dataclass(frozen=True)
class Resource(survey_of_clouds.Resource):
    """One thing at OpenStack.

    Attributes:
        kind: one of the names in :data:`KINDS`.
        raw: as the SDK describes it.
    """

    raw: Any


class Found(survey_of_clouds.Found[Resource]):
    """The resources of one survey."""

    error = OpenStackError


def _of_network(collection: str) -> _Lister:
    """A lister of one of networking's kinds: in the own project, by description where the environment is known."""

    def lister(cloud: Cloud, env: str | None) -> Iterable[Any]:
        wanted = {"description": marks.mark(env)} if env else {}
        items: Iterable[Any] = getattr(cloud.api.network, collection)(project_id=cloud.project, **wanted)
        return items

    return lister


KINDS: dict[str, _Lister] = {
    FLOATING_IP: _of_network("ips"),
    SERVER: lambda cloud, env: cloud.api.compute.servers(details=True),
    PORT: _of_network("ports"),
    ROUTER: _of_network("routers"),
    SUBNET: _of_network("subnets"),
    NETWORK: _of_network("networks"),
    SERVER_GROUP: lambda cloud, env: cloud.api.compute.server_groups(),
    SECURITY_GROUP: _of_network("security_groups"),
    KEY_PAIR: lambda cloud, env: cloud.api.compute.keypairs(),
}
"""In the order in which they are deleted."""


def survey(cloud: Cloud, env: str | None = None, kinds: tuple[str, ...] = ()) -> Found:
    """List everything of one environment, or of all (``env`` None), all kinds at the same time."""
    wanted = kinds or tuple(KINDS)
    return Found(list_all(wanted, lambda kind: _list(cloud, kind, env), env))


def _list(cloud: Cloud, kind: str, env: str | None) -> list[Resource]:
    try:
        items = again(lambda: list(KINDS[kind](cloud, env)))
    except FAILURES as error:
        raise explain(error, f"list {kind}s") from error
    return [resource(kind, raw) for raw in items]


def resource(kind: str, raw: Any) -> Resource:
    """What the SDK describes, in our terms."""
    if kind == SERVER:
        env = str((raw.metadata or {}).get(marks.ENV, ""))
    elif kind == KEY_PAIR:
        env = marks.env_of_key(raw.public_key)
    elif kind == SERVER_GROUP:
        env = marks.env_of_server_group(raw.name)
    else:
        env = marks.env_of(raw.description)
    name = raw.floating_ip_address if kind == FLOATING_IP else raw.name
    return Resource(kind, raw.id or raw.name, env, name or "", _time(getattr(raw, "created_at", None)), raw)


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
