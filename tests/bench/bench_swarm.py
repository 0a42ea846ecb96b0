"""Docker Swarm on local machines: how long site.yml takes, what the gateway adds to scaling and to a request.

Run it alone on the machine, as root: ``python tests/bench/bench_swarm.py [rounds]``. It makes an environment of its own
and deletes it. Ways that are compared alternate in one run, and each figure is the median over the rounds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "local"))

from locallab import ROOT, changed
from site_lab import Site

from faas_exp.openfaas import OpenFaaS, Probe

FUNCTION = "nodefunction"
PLAIN = "bench-plain"
PLAIN_PORT = 18080
SMALL, LARGE = 1, 20
REQUESTS = 1000
AIM_SCALE = 1.2
AIM_ADDED_MS = 0.6

# On the bastion, where the load of an experiment is made: one user, one connection; prints the median in milliseconds.
CLIENT = f"""
import http.client, statistics, sys, time
address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection = http.client.HTTPConnection(address, port)
took = []
for number in range({REQUESTS} + 100):
    begin = time.perf_counter()
    connection.request("POST", path, b"")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    took.append(time.perf_counter() - begin)
print(1000 * statistics.median(took[100:]))
"""


def timed(action: Callable[[], object]) -> float:
    """Seconds that it took."""
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def manager(site: Site, command: str) -> str:
    return site.ssh("docker-swarm-manager-1", f"sudo docker {command}")


def scale_by_gateway(gateway: OpenFaaS, count: int) -> float:
    """Seconds until so many replicas are up and one answers."""

    def scale() -> None:
        gateway.scale(FUNCTION, count)
        gateway.wait_ready(FUNCTION, count, Probe(f"/function/{FUNCTION}"), 300)

    return timed(scale)


def scale_by_docker(site: Site, count: int) -> float:
    """Seconds until ``docker service scale`` alone calls so many running."""

    def scale() -> None:
        manager(site, f"service scale --detach {PLAIN}={count}")
        while manager(site, f"service ls --filter name={PLAIN} --format '{{{{.Replicas}}}}'") != f"{count}/{count}":
            time.sleep(0.1)

    return timed(scale)


def latency(site: Site, address: str, port: int, path: str) -> float:
    """Median milliseconds of a request from the bastion."""
    return float(site.ssh("bastion", f"python3 -c '{CLIENT}' {address} {port} {path}"))


def scaling(site: Site, gateway: OpenFaaS, rounds: int) -> None:
    labels = {"com.openfaas.scale.min": "1", "com.openfaas.scale.max": str(LARGE)}
    gateway.deploy({"service": FUNCTION, "image": site.image(FUNCTION), "labels": labels})
    gateway.wait_ready(FUNCTION, SMALL, Probe(f"/function/{FUNCTION}"), 300)
    worker = next(iter(site.workers.values())).removeprefix(f"{site.name}-")
    manager(
        site,
        f"service create --quiet --detach --name {PLAIN} --endpoint-mode dnsrr --network openfaas --replicas {SMALL}"
        f" --constraint node.role==worker {site.image(FUNCTION)}",
    )
    ours, plain = [], []
    for _ in range(rounds):
        plain.append(scale_by_docker(site, LARGE))
        scale_by_docker(site, SMALL)
        ours.append(scale_by_gateway(gateway, LARGE))
        scale_by_gateway(gateway, SMALL)
    manager(site, f"service rm {PLAIN}")
    ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    print(
        f"scale {SMALL} to {LARGE}: docker service scale {statistics.median(plain):.1f} s, "
        f"gateway {statistics.median(ours):.1f} s, ratio {ratio:.2f} (aim {AIM_SCALE})"
    )

    manager(
        site,
        f"service create --quiet --detach --name {PLAIN} --endpoint-mode dnsrr --constraint node.hostname=={worker}"
        f" --publish mode=host,published={PLAIN_PORT},target=8080 {site.image(FUNCTION)}",
    )
    while manager(site, f"service ls --filter name={PLAIN} --format '{{{{.Replicas}}}}'") != "1/1":
        time.sleep(0.2)
    time.sleep(2)
    front, direct = [], []
    for _ in range(rounds):
        direct.append(latency(site, next(iter(site.workers)), PLAIN_PORT, "/"))
        front.append(latency(site, site.front, 80, f"/function/{FUNCTION}"))
    added = statistics.median(a - b for a, b in zip(front, direct, strict=True))
    print(
        f"one user, p50: replica {statistics.median(direct):.2f} ms, through HAProxy and gateway "
        f"{statistics.median(front):.2f} ms, added {added:.2f} ms (aim {AIM_ADDED_MS})"
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as scratch:
        (ROOT / ".cache").mkdir(exist_ok=True)
        Path(scratch, ".cache").symlink_to(ROOT / ".cache")
        site = Site("bench-swarm", "198.18.248.0/24", Path(scratch), {"functions_names": [FUNCTION]})
        try:
            print(f"site.yml from nothing: {timed(lambda: site.play('site')):.0f} s (aim 180 with images that exist)")
            outputs: list[str] = []
            again = timed(lambda: outputs.append(site.play("site")))
            print(f"site.yml again: {again:.0f} s (aim 45), changed {changed(outputs[0])}")
            gateway = site.gateway
            scaling(site, gateway, rounds)
        finally:
            site.play("teardown", confirm=True)


if __name__ == "__main__":
    main()
