"""The network: network, subnet, router with its way out, and the one floating address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from faas_exp.clouds.ledger import PLANNED
from faas_exp.openstack import marks
from faas_exp.openstack.errors import OpenStackError
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.patience import again, create_once
from faas_exp.openstack.spec import Wish
from faas_exp.openstack.survey import FLOATING_IP, NETWORK, ROUTER, SUBNET, Found, survey


@dataclass
class Network:
    """Ids of what the machines stand on."""

    network: str
    subnet: str
    router: str


class NetworkMaker:
    """Brings the network of one environment to what is wished; knows what there was when it began."""

    def __init__(self, ledger: Ledger, wish: Wish, found: Found, external: str) -> None:
        self._ledger, self._wish, self._found, self._external = ledger, wish, found, external
        self._api = ledger.cloud.api.network
        self._mark = marks.mark(wish.env)

    def make(self) -> Network:
        """All of it but the floating address."""
        network = self._network()
        subnet = self._subnet(network)
        router = self._router()
        self._interface(router, subnet)
        return Network(network, subnet, router)

    def floating_address(self, port: str, address: str) -> str:
        """The one public address, on this port; it stays the same when its machine is made again.

        Returns:
            the address; empty in a check that would make it.
        """
        there = self._one_address()
        if there is None:
            create = partial(
                self._api.create_ip,
                floating_network_id=self._external,
                port_id=port,
                fixed_ip_address=address,
                description=self._mark,
            )
            what = f"create floating address for {self._wish.name('bastion')} ({address})"
            there = self._ledger.do(what, lambda: create_once(create, self._one_address))
        elif there.port_id != port or there.fixed_ip_address != address:
            update = partial(self._api.update_ip, there.id, port_id=port, fixed_ip_address=address)
            self._ledger.do(
                f"give floating address {there.floating_ip_address} to {self._wish.name('bastion')}",
                lambda: again(update),
            )
        return str(there.floating_ip_address) if there is not None else ""

    def _one_address(self) -> Any:
        """The floating address there is by now, or None."""
        there = survey(self._ledger.cloud, self._wish.env, (FLOATING_IP,)).all
        if len(there) > 1:
            names = ", ".join(sorted(one.name for one in there))
            raise OpenStackError(
                f"floating address: there are {len(there)} ({names}). Delete the wrong one, or tear down"
            )
        return there[0].raw if there else None

    def _make(self, kind: str, name: str, create: Callable[[], Any], detail: str = "") -> str:
        there = self._found.one(kind, name)
        if there is not None:
            return there.id

        def look() -> Any:
            made = survey(self._ledger.cloud, self._wish.env, (kind,)).one(kind, name)
            return None if made is None else made.raw

        made = self._ledger.do(f"create {kind} {name}{detail}", lambda: create_once(create, look))
        return PLANNED if made is None else str(made.id)

    def _network(self) -> str:
        name = self._wish.name("network")
        return self._make(NETWORK, name, partial(self._api.create_network, name=name, description=self._mark))

    def _subnet(self, network: str) -> str:
        name = self._wish.name("subnet")
        first, last = self._wish.pool
        servers = list(self._wish.dns_nameservers)
        create = partial(
            self._api.create_subnet,
            name=name,
            description=self._mark,
            network_id=network,
            ip_version=4,
            cidr=self._wish.subnet_cidr,
            dns_nameservers=servers,
            allocation_pools=[{"start": first, "end": last}],
        )
        subnet = self._make(SUBNET, name, create, f" ({self._wish.subnet_cidr})")
        there = self._found.one(SUBNET, name)
        if there is not None and list(there.raw.dns_nameservers or []) != servers:
            update = partial(self._api.update_subnet, subnet, dns_nameservers=servers)
            self._ledger.do(f"set name servers of subnet {name}: {', '.join(servers) or 'none'}", lambda: again(update))
        return subnet

    def _router(self) -> str:
        name = self._wish.name("router")
        gateway = {"network_id": self._external}
        create = partial(self._api.create_router, name=name, description=self._mark, external_gateway_info=gateway)
        router = self._make(ROUTER, name, create, f" (to {self._wish.external_network})")
        there = self._found.one(ROUTER, name)
        if there is not None and not (there.raw.external_gateway_info or {}).get("network_id"):
            update = partial(self._api.update_router, router, external_gateway_info=gateway)
            self._ledger.do(f"lead router {name} to {self._wish.external_network}", lambda: again(update))
        return router

    def _interface(self, router: str, subnet: str) -> None:
        def look() -> Any:
            return router_port(self._ledger, router, subnet)

        if PLANNED in (router, subnet) or again(look) is None:
            add = partial(self._api.add_interface_to_router, router, subnet_id=subnet)
            what = f"connect router {self._wish.name('router')} to subnet {self._wish.name('subnet')}"
            self._ledger.do(what, lambda: create_once(add, look))


def router_port(ledger: Ledger, router: str, subnet: str) -> Any:
    """The port by which a router stands in a subnet, or None."""
    for port in ledger.cloud.api.network.ports(device_id=router):
        if any(one["subnet_id"] == subnet for one in port.fixed_ips):
            return port
    return None
