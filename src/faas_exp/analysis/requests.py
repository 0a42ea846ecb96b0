"""Reading one file of requests, ours (``requests.csv``) or JMeter's (``summary.jtl``), into arrays.

The fast path is Arrow's CSV reader, streaming, with only the columns that are needed; text becomes numbers at once.
What Arrow refuses (a word where a number should be, a quote that never closes) is read again by a patient path.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from faas_exp.analysis.errors import AnalysisError, BadFileError
from faas_exp.analysis.model import BoolArray, FloatArray, IntArray

NUMBERS = ("timeStamp", "elapsed", "replicaStart")
TEXTS = ("responseCode", "success", "replica")
ALLOWED = "a CSV file with a header that names timeStamp, elapsed and success or responseCode"
_TYPES: dict[str, Any] = {name: pa.float64() for name in NUMBERS} | {
    name: pa.dictionary(pa.int32(), pa.binary()) for name in TEXTS
}
_BLOCK = 2 << 20
_EARLIEST = 1e12
"""Unix ms of September 2001."""
_TRUE, _FALSE = b"true", b"false"


@dataclass(slots=True)
class Requests:
    """The requests of one run or chunk, in the order of the file (completion).

    Attributes:
        time: start, Unix ms. elapsed: ms. success: 2xx and no failed assertion. code_200: the thesis's success.
        replica: code of the replica in ``replicas``, -1 where unknown. replica_start: Unix ms, NaN where unknown.
        bad: rows left out by reason.
    """

    time: FloatArray
    elapsed: FloatArray
    success: BoolArray
    code_200: BoolArray
    replica: IntArray
    replica_start: FloatArray
    replicas: list[str] = field(default_factory=list)
    bad: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)


def read_requests(path: Path) -> Requests:
    """Read one file.

    Raises:
        BadFileError: the file is empty, is not CSV, lacks the columns, or holds no usable row.
    """
    header, delimiter = _header(path)
    try:
        rows = _read(path, header, delimiter)
    except OSError as error:
        raise BadFileError(path, f"an unreadable file ({error.strerror or error})", ALLOWED) from error
    requests = rows.finish("success" in header)
    if not len(requests):
        found = ", ".join(f"{count} {reason}" for reason, count in requests.bad.items()) or "a header and no rows"
        raise BadFileError(path, found, "at least one request")
    return requests


def _read(path: Path, header: list[str], delimiter: str) -> _Rows:
    """By Arrow; where it refuses, skipping bad lines; where it still refuses, one row after the other."""
    for skip_short in (False, True):
        try:
            return _read_fast(path, header, delimiter, skip_short=skip_short)
        except pa.ArrowException:
            continue
    return _read_patiently(path, header, delimiter)


def _header(path: Path) -> tuple[list[str], str]:
    """Column names and the delimiter (JMeter can be set to others than the comma)."""
    try:
        with path.open("rb") as stream:
            raw = stream.readline(65536)
    except OSError as error:
        raise BadFileError(path, f"an unreadable file ({error.strerror})", ALLOWED) from error
    line = raw.decode("latin-1").removeprefix("\xef\xbb\xbf").strip("\r\n")
    if not line.strip():
        raise BadFileError(path, "an empty file" if not raw else "an empty first line", ALLOWED)
    if line.lstrip().startswith("<"):
        raise BadFileError(path, "XML", ALLOWED + " (JMeter: jmeter.save.saveservice.output_format=csv)")
    for delimiter in ",;\t":
        try:
            names = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
        except csv.Error:
            continue
        if {"timeStamp", "elapsed"} <= set(names) and {"success", "responseCode"} & set(names):
            return names, delimiter
    shown = line if len(line) <= 60 else line[:57] + "..."
    raise BadFileError(path, f"the first line {shown!r}", ALLOWED)


class _Rows:
    """Collects batches as arrays, so that text is gone as soon as a batch is read."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[FloatArray]] = {name: [] for name in NUMBERS}
        self.success: list[IntArray] = []
        self.code: list[IntArray] = []
        self.replica: list[IntArray] = []
        self.replica_codes: dict[bytes, int] = {}
        self.short_rows = 0

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        for name in NUMBERS:
            column = batch[name]
            if pa.types.is_dictionary(column.type):
                self.numbers[name].append(_coded(column, _number, np.float64))
            else:
                self.numbers[name].append(np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64))
        self.success.append(_coded(batch["success"], _success_of))
        code = batch["responseCode"]
        if pa.types.is_integer(code.type):
            self.code.append(code.fill_null(-1).to_numpy(zero_copy_only=False))
        else:
            self.code.append(_coded(code, _code_of))
        self.replica.append(_coded(batch["replica"], self._replica_of))

    def _replica_of(self, value: bytes) -> int:
        return self.replica_codes.setdefault(value, len(self.replica_codes)) if value else -1

    def finish(self, has_success: bool) -> Requests:
        time, elapsed, start = (_join(self.numbers[name], np.float64) for name in NUMBERS)
        # A value cut off with its line stays a number, but none of a time at which this software could have run.
        start[start < _EARLIEST] = np.nan
        success, code, replica = (_join(part, np.int64) for part in (self.success, self.code, self.replica))
        ok = success == 1 if has_success else (code >= 200) & (code < 300)
        unreadable = np.isnan(time) | np.isnan(elapsed) | ((success < 0) if has_success else (code < 0))
        infinite = ~unreadable & ~(np.isfinite(time) & np.isfinite(elapsed))
        negative = ~unreadable & ~infinite & ((time < 0) | (elapsed < 0))
        bad = {
            "rows cut short or malformed": self.short_rows,
            "rows without a readable time or outcome": int(unreadable.sum()),
            "rows with an infinite time": int(infinite.sum()),
            "rows with a negative time": int(negative.sum()),
        }
        keep = ~(unreadable | infinite | negative)
        columns = (time, elapsed, ok, code == 200, replica, start)
        if not keep.all():
            columns = tuple(column[keep] for column in columns)
        names = [value.decode("utf-8", "replace") for value in self.replica_codes]
        return Requests(*columns, replicas=names, bad={reason: n for reason, n in bad.items() if n})


