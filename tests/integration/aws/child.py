"""Makes or tears down an environment, to be killed on the way: python child.py JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faas_exp.aws.environment import ensure
from faas_exp.aws.inputs import Inputs
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.session import connect
from faas_exp.aws.teardown import teardown

order = json.loads(sys.argv[1])
inputs = Inputs(**order["inputs"])
if order["what"] == "ensure":
    ensure(connect(), inputs.wish(), Path(order["state"]))
else:
    teardown(Ledger(connect(), inputs.env), timeout=60)
