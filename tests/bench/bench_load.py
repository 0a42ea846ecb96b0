"""Load generators side by side on one server: requests per second, CPU per request, median at 200 requests per second.

    python tests/bench/bench_load.py [--seconds 2] [--json FILE]

Needs nginx; wrk and hey are left out when they are not installed. Loads 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faas_exp.load import LoadSpec, run_load

USERS = (1, 5, 15, 50)
RATE = 200

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        return 200 '{{"message":"hello"}}';
    }}
}}
"""

LOCUSTFILE = """
import json, os, time
from locust import {base}, constant, constant_throughput, events, task

times = []
begin = []

class Caller({base}):
    wait_time = constant(0) if not {rate} else constant_throughput({rate})

    @task
    def call(self):
        self.client.get("/")

@events.request.add_listener
def record(response_time, **_):
    times.append(response_time)

@events.spawning_complete.add_listener
def start(**_):
    times.clear()
    begin[:] = [time.perf_counter(), time.process_time()]

@events.test_stopping.add_listener
def stop(**_):
    wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    with open(os.environ["BENCH_OUT"], "w") as file:
        json.dump({{"wall": wall, "cpu": cpu, "times": times}}, file)
"""

WRK_PACED = f"function delay() return {1000 // RATE} end\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    with subprocess.Popen(["nginx", "-c", str(config), "-e", str(folder / "error.log")]) as server:
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def child_cpu(command: list[str]) -> tuple[str, float]:
    """What a command says and the CPU seconds it used."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Ours:
    name = "faas_exp.load"

    def throughput(self, url: str, users: int, seconds: float, folder: Path) -> tuple[float, float]:
        spec = LoadSpec(url=url, users=users, number_of_requests=10_000_000, duration=seconds)
        stats = run_load(spec, folder)
        return stats.throughput, stats.generator.cpu_pct / 100 * stats.wall_s / stats.count * 1e6

    def paced(self, url: str, seconds: float, folder: Path) -> float:
        stats = run_load(LoadSpec(url=url, users=10, rate=RATE, number_of_requests=int(RATE * seconds)), folder)
        return stats.elapsed_ms["p50"] or 0.0


class Locust:
    def __init__(self, base: str) -> None:
        self.name = base

    def _run(self, url: str, users: int, seconds: float, folder: Path, rate: int) -> dict:
        (folder / "bench_locust.py").write_text(LOCUSTFILE.format(base=self.name, rate=rate))
        command = [
            sys.executable, "-m", "locust", "-f", str(folder / "bench_locust.py"), "--headless", "--only-summary",
            "-u", str(users), "-r", str(users), "-t", f"{max(round(seconds), 1)}s", "-H", url,
        ]  # fmt: skip
        environment = {"BENCH_OUT": str(folder / "out.json"), "PATH": "/usr/bin:/bin"}
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return json.loads((folder / "out.json").read_text())

    def throughput(self, url: str, users: int, seconds: float, folder: Path) -> tuple[float, float]:
        found = self._run(url, users, seconds, folder, 0)
        return len(found["times"]) / found["wall"], found["cpu"] / len(found["times"]) * 1e6

    def paced(self, url: str, seconds: float, folder: Path) -> float:
        return statistics.median(self._run(url, 1, seconds, folder, RATE)["times"])


class Wrk:
    name = "wrk"

    def throughput(self, url: str, users: int, seconds: float, folder: Path) -> tuple[float, float]:
        said, cpu = child_cpu(["wrk", "-t1", f"-c{users}", f"-d{max(round(seconds), 1)}s", url])
        count = int(re.search(r"(\d+) requests in", said)[1])
        return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), cpu / count * 1e6

    def paced(self, url: str, seconds: float, folder: Path) -> float:
        (folder / "paced.lua").write_text(WRK_PACED)
        said, _ = child_cpu(
            ["wrk", "-t1", "-c1", f"-d{max(round(seconds), 1)}s", "--latency", "-s", str(folder / "paced.lua"), url]
        )
        value, unit = re.search(r"50%\s+([\d.]+)(us|ms)", said).groups()
        return float(value) / (1000 if unit == "us" else 1)


class Hey:
    name = "hey"

    def throughput(self, url: str, users: int, seconds: float, folder: Path) -> tuple[float, float]:
        said, cpu = child_cpu(["hey", "-z", f"{seconds}s", "-c", str(users), url])
        count = int(re.search(r"\[200\]\s+(\d+) responses", said)[1])
        return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), cpu / count * 1e6

    def paced(self, url: str, seconds: float, folder: Path) -> float:
        command = ["hey", "-n", str(int(RATE * seconds)), "-c", "1", "-q", str(RATE), "-o", "csv", url]
        rows = csv.DictReader(child_cpu(command)[0].splitlines())
        return statistics.median(float(row["response-time"]) for row in rows) * 1000


def bare_socket(url: str, seconds: float) -> float:
    """The least that a client can add: one blocking socket, 5 ms of sleep in between."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    port = int(url.rpartition(":")[2])
    times = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(int(RATE * seconds)):
            time.sleep(1 / RATE)
            begin = time.perf_counter_ns()
            connection.send(request)
            connection.recv(65536)
            times.append((time.perf_counter_ns() - begin) / 1e6)
    return statistics.median(times)


def overhead(url: str, folder: Path) -> float:
    """Seconds that run_load takes beside the load itself."""
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        stats = run_load(LoadSpec(url=url, users=15, number_of_requests=1000), folder)
        took.append(time.perf_counter() - begin - stats.wall_s)
    return statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    clients = [Ours(), Locust("FastHttpUser"), Locust("HttpUser")]
    clients += [client for client in (Wrk(), Hey()) if shutil.which(client.name)]
    figures: dict[str, dict] = {}
    print(f"| client | req/s at {'/'.join(map(str, USERS))} users | CPU µs/request | p50 at {RATE} req/s, ms |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, nginx(Path(name)) as url:
        folder = Path(name)
        for client in clients:
            found = [client.throughput(url, users, options.seconds, folder) for users in USERS]
            median = client.paced(url, options.seconds, folder)
            figures[client.name] = {"rps": [r for r, _ in found], "cpu_us": [c for _, c in found], "p50_ms": median}
            rates = "/".join(f"{rate:,.0f}" for rate, _ in found)
            costs = "/".join(f"{cost:.0f}" for _, cost in found)
            print(f"| {client.name} | {rates} | {costs} | {median:.3f} |", flush=True)
        figures["bare socket"] = {"p50_ms": bare_socket(url, options.seconds)}
        figures["run_load"] = {"overhead_s": overhead(url, folder)}
        print(f"| bare socket | | | {figures['bare socket']['p50_ms']:.3f} |")
        print(f"\nrun_load beside the load itself: {figures['run_load']['overhead_s']:.2f} s (median of 5)")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
