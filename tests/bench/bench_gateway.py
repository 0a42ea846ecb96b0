"""What the gateway adds: latency, throughput, CPU per request, direct against through it. Needs wrk.

Run it alone on the machine: ``python tests/bench/bench_gateway.py [seconds per measurement] [rounds]``. Direct and
through the gateway alternate, and each figure is the median over the rounds.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from gateway_tools import RunningGateway, replica_environments, running_gateway

USERS = (1, 15, 50)
AIM_ADDED_MS = 0.5
AIM_PER_CORE = 4000


@dataclass(frozen=True)
class Sample:
    rate: float
    p50: float
    p99: float
    cpu_us: float


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure(url: str, users: int, seconds: int, pid: int, post: str | None) -> Sample:
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{users}", f"-d{seconds}s", "--latency", url]
    if post:
        command[1:1] = ["-s", post]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(pid) - before
    if bad := re.search(r"Non-2xx.*|Socket errors:.*", out):
        sys.exit(f"{url}: {bad[0]}")
    requests = int(re.search(r"(\d+) requests in", out)[1])  # type: ignore[index]
    found = dict(re.findall(r"^\s+(50|99)%\s+(\S+)$", out, re.MULTILINE))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])  # type: ignore[index]
    return Sample(rate, milliseconds(found["50"]), milliseconds(found["99"]), spent / requests * 1e6)


def middle(samples: list[Sample]) -> Sample:
    return Sample(*(statistics.median(getattr(s, key) for s in samples) for key in ("rate", "p50", "p99", "cpu_us")))


def table(gateway: RunningGateway, seconds: int, rounds: int, post: str | None) -> None:
    ((replica_pid, environment),) = replica_environments(gateway).items()
    direct_url = f"http://127.0.0.1:{environment['PORT']}/"
    through_url = f"{gateway.info.url}/function/fast"
    columns = "users", "direct req/s, p50/p99 ms", "gateway req/s, p50/p99 ms", "added p50/p99 ms", "gateway CPU us/req"
    print(f"| {' | '.join(columns)}, req/s per core |")
    print("|---|---|---|---|---|")
    for users in USERS:
        direct, through = [], []
        for _ in range(rounds):
            direct.append(measure(direct_url, users, seconds, replica_pid, post))
            through.append(measure(through_url, users, seconds, gateway.info.pid, post))
        a, b = middle(direct), middle(through)
        print(
            f"| {users} | {a.rate:,.0f}, {a.p50:.3f}/{a.p99:.3f} | {b.rate:,.0f}, {b.p50:.3f}/{b.p99:.3f} "
            f"| {b.p50 - a.p50:.3f}/{b.p99 - a.p99:.3f} | {b.cpu_us:.0f}, {1e6 / b.cpu_us:,.0f} |",
            flush=True,
        )


def main() -> None:
    seconds, rounds = (int(argument) for argument in (*sys.argv[1:3], "3", "3")[:2])
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder, running_gateway(Path(folder) / "state") as gateway:
        spec = {"envProcess": f"{sys.executable} server.py", "image": "fastecho"}
        gateway.deploy("fast", min=1, max=1, **spec)
        print(f"GET, one replica; aim: at most {AIM_ADDED_MS} ms added at 1 user, {AIM_PER_CORE:,} req/s per core\n")
        table(gateway, seconds, rounds, None)
        script = Path(folder) / "post.lua"
        script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 1024)\n')
        print("\nPOST of 1 KiB\n")
        table(gateway, seconds, rounds, str(script))
        began = time.monotonic()
        gateway.scale("fast", 20)
        gateway.wait_available("fast", 20, timeout=60)
        print(f"\n1 -> 20 replicas: {time.monotonic() - began:.2f} s")
        gateway.scale("fast", 0)
        gateway.wait_available("fast", 0)
        cold = []
        for _ in range(5):
            began = time.monotonic()
            assert gateway.call("GET", "/function/fast").status == 200
            cold.append(time.monotonic() - began)
            gateway.scale("fast", 0)
            gateway.wait_available("fast", 0)
        print(f"from zero, a Python function: {statistics.median(cold) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
