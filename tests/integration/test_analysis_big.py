"""Ten million requests in one file: read in blocks, in bounded memory, to the same numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BLOCK, BLOCKS = 50_000, 200
CHILD = """
import resource, sys
from pathlib import Path
from faas_exp.analysis import aggregate
report = aggregate(Path(sys.argv[1]), Path(sys.argv[2]))
print(report.requests, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_ten_million_rows_in_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    elapsed = np.round(rng.lognormal(2, 0.5, BLOCK), 3)
    failed = rng.random(BLOCK) < 0.01
    rows = "".join(
        f"{1_700_000_000_000 + i},{e:.3f},{'500,false' if bad else '200,true'},r-{i % 20},1699999990000\n"
        for i, (e, bad) in enumerate(zip(elapsed, failed, strict=True))
    ).encode()
    folder = tmp_path / "t/k8s/gofunction/parallel/autoscaling/user_50/1"
    folder.mkdir(parents=True)
    with (folder / "requests.csv").open("wb") as stream:
        stream.write(b"timeStamp,elapsed,responseCode,success,replica,replicaStart\n")
        for _ in range(BLOCKS):
            stream.write(rows)
    (folder / "run.json").write_text("{}")
    try:
        command = [sys.executable, "-c", CHILD, str(tmp_path / "t"), str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    finally:
        (folder / "requests.csv").unlink()
    requests, memory_mb = map(int, done.stdout.split())
    assert requests == BLOCK * BLOCKS
    assert memory_mb < 2_000
    (row,) = pd.read_parquet(tmp_path / "out/runs.parquet").to_dict("records")
    good = elapsed[~failed]
    assert row["errors"] == failed.sum() * BLOCKS
    assert row["p50"] == pytest.approx(np.median(good), abs=0.002)
    assert row["p99"] == pytest.approx(np.quantile(good, 0.99), abs=0.02)
    assert row["replicas_seen"] == 20
