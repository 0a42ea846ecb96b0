"""The thesis's per-case files: one line of medians over runs, or one line per warm and cold chunk."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from faas_exp.analysis import names
from faas_exp.analysis.errors import BadFileError
from faas_exp.analysis.files import write_text
from faas_exp.analysis.outliers import median_within_fences

HEADER = ("resTime", "throughput", "errorPct")
CHUNKED_HEADER = ("startTime", *HEADER)


def write_case_files(runs: pd.DataFrame, destination: Path) -> list[Path]:
    """Write ``<prefix>/<load>/<scaling>/<case>.csv`` for every case of the tidy table; void runs don't count.

    The values are medians over runs after the interquartile cut (the error rate: without the cut, as in the thesis).
    """
    written = []
    usable = runs[~runs["void"]]
    for (prefix, load, scaling, case), group in usable.groupby(["prefix", "load", "scaling", "case"], sort=False):
        chunks = sorted(set(group["chunk"]), key=names.chunk_order)
        chunked = chunks != [""]
        rows = [_values(group[group["chunk"] == chunk], chunk if chunked else None) for chunk in chunks]
        path = destination / str(prefix) / str(load) / str(scaling) / f"{case}.csv"
        written.append(write_text(path, _csv([CHUNKED_HEADER if chunked else HEADER, *rows])))
    return written


def _values(group: pd.DataFrame, chunk: str | None) -> tuple[str | float, ...]:
    values = (
        median_within_fences(group["p50"].tolist()),
        median_within_fences(group["throughput"].tolist()),
        float(np.median(group["error_pct"])),
    )
    return values if chunk is None else (chunk, *values)


def _csv(rows: list[tuple[str | float, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    # A value that does not exist is an empty field: "nan" would be read as a word.
    writer.writerows([None if isinstance(v, float) and np.isnan(v) else v for v in row] for row in rows)
    return text.getvalue().replace('""', "")


def is_case_file(path: Path) -> bool:
    """Whether a CSV file has the header of a per-case file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline(4096)
    except OSError:
        return False
    return set(HEADER) <= {part.strip().strip('"') for part in first.split(",")}


def read_case_file(path: Path) -> pd.DataFrame:
    """Rows of a per-case file: ``chunk`` (empty or the start time), ``p50``, ``throughput``, ``error_pct``.

    Raises:
        BadFileError: it is not such a file.
    """
    allowed = f"a CSV file with the columns {', '.join(HEADER)}"
    try:
        table = pd.read_csv(path, skipinitialspace=True, encoding_errors="replace")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, OSError) as error:
        raise BadFileError(path, f"something else ({str(error).strip()})", allowed) from error
    if not set(HEADER) <= set(table.columns):
        raise BadFileError(path, f"the columns {', '.join(map(str, table.columns))}", allowed)
    values = table[list(HEADER)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    frame = pd.DataFrame(values, columns=["p50", "throughput", "error_pct"])
    frame.insert(0, "chunk", table["startTime"].astype(str) if "startTime" in table else "")
    return frame
