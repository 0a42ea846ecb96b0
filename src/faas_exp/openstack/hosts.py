"""The machines of every environment in a project, as an inventory wants them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from faas_exp.openstack.environment import describe
from faas_exp.openstack.session import Cloud
from faas_exp.openstack.survey import FLOATING_IP, SERVER, survey


def hosts(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Variables by host name. Of machines that do not run the groups are empty, so that no play touches them."""
    found = survey(cloud, kinds=(SERVER, FLOATING_IP))
    names = Counter(one.name for one in found.of(SERVER))
    # From networking itself: what compute knows of floating addresses can be a minute old.
    public = {(one.env, one.raw.fixed_ip_address): one.name for one in found.of(FLOATING_IP)}
    return {
        server.name if names[server.name] == 1 else server.id: {
            "private_ip": machine["address"],
            "machine_name": machine["name"],
            "machine_env": server.env,
            "machine_groups": machine["groups"] if server.raw.status == "ACTIVE" else [],
            "machine_status": server.raw.status,
            "machine_id": server.id,
            "ansible_host": public.get((server.env, machine["address"]), machine["address"]),
        }
        for server in found.of(SERVER)
        for machine in describe(server)
    }
