"""What a real Prometheus saw of a run, beside the run."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, free_port, lab_in

from faas_exp.platform_metrics import QUERIES, collect


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("lab")) as made:
        made.add_function("slow", delay=0.05)
        yield made


@pytest.fixture(scope="module")
def prometheus(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = f'[{{targets: ["127.0.0.1:{lab.port}"]}}]'
    config = f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: gateway, static_configs: {targets}}}]\n"
    (folder / "prometheus.yml").write_text(config)
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
        process.terminate()


def test_a_run_keeps_what_prometheus_saw(lab: Lab, prometheus: str) -> None:
    settings = "load_types: [parallel/noautoscaling], replicas: [2], number_of_runs: 1, number_of_requests: 1200"
    lab.experiment(settings, "slow")
    done = lab.play("experiment", "-e", f"experiment_prometheus_url={prometheus}")
    assert done.returncode == 0, done.stdout
    (path,) = lab.results.rglob("metrics.json")
    metrics = json.loads(path.read_text())
    assert "error" not in metrics
    assert set(metrics["series"]) == set(QUERIES)
    (replicas,) = metrics["series"]["gateway_service_count"]
    assert {value for _, value in replicas["values"]} == {2}
    (requests,) = metrics["series"]["gateway_requests_per_second"]
    assert requests["labels"] == {"code": "200"}
    assert max(value for _, value in requests["values"]) > 10
    assert (Path(path).parent / "run.json").exists()


def test_no_prometheus_costs_a_line_and_not_the_run(lab: Lab) -> None:
    lab.experiment("load_types: [parallel/autoscaling], number_of_runs: 1", "good")
    done = lab.play("experiment", "-e", f"experiment_prometheus_url=http://127.0.0.1:{free_port()}")
    assert done.returncode == 0, done.stdout
    (path,) = (lab.results / "embedded" / "good").rglob("metrics.json")
    assert "refused" in json.loads(path.read_text())["error"]


def test_an_answer_that_is_no_answer(lab: Lab) -> None:
    """Some other server on that port: the gateway itself answers 404."""
    found = collect(f"http://127.0.0.1:{lab.port}", "fn", time.time() - 5, time.time())
    assert found["series"] == {}
    assert "404" in found["error"]
