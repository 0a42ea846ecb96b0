"""One whole environment that tests share: made by one site.yml, measured by experiments, broken and healed."""

from __future__ import annotations

import csv
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from locallab import ROOT, Lab

from faas_exp.openfaas import OpenFaaS

RATE = 100
REQUESTS = 3000
"""Half a minute at that rate, however slow the machine."""


@dataclass(frozen=True)
class Site(Lab):
    """A lab with a platform on it, by default on Docker Swarm."""

    orchestrator: str = "swarm"
    machines: str = "docker-swarm"
    first_worker: int = 51
    backend_port: int = 8080

    @property
    def front(self) -> str:
        """Address of the load balancer."""
        return self.address(5)

    @property
    def workers(self) -> dict[str, str]:
        """Containers of the workers, by their addresses."""
        return {
            self.address(self.first_worker + place): f"{self.name}-{self.machines}-worker-{place + 1}"
            for place in range(2)
        }

    @property
    def gateway(self) -> OpenFaaS:
        """The gateways, through the load balancer."""
        return OpenFaaS(f"http://{self.front}", password=self.secret("basic-auth-password"))

    def image(self, function: str) -> str:
        """The image of a function in the environment's registry."""
        url = f"http://{self.address(4)}:5000"
        with urllib.request.urlopen(f"{url}/v2/faas-exp/{function}/tags/list", timeout=10) as answer:
            tags = json.loads(answer.read())["tags"]
        return f"{self.address(4)}:5000/faas-exp/{function}:{tags[-1]}"

    def healthy(self) -> int:
        """Status of the gateway's health through the load balancer; 0: no answer."""
        try:
            with urllib.request.urlopen(f"http://{self.front}/healthz", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def backends(self) -> dict[str, str]:
        """Address → state of the gateways, as the load balancer's statistics have them."""
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        url = f"http://{self.front}:8404/;csv"
        passwords.add_password(None, url, "admin", self.secret("haproxy-stats-password"))
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
        with opener.open(url, timeout=10) as answer:
            rows = csv.DictReader(answer.read().decode().lstrip("# ").splitlines())
        return {
            row["svname"]: row["status"]
            for row in rows
            if row["pxname"] == "gateway" and row["svname"] not in ("FRONTEND", "BACKEND")
        }

    def served(self, function: str) -> int:
        """How many calls of a function the gateways have counted."""
        total = 0.0
        for address in self.workers:
            try:
                with urllib.request.urlopen(f"http://{address}:{self.backend_port}/metrics", timeout=5) as answer:
                    lines = answer.read().decode().splitlines()
            except OSError:
                continue
            total += sum(
                float(line.rsplit(" ", 1)[1])
                for line in lines
                if line.startswith("gateway_function_invocation_total{") and f'"{function}' in line
            )
        return int(total)

    def experiment(self, name: str, function: str = "nodefunction", runs: int = 2, **keys: object) -> Path:
        """An experiment file: one function, two replicas, each run at :data:`RATE`.

        ``environment`` is the function's, all other ``keys`` are the experiment's.
        """
        environment = keys.pop("environment", {})
        content = {
            "experiment": {
                "number_of_runs": runs,
                "number_of_requests": REQUESTS,
                "rate": RATE,
                "delay_between_runs": 0,
                "delay_between_functions": 0,
                "replicas": [2],
                "load_types": ["parallel/noautoscaling"],
                "ready_timeout": 120,
                **keys,
            },
            "functions": [
                {
                    "name": function,
                    "yaml_path": str(ROOT / "experiments" / "functions" / function / "stack.yml"),
                    "environment": environment,
                    "api": {"uri": f"function/{function}"},
                }
            ],
        }
        path = self.base / f"{name}.yml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def measure(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run an experiment, whatever comes of it."""
        return self.attempt("experiment", experiment=f"{name}.yml")

    def measure_while(
        self, name: str, function: str, fault: Callable[[], object], after: int = REQUESTS // 10
    ) -> subprocess.CompletedProcess[str]:
        """Run an experiment, and do ``fault`` once its first run has had so many answers."""
        done: list[subprocess.CompletedProcess[str]] = []
        before = self.served(function)
        measuring = threading.Thread(target=lambda: done.append(self.measure(name)))
        measuring.start()
        # Asking whether the function is ready makes a handful of calls at most.
        while self.served(function) - before < after:
            assert measuring.is_alive(), done[0].stdout
            time.sleep(0.2)
        fault()
        measuring.join()
        return done[0]

    def runs(self, name: str) -> list[Counter[str]]:
        """Per complete run of an experiment, in order: how often each response code came."""
        found = []
        for record in sorted((self.base / "results" / name / self.orchestrator).rglob("run.json")):
            with (record.parent / "requests.csv").open(newline="", encoding="utf-8") as file:
                found.append(Counter(row["responseCode"] for row in csv.DictReader(file)))
        return found

    def records(self, name: str) -> list[dict[str, object]]:
        """The ``run.json`` of each complete run, in order."""
        paths = sorted((self.base / "results" / name / self.orchestrator).rglob("run.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]
