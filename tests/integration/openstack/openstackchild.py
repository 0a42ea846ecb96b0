"""Makes or tears down an environment, to be killed on the way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from faas_exp.errors import FaasExpError
from faas_exp.openstack.environment import ensure
from faas_exp.openstack.inputs import Inputs
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.session import connect
from faas_exp.openstack.teardown import teardown


def work(order: dict[str, Any]) -> None:
    """``what``: ensure or teardown; ``inputs`` and ``state`` as :func:`ensure` takes them."""
    inputs = order["inputs"]
    try:
        if order["what"] == "ensure":
            ensure(connect(), Inputs(**inputs).wish(), Path(order["state"]))
        else:
            teardown(Ledger(connect(), inputs["env"]), inputs["timeout"])
    except FaasExpError as error:
        sys.exit(str(error))
