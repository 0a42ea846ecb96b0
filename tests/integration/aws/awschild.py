"""Makes or tears down an environment, to be killed on the way."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faas_exp.aws.environment import ensure
from faas_exp.aws.inputs import Inputs
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.session import connect
from faas_exp.aws.teardown import teardown
from faas_exp.clouds import patience

# How long to wait between two looks is not what is tested here.
IN_HASTE = SimpleNamespace(sleep=lambda _: time.sleep(0.01), monotonic=time.monotonic)


def work(order: dict[str, Any]) -> None:
    """``what``: ensure or teardown; ``inputs`` and ``state`` as :func:`ensure` takes them."""
    patience.time = IN_HASTE  # type: ignore[assignment]
    inputs = Inputs(**order["inputs"])
    if order["what"] == "ensure":
        ensure(connect(), inputs.wish(), Path(order["state"]))
    else:
        teardown(Ledger(connect(), inputs.env), timeout=60)
