"""The thesis's ``summary/`` files: one value per line, by framework, run, case and factor."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from faas_exp.analysis import names
from faas_exp.analysis.errors import BadFileError
from faas_exp.analysis.files import write_text
from faas_exp.analysis.tidy import runs_frame

COLUMNS = ("framework", "runNumber", "caseNumber", "factor", "factorValue")
CHUNKED_COLUMNS = ("startTime", *COLUMNS)
FACTORS = {"resTime": "p50", "throughput": "throughput", "errorPct": "error_pct"}
"""The thesis's names of what it measured, and the columns of the tidy table."""

_THESIS_FACTORS = {"resTime": "thesis_res_time", "throughput": "thesis_throughput", "errorPct": "error_pct"}


@dataclass(frozen=True, slots=True)
class Summary:
    """The values of one function and load type.

    ``table`` has ``COLUMNS`` and, for a function measured warm and cold, ``startTime``; rows are in the file's order.
    """

    function: str
    load: str
    scaling: str
    table: pd.DataFrame

    @property
    def folder(self) -> Path:
        return Path(self.function) / self.load / self.scaling


def file_name(scaling: str) -> str:
    """Autoscaling cases differ in users, the others in replicas; so did the thesis name its files."""
    return "users.csv" if scaling == "autoscaling" else "replicas.csv"


def summaries_of(runs: pd.DataFrame, *, thesis: bool = False) -> list[Summary]:
    """The summaries of a tidy table; void runs are left out, undefined values too.

    Args:
        thesis: take response time and throughput as the thesis defined them (see ``measure``).
    """
    found = []
    usable = runs[~runs["void"]]
    for (function, load, scaling), group in usable.groupby(["function", "load", "scaling"], sort=False):
        chunked = bool((group["chunk"] != "").any())
        rows = list(_rows(group, chunked, _THESIS_FACTORS if thesis else FACTORS))
        # As objects: in a column of floats whole medians would not stay whole.
        table = pd.DataFrame(rows, columns=list(CHUNKED_COLUMNS if chunked else COLUMNS), dtype=object)
        found.append(Summary(str(function), str(load), str(scaling), table))
    return found


def _rows(group: pd.DataFrame, chunked: bool, factors: dict[str, str]) -> Iterator[tuple[str | float, ...]]:
    for case in names.in_natural_order(group["case"]):
        of_case = group[group["case"] == case]
        for factor, column in factors.items():
            for framework in names.in_natural_order(of_case["orchestrator"]):
                of_framework = of_case[of_case["orchestrator"] == framework]
                for row in of_framework.itertuples(index=False):
                    value = getattr(row, column)
                    if np.isnan(value):
                        continue
                    # Whole milliseconds and an odd number of them: the median is one of them, a whole number.
                    if factor == "resTime" and row.whole_ms and (row.count - row.errors) % 2:  # type: ignore[operator]
                        value = int(value)
                    line = (framework, str(row.run), case, factor, value)
                    yield (str(row.chunk), *line) if chunked else line


def write_summary(summary: Summary, destination: Path) -> Path:
    """Write ``<function>/<load>/<scaling>/{users,replicas}.csv``, quoted as the thesis did."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(summary.table.columns)
    writer.writerows(summary.table.itertuples(index=False, name=None))
    return write_text(destination / summary.folder / file_name(summary.scaling), text.getvalue())


def is_summary(path: Path) -> bool:
    """Whether a CSV file has the header of a summary."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline(4096)
    except OSError:
        return False
    return set(COLUMNS) <= {part.strip().strip('"') for part in first.split(",")}


def read_summary(path: Path, function: str, load: str, scaling: str) -> Summary:
    """Read one summary file.

    Raises:
        BadFileError: it is not one, or holds a value that is no number.
    """
    allowed = f"a CSV file with the columns {', '.join(COLUMNS)}"
    try:
        table = pd.read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False, encoding_errors="replace")
    except (ValueError, OSError) as error:
        raise BadFileError(path, f"something else ({str(error).strip()})", allowed) from error
    if not set(COLUMNS) <= set(table.columns):
        raise BadFileError(path, f"the columns {', '.join(map(str, table.columns))}", allowed)
    table = table[[name for name in CHUNKED_COLUMNS if name in table.columns]]
    values = pd.to_numeric(table["factorValue"], errors="coerce")
    wrong = values.isna() & (table["factorValue"].str.strip() != "")
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0])
        raise BadFileError(path, f"{table['factorValue'].iloc[line]!r} as factorValue in line {line + 2}", "numbers")
    table = table.assign(factorValue=values)[values.notna().to_numpy()]
    if table.empty:
        raise BadFileError(path, "a header and no values", "at least one value")
    return Summary(function, load, scaling, table.reset_index(drop=True))


def runs_of(summary: Summary) -> pd.DataFrame:
    """The tidy table of a summary: medians, throughput and error rate per run; nothing else is known."""
    table = summary.table.assign(chunk=summary.table.get("startTime", ""))
    wide = table.pivot_table(
        index=["framework", "caseNumber", "runNumber", "chunk"], columns="factor", values="factorValue", sort=False
    ).reset_index()
    rows = []
    for row in wide.to_dict("records"):
        number = str(row["runNumber"])
        rows.append(
            {
                "orchestrator": row["framework"],
                "function": summary.function,
                "load": summary.load,
                "scaling": summary.scaling,
                "case": row["caseNumber"],
                "run": int(number) if number.isdigit() else 0,
                "chunk": row["chunk"],
                **{column: row.get(factor, float("nan")) for factor, column in FACTORS.items()},
                "thesis_res_time": row.get("resTime", float("nan")),
                "thesis_throughput": row.get("throughput", float("nan")),
                "source": "summary",
                "prefix": f"{row['framework']}/{summary.function}",
                "leaf": -1,
            }
        )
    return runs_frame(rows)
