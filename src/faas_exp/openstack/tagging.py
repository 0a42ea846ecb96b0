"""Tags for people who look (``openstack network list --tags faas-exp:env=<name>``). The mark is the description."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.marks import mark
from faas_exp.openstack.patience import again
from faas_exp.openstack.survey import FLOATING_IP, NETWORK, PORT, ROUTER, SECURITY_GROUP, SUBNET, survey

_TAGGED = (NETWORK, SUBNET, ROUTER, FLOATING_IP, PORT, SECURITY_GROUP)


def tag(ledger: Ledger) -> None:
    """Tag what has no tag yet; other tags are left alone."""
    wanted, add = mark(ledger.env), ledger.cloud.api.network.add_tag
    bare = [one for one in survey(ledger.cloud, ledger.env, _TAGGED).all if wanted not in (one.raw.tags or [])]
    if not bare:
        return

    def add_all() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: again(partial(add, one.raw, wanted)), bare))

    ledger.do(f"tag {len(bare)} parts of the network", add_all)