def _join(parts: list[Any], dtype: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _coded(column: Any, meaning: Callable[[bytes], float], dtype: Any = np.int64) -> Any:
    """Replace a dictionary column by one number per row, asking for the meaning of each distinct value once."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = np.array([meaning((value or b"").strip()) for value in column.dictionary.to_pylist()] + [meaning(b"")])
    codes = column.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    return values.astype(dtype)[codes]


def _success_of(value: bytes) -> int:
    lower = value.lower()
    return 1 if lower == _TRUE else 0 if lower == _FALSE else -1


def _code_of(value: bytes) -> int:
    """The HTTP status; 0 for JMeter's ``Non HTTP response code: …``; -1 where nothing stands."""
    if value.isdigit():
        return int(value[:9])
    return 0 if value else -1


def _read_fast(path: Path, header: list[str], delimiter: str, *, skip_short: bool) -> _Rows:
    """By Arrow. Lines that are too short or too long are an error, or skipped and counted (which is slower)."""
    rows = _Rows()

    def short(_: Any) -> str:
        rows.short_rows += 1
        return "skip"

    # Our codes and start times are few: numbers and codes of a dictionary are read faster than words and decimals.
    types = _TYPES | ({"responseCode": pa.int32()} if "replicaStart" in header else {})
    reader = pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK),
        # A quoted line break is read rightly all the same; only where a block ends inside the quotes does Arrow give
        # up, with an error, and the patient path takes over. To look for quotes when cutting blocks costs a tenth.
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=False, invalid_row_handler=short if skip_short else None
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=[*NUMBERS, *TEXTS],
            include_missing_columns=True,
            column_types=types,
            check_utf8=False,
            strings_can_be_null=False,
        ),
    )
    with reader:
        for batch in reader:
            rows.add(batch)
    return rows


def _read_patiently(path: Path, header: list[str], delimiter: str) -> _Rows:
    """Read row by row where Arrow gave up: every usable row is kept, the others are counted."""
    rows = _Rows()
    where = {name: header.index(name) for name in (*NUMBERS, *TEXTS) if name in header}
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        lines = csv.reader((line.replace("\0", "") for line in stream), delimiter=delimiter)
        try:
            next(lines)
            _add_in_batches(rows, lines, len(header), where)
        except csv.Error as error:
            raise BadFileError(path, f"line {lines.line_num}: {error}", ALLOWED) from error
        except OSError as error:
            raise AnalysisError(f"{path}: can't read: {error.strerror}") from error
    return rows


def _add_in_batches(rows: _Rows, lines: Iterable[list[str]], width: int, where: dict[str, int]) -> None:
    batch: list[list[str]] = []
    for line in lines:
        if not line:
            continue
        if len(line) != width:
            rows.short_rows += 1
            continue
        batch.append(line)
        if len(batch) == 65536:
            rows.add(_batch(batch, where))
            batch = []
    rows.add(_batch(batch, where))


def _batch(lines: list[list[str]], where: dict[str, int]) -> pa.Table:
    def column(name: str) -> list[str]:
        return [line[where[name]] for line in lines] if name in where else [""] * len(lines)

    numbers = {name: pa.array([_number(text) for text in column(name)], pa.float64()) for name in NUMBERS}
    texts = {name: pa.array([text.encode() for text in column(name)], pa.binary()) for name in TEXTS}
    return pa.table(numbers | texts)


def _number(text: str | bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
