"""How fast a campaign is read: rows per second, memory, and the ratio to a reader that goes row by row.

    python tests/bench/bench_analysis.py [--share 0.1] [--report] [--keep FOLDER]

The thesis's campaign is 3 orchestrators x 9 functions x 10 cases x 6 runs x 35,000 requests: 56.7 million rows.
``--share`` is how much of it is made up and read; what is read is extrapolated to the whole. The row-by-row reader does
what the thesis's did (pandas, ``iterrows``, one run after another) on a few of the same files. On a machine with other
work to do, trust the ratio of processor times.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

ORCHESTRATORS = ("k8s", "nomad", "swarm")
FUNCTIONS = tuple(
    f"{name}function" for name in ("go", "java", "node", "python", "io", "matrix", "consumer", "ftp", "warm")
)
CASES = [("sequential/noautoscaling", f"replica{n}") for n in (1, 10, 20)]
CASES += [("parallel/autoscaling", f"user_{n}") for n in (5, 10, 20, 50)]
CASES += [("parallel/noautoscaling", f"replica{n}") for n in (1, 10, 20)]
RUNS, ROWS = 6, 35_000
WHOLE = len(ORCHESTRATORS) * len(FUNCTIONS) * len(CASES) * RUNS
DIFFERENT = 40
"""So many files have contents of their own; the others are links to them."""


def folders(root: Path, count: int) -> Iterator[Path]:
    for orchestrator in ORCHESTRATORS:
        for function in FUNCTIONS:
            for kind, case in CASES:
                for run in range(1, RUNS + 1):
                    if count > 0:
                        yield root / orchestrator / function / kind / case / str(run)
                    count -= 1


def columns(rng: np.random.Generator, jmeter: bool) -> pa.Table:
    elapsed = rng.lognormal(np.log(rng.uniform(3, 60)), 0.4, ROWS)
    start = 1_700_000_000_000 + np.cumsum(elapsed) / 15
    failed = rng.random(ROWS) < 0.01
    code = np.where(failed, "Non HTTP response code: java.net.SocketException" if jmeter else "0", "200")
    shared = {
        "label": ["HTTP Request"] * ROWS,
        "responseCode": code,
        "responseMessage": np.where(failed, "reset", "OK"),
    }
    success = np.where(failed, "false", "true")
    if not jmeter:
        replica = [f"gofunction-{n}" for n in rng.integers(0, 10, ROWS)]
        times = {"timeStamp": [f"{each:.3f}" for each in start], "elapsed": [f"{each:.3f}" for each in elapsed]}
        rest = {"bytes": [19] * ROWS, "user": rng.integers(0, 15, ROWS), "replica": replica}
        return pa.table({**times, **shared, "success": success, **rest, "replicaStart": [1_699_999_990_000] * ROWS})
    times = {"timeStamp": start.astype(int), "elapsed": elapsed.astype(int)}
    thread = [f"Thread Group 1-{n}" for n in rng.integers(1, 16, ROWS)]
    rest = {"failureMessage": [""] * ROWS, "bytes": [255] * ROWS, "sentBytes": [180] * ROWS, "grpThreads": [15] * ROWS}
    rest |= {"allThreads": [15] * ROWS, "URL": ["http://gateway.openfaas.local:80/function/gofunction"] * ROWS}
    rest |= {"Latency": elapsed.astype(int), "IdleTime": [0] * ROWS, "Connect": [0] * ROWS}
    return pa.table({**times, **shared, "threadName": thread, "dataType": ["text"] * ROWS, "success": success, **rest})


def make(root: Path, count: int, jmeter: bool) -> int:
    """Write the campaign; returns its bytes."""
    rng = np.random.default_rng(1)
    first: list[Path] = []
    size = 0
    for number, folder in enumerate(folders(root, count)):
        folder.mkdir(parents=True)
        path = folder / ("summary.jtl" if jmeter else "requests.csv")
        if number < DIFFERENT:
            pacsv.write_csv(columns(rng, jmeter), path, pacsv.WriteOptions(quoting_style="none"))
            first.append(path)
        else:
            os.link(first[number % DIFFERENT], path)
        size += path.stat().st_size
        if jmeter:
            (folder / "results").mkdir()
            (folder / "results/statistics.json").write_text('{"Total": {"errorPct": 1.0}}')
        else:
            (folder / "run.json").write_text(json.dumps({"config_hash": "a", "number_of_requests": ROWS, "users": 15}))
            (folder / "stats.json").write_text('{"void": false}')
    return size


def read_by_rows(path: Path) -> tuple[float, int]:
    """Median and number of the successful, one row at a time, as the thesis's program did."""
    times, successes = [], 0
    for _, row in pd.read_csv(path).iterrows():
        elapsed, code = int(row["elapsed"]), row["responseCode"]
        if not isinstance(code, int) and str(code).isnumeric():
            code = int(code)
        if code == 200:
            successes += 1
            times.append(elapsed)
    return median(times), successes


