"""Building the tidy table with the same column types whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from faas_exp.analysis.model import CELL, RUN_COLUMNS

_TEXT = (*CELL, "chunk", "void_reasons", "source", "config_hash", "prefix")
_DTYPES: dict[str, str] = (
    dict.fromkeys(RUN_COLUMNS, "float64")
    | dict.fromkeys(_TEXT, "str")
    | dict.fromkeys(("run", "count", "errors", "replicas_seen", "leaf"), "int64")
    | dict.fromkeys(("void", "whole_ms"), "bool")
    | dict.fromkeys(("cold_responses", "users"), "Int64")
)
_EMPTY: dict[str, Any] = {
    "count": 0,
    "errors": 0,
    "replicas_seen": 0,
    "void": False,
    "whole_ms": False,
} | dict.fromkeys(("chunk", "void_reasons", "config_hash", "prefix"), "")


def runs_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The tidy table of these rows; what a row does not say is unknown (NaN), or nothing (counts, flags, texts)."""
    records = [{**_EMPTY, **row} for row in rows]
    return pd.DataFrame.from_records(records, columns=list(RUN_COLUMNS)).astype(_DTYPES)
