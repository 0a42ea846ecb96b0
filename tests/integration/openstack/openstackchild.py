"""Makes or tears down an environment, to be killed on the way: python openstackchild.py JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faas_exp.errors import FaasExpError
from faas_exp.openstack.environment import ensure
from faas_exp.openstack.inputs import Inputs
from faas_exp.openstack.ledger import Ledger
from faas_exp.openstack.session import connect
from faas_exp.openstack.teardown import teardown


def main() -> None:
    """What the argument says."""
    order = json.loads(sys.argv[1])
    inputs = {key: tuple(value) if isinstance(value, list) else value for key, value in order["inputs"].items()}
    try:
        if order["what"] == "ensure":
            ensure(connect(), Inputs(**inputs).wish(), Path(order["state"]))
        else:
            teardown(Ledger(connect(), inputs["env"]), inputs["timeout"])
    except FaasExpError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