CHILD = """
import resource, sys, time
from pathlib import Path
from faas_exp.analysis import aggregate, report
import faas_exp.analysis.aggregation
import faas_exp.analysis.store
begin, cpu = time.perf_counter(), time.process_time()
done = aggregate(Path(sys.argv[1]), Path(sys.argv[2]))
spent = time.perf_counter() - begin, time.process_time() - cpu
print(*spent, done.requests, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
if sys.argv[3] == "report":
    import faas_exp.analysis.reporting.write
    begin = time.perf_counter()
    report(Path(sys.argv[2]), Path(sys.argv[2]) / "report")
    print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def bench(root: Path, share: float, jmeter: bool, with_report: bool) -> None:
    count = max(1, round(WHOLE * share))
    tree = root / ("jmeter" if jmeter else "own")
    size = make(tree, count, jmeter)
    name = "JMeter's summary.jtl" if jmeter else "requests.csv"
    print(f"\n{name}: {count} of {WHOLE} runs, {count * ROWS / 1e6:.2f} million rows, {size / 1e6:.0f} MB")
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(tree),
        str(root / f"out-{tree.name}"),
        "report" if with_report else "no",
    ]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    seconds, cpu, rows, memory = map(float, lines[0].split())
    rate = rows / seconds
    print(f"  aggregate        {seconds:8.2f} s  {rate / 1e6:6.2f} million rows/s  peak {memory:.0f} MB")
    print(f"  whole campaign   {WHOLE * ROWS / rate:8.1f} s  (extrapolated; aim: 120 s, 2,000 MB)")
    files = [folder / ("summary.jtl" if jmeter else "requests.csv") for folder in folders(tree, 2)]
    begin, begin_cpu = time.perf_counter(), time.process_time()
    for path in files:
        read_by_rows(path)
    by_rows = len(files) * ROWS / (time.perf_counter() - begin)
    by_rows_cpu = len(files) * ROWS / (time.process_time() - begin_cpu)
    print(f"  row by row       {by_rows / 1e3:8.1f} thousand rows/s on {len(files)} of the files")
    print(f"  ratio            {rate / by_rows:8.0f}  (aim: 100)")
    print(f"  per core         {rows / cpu / by_rows_cpu:8.0f}  (ratio of processor times)")
    if with_report:
        seconds, memory = map(float, lines[1].split())
        print(f"  report           {seconds:8.1f} s  peak {memory:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.1, help="how much of the campaign (default 0.1)")
    parser.add_argument("--report", action="store_true", help="time the report too")
    parser.add_argument("--keep", type=Path, help="write here and keep it")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, pyarrow {pa.__version__}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.keep or Path(temporary)
        for jmeter in (False, True):
            bench(root, arguments.share, jmeter, arguments.report and not jmeter)
    print(f"\nbench itself: peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
