"""The aggregated folder: the tidy table and its detail tables, written and read back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from faas_exp.analysis.errors import BadFileError
from faas_exp.analysis.files import read_json_object, write, write_text
from faas_exp.analysis.measure import GRID
from faas_exp.analysis.model import RUN_COLUMNS, Dataset, FloatArray, LeftOut, Provenance

RUNS, RUNS_CSV = "runs.parquet", "runs.csv"
QUANTILES, TIMELINE = "details/quantiles.parquet", "details/timeline.parquet"
FIRST, FIRST_CSV = "details/first_responses.parquet", "details/first_responses.csv"
PROVENANCE = "provenance.json"


def save(data: Dataset, destination: Path) -> list[Path]:
    """Write the tidy table (Parquet and CSV), the detail tables and where it all comes from."""
    return [
        write(destination / RUNS, lambda path: data.runs.to_parquet(path, index=False)),
        write(destination / RUNS_CSV, lambda path: data.runs.to_csv(path, index=False, lineterminator="\n")),
        write(destination / QUANTILES, lambda path: pq.write_table(_quantile_table(data.quantiles), path)),
        write(destination / TIMELINE, lambda path: data.timeline.to_parquet(path, index=False)),
        write(destination / FIRST, lambda path: data.first.to_parquet(path, index=False)),
        write(destination / FIRST_CSV, lambda path: _named_first(data).to_csv(path, index=False, lineterminator="\n")),
        write_text(destination / PROVENANCE, json.dumps(asdict(data.provenance), indent=2, ensure_ascii=False) + "\n"),
    ]


def load(folder: Path) -> Dataset:
    """Read back what ``save`` wrote.

    Raises:
        BadFileError: a table is damaged or was written by another program.
    """
    runs = _parquet(folder / RUNS)
    if list(runs.columns) != list(RUN_COLUMNS):
        raise BadFileError(folder / RUNS, "other columns", "the tidy table of aggregate; run aggregate again")
    quantiles: dict[int, FloatArray] = {}
    table = _arrow(folder / QUANTILES)
    for leaf, values in zip(table["leaf"].to_pylist(), table["quantiles"].to_pylist(), strict=True):
        quantiles[leaf] = np.asarray(values, dtype=np.float64)
    return Dataset(runs, quantiles, _parquet(folder / TIMELINE), _parquet(folder / FIRST), _provenance(folder))


def _quantile_table(quantiles: dict[int, FloatArray]) -> pa.Table:
    leaves = sorted(quantiles)
    flat = np.concatenate([quantiles[leaf] for leaf in leaves]) if leaves else np.empty(0)
    values = pa.FixedSizeListArray.from_arrays(pa.array(flat), len(GRID))
    return pa.table({"leaf": pa.array(leaves, pa.int64()), "quantiles": values})


def _named_first(data: Dataset) -> pd.DataFrame:
    """The first responses with the names of their runs, for people."""
    keys = data.runs[["orchestrator", "function", "load", "scaling", "case", "run", "chunk", "leaf"]]
    return keys.merge(data.first, on="leaf").drop(columns="leaf")


def _arrow(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadFileError(
            path, f"an unreadable file ({str(error).splitlines()[0]})", "a table of aggregate"
        ) from error


def _parquet(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = _arrow(path).to_pandas()
    return frame


def _provenance(folder: Path) -> Provenance:
    raw: dict[str, Any] = read_json_object(folder / PROVENANCE) or {}
    return Provenance(
        manifests=raw.get("manifests", {}),
        facts=raw.get("facts", {}),
        left_out=[LeftOut(str(item["path"]), str(item["reason"])) for item in raw.get("left_out", [])],
        errors=list(raw.get("errors", [])),
        notes=list(raw.get("notes", [])),
    )
