"""Makes or tears down an environment, to be killed on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faas_exp.aws.environment import ensure
from faas_exp.aws.inputs import Inputs
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.session import connect
from faas_exp.aws.teardown import teardown


def work(order: dict[str, Any]) -> None:
    """``what``: ensure or teardown; ``inputs`` and ``state`` as :func:`ensure` takes them."""
    inputs = Inputs(**order["inputs"])
    if order["what"] == "ensure":
        ensure(connect(), inputs.wish(), Path(order["state"]))
    else:
        teardown(Ledger(connect(), inputs.env), timeout=60)
