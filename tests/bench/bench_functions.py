"""What a replica of each function costs: time until it is healthy, idle memory, processor time for a request.

Run by hand: ``python tests/bench/bench_functions.py [NAME …]``. It needs wrk and the languages' runtimes; load goes to
127.0.0.1 alone, for two seconds a function.

The columns: start: median of five, from spawning the process to the first healthy answer; RSS: resident memory when
idle, and in brackets the part of it that is not shared with other processes (USS: what one replica more would take);
CPU: user and system time of the replica's process over the requests it answered, at 15 users; p50: response time at one
user.
"""

from __future__ import annotations

import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("integration", "unit")]

from functionhost import ALL, Running, running, skip_unless_runnable  # noqa: E402
from test_functions_ftp import PASSWORD, ftp_server  # noqa: E402

STARTS = 5
SECONDS = 2
# As in the thesis's experiments: text of about 600 bytes for io, the middle of the ranges for the others.
TARGETS = {"matrixfunction": "/?param=100", "consumerfunction": "/?param=50", "fibfunction": "/?param=20"}
POST = 'wrk.method = "POST"\nwrk.body = string.rep("Lorem ipsum dolor sit amet. ", 22)\n'


@contextmanager
def environment(name: str) -> Iterator[dict[str, str]]:
    """What the function needs around it."""
    with ExitStack() as stack:
        env: dict[str, str] = {}
        if name == "consumerfunction":
            # Any path is the function, so matrixfunction itself can stand where the gateway would.
            env["gateway_endpoint"] = f"http://127.0.0.1:{stack.enter_context(running('matrixfunction')).port}"
        if name == "ftpfunction":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (folder / "test.txt").write_text("a test\n" * 100)
            port = stack.enter_context(ftp_server(folder))
            env = {"ftp_host": "127.0.0.1", "ftp_port": str(port), "ftp_user": "ftpuser", "ftp_password": PASSWORD}
        yield env


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> tuple[float, float]:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kb = {key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB", rollup, re.MULTILINE)}
    return kb["Rss"] / 1024, (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024


def load(replica: Running, users: int, script: Path) -> tuple[int, float]:
    """Requests answered, and the median response time in ms."""
    url = f"http://127.0.0.1:{replica.port}{TARGETS.get(replica.name, '/')}"
    command = ["wrk", "-t1", f"-c{users}", f"-d{SECONDS}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"{replica.name}: {text}")
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    return requests, float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def bench(name: str, script: Path) -> None:
    with environment(name) as env:
        starts = []
        for _ in range(STARTS):
            begun = time.monotonic()
            with running(name, env):
                starts.append((time.monotonic() - begun) * 1000)
        with running(name, env) as replica:
            time.sleep(0.5)
            rss, uss = memory_mb(replica.process.pid)
            _, p50 = load(replica, 1, script)
            before = cpu_seconds(replica.process.pid)
            requests, _ = load(replica, 15, script)
            cpu = (cpu_seconds(replica.process.pid) - before) / requests * 1e6
    start = statistics.median(starts)
    print(
        f"{name:17} {start:6.0f} ms {rss:8.1f} ({uss:.1f}) MB {cpu:8.0f} us {requests / SECONDS:10.0f}/s {p50:8.3f} ms"
    )


def main() -> None:
    # pyftpdlib tells of every session, and sets its own level when it starts.
    logging.disable(logging.INFO)
    print(f"{'function':17} {'start':>9} {'RSS (USS)':>16} {'CPU/request':>11} {'at 15 users':>12} {'p50, 1 user':>11}")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(POST)
        for name in sys.argv[1:] or ALL:
            skip_unless_runnable(name)
            bench(name, script)


if __name__ == "__main__":
    main()
