"""The modules that deploy functions, through Ansible, against a real gateway; and a platform that clamps."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from lab import BIN, ROOT, Lab, lab_in

from faas_exp import deploy
from faas_exp.errors import PlatformError
from faas_exp.openfaas import OpenFaaS, Probe


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(autouse=True)
def empty(lab: Lab) -> None:
    for status in lab.gateway.list():
        deploy.absent(lab.gateway, status.name)


def module(lab: Lab, arguments: dict[str, Any], *flags: str, module_name: str = "openfaas_function") -> dict[str, Any]:
    """Run one module through Ansible; returns its result."""
    credentials = {"gateway_url": f"http://127.0.0.1:{lab.port}", "gateway_password": lab.password}
    command = [str(BIN / "ansible"), "localhost", "-i", str(ROOT / "inventories" / "embedded")]
    command += ["-m", f"faas.exp.{module_name}", "-a", json.dumps({**credentials, **arguments}), *flags]
    callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    environment = {**lab.environment(), **callback}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=lab.base, env=environment)
    assert lab.password not in done.stdout
    result: dict[str, Any] = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return result


def good(lab: Lab, **more: Any) -> dict[str, Any]:
    return {"name": "good", "stack_file": str(lab.functions / "good" / "stack.yml"), "probe": {}, **more}


def test_present_scaled_absent_and_again(lab: Lab) -> None:
    assert module(lab, good(lab), "--check")["actions"] == ["deploy good"]
    assert lab.gateway.list() == []
    assert module(lab, good(lab, replicas=2))["changed"]
    assert lab.gateway.get("good").available == 2
    again = module(lab, good(lab, replicas=2))
    assert (again["changed"], again["actions"]) == (False, [])

    three = {"name": "good", "state": "scaled", "replicas": 3}
    assert module(lab, three, "--check")["changed"]
    assert lab.gateway.get("good").replicas == 2
    assert module(lab, three)["changed"]
    assert not module(lab, three)["changed"]
    assert module(lab, {**three, "replicas": 0})["changed"]
    assert lab.gateway.get("good").available == 0

    gone = {"name": "good", "state": "absent"}
    assert module(lab, gone, "--check")["changed"]
    assert lab.gateway.get("good") is not None
    assert module(lab, gone)["changed"]
    assert not module(lab, gone)["changed"]


def test_a_changed_definition_is_an_update(lab: Lab) -> None:
    first = good(lab, environment={"a": "1"}, secret_environment={"api_token": "hunter2"})
    second = good(lab, environment={"a": "2"}, secret_environment={"api_token": "other"})
    module(lab, first)
    assert not module(lab, first)["changed"]
    shown = module(lab, second, "--check", "--diff")
    assert shown["actions"] == ["update good"]
    assert shown["diff"]["before"]["environment"] == {"a": "1", "api_token": "(secret)"}
    assert shown["diff"]["after"]["environment"] == {"a": "2", "api_token": "(secret)"}
    assert "hunter2" not in json.dumps(shown)
    only_the_secret = good(lab, environment={"a": "1"}, secret_environment={"api_token": "other"})
    assert module(lab, only_the_secret)["actions"] == ["update good"]


def test_recreate_gives_fresh_replicas(lab: Lab) -> None:
    module(lab, good(lab))
    before = lab.gateway.invoke(Probe("/function/good")).headers["X-Replica-Id"]
    assert module(lab, good(lab, recreate=True))["actions"] == ["remove good", "deploy good"]
    assert lab.gateway.invoke(Probe("/function/good")).headers["X-Replica-Id"] != before


def test_info(lab: Lab) -> None:
    module(lab, good(lab, replicas=2, environment={"api_token": "hunter2"}))
    result = module(lab, {}, module_name="openfaas_function_info")
    (function,) = result["functions"]
    assert (function["name"], function["replicas"], function["available"]) == ("good", 2, 2)
    assert result["platform"]["provider"]["orchestration"] == "process"
    assert "hunter2" not in json.dumps(result)
    assert module(lab, {"name": "nobody"}, module_name="openfaas_function_info")["functions"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "good"}, "neither image nor stack_file"),
        ({"name": "other", "stack_file": "functions/good/stack.yml"}, "no function 'other'"),
        ({"name": "good", "stack_file": "nowhere.yml"}, "nothing at that path"),
        ({"name": "good", "image": "faas-exp/nobody:latest"}, "nobody"),
        ({"name": "good", "state": "scaled", "replicas": 1}, "no function of that name"),
        ({"name": "good", "state": "scaled"}, "state is scaled but all of the following are missing: replicas"),
        ({"name": "good", "image": "x", "replicas": -1}, "at least 1"),
        ({"name": "good", "gateway_url": "http://127.0.0.1:1", "state": "absent"}, "did not answer"),
        ({"name": "good", "gateway_password": "wrong", "state": "absent"}, "refused the user name or password"),
        ({"name": "good", "gateway_url": "ftp://x", "state": "absent"}, "must be http://host[:port]"),
    ],
)
def test_bad_input(lab: Lab, arguments: dict[str, Any], message: str) -> None:
    result = module(lab, arguments)
    assert result["failed"]
    assert message in result["msg"]
    assert "\n" not in result["msg"]


def test_a_build_that_fails_is_told_and_not_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faas_exp.openfaas.FAILING_PATIENCE", 1.0)
    lab.add_function("unbuilt")
    (lab.functions / "unbuilt" / "build.sh").write_text("echo no compiler here >&2; exit 3\n")
    deployment = {"service": "unbuilt", "image": "faas-exp/unbuilt:latest"}
    with pytest.raises(PlatformError, match="no compiler here"):
        deploy.present(lab.gateway, deployment, key="k", timeout=60)


# --- a platform that silently makes 5 of the replicas asked for, as the Community Edition does ---


class Clamping(BaseHTTPRequestHandler):
    """Hands everything on to the real gateway, but never more than 5 replicas."""

    protocol_version = "HTTP/1.1"
    upstream = 0

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/system/scale-function"):
            data = json.loads(body)
            body = json.dumps({**data, "replicas": min(data["replicas"], 5)}).encode()
        elif self.path == "/system/functions" and self.command in ("POST", "PUT"):
            data = json.loads(body)
            labels = data.get("labels", {})
            if int(labels.get("com.openfaas.scale.min", 1)) > 5:
                data["labels"] = {**labels, "com.openfaas.scale.min": "5"}
            body = json.dumps(data).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def log_message(self, *_: object) -> None:
        pass


class Community(Clamping):
    """It says so, too: what faas-netes answers since January 2023."""

    def do_GET(self) -> None:
        if self.path != "/system/info":
            self.handle_any()
            return
        content = json.dumps({"provider": {"provider": "faas-netes-ce", "orchestration": "kubernetes"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def serving(kind: type[Clamping], lab: Lab) -> Iterator[OpenFaaS]:
    handler = type("Here", (kind,), {"upstream": lab.port})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield OpenFaaS(f"http://127.0.0.1:{server.server_port}", password=lab.password)
    server.shutdown()
    server.server_close()


@pytest.fixture
def clamping(lab: Lab) -> Iterator[OpenFaaS]:
    yield from serving(Clamping, lab)


@pytest.fixture
def community(lab: Lab) -> Iterator[OpenFaaS]:
    yield from serving(Community, lab)


def test_a_platform_that_clamps_is_named(lab: Lab, clamping: OpenFaaS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faas_exp.openfaas.CLAMP_PATIENCE", 1.0)
    labels = {"com.openfaas.scale.min": "7", "com.openfaas.scale.max": "7"}
    deployment = {"service": "good", "image": "faas-exp/good:latest", "labels": labels}
    with pytest.raises(PlatformError, match=r"asked for 7 replicas, the platform made it 5\. It clamps"):
        deploy.present(clamping, deployment, key="k", replicas=7)
    with pytest.raises(PlatformError, match="It clamps"):
        deploy.scaled(clamping, "good", 9)
    assert deploy.scaled(clamping, "good", 4).changed, "what it can do, it does"


def test_the_experiment_stops_before_the_first_request(lab: Lab, clamping: OpenFaaS) -> None:
    lab.experiment("load_types: [sequential/noautoscaling], replicas: [7, 1], number_of_runs: 1")
    done = lab.play("experiment", "-e", f"openfaas_port={clamping.port}", "-e", "experiment_result_dir=results/clamp")
    assert done.returncode != 0
    assert "good sequential 7 replicas: good: asked for 7 replicas, the platform made it 5" in " ".join(
        done.stdout.split()
    )
    (run,) = (lab.base / "results" / "clamp").rglob("run.json")
    assert run.parent.parent.name == "replica1", "the case that can be measured was"


def test_the_community_edition_is_named_before_any_run(lab: Lab, community: OpenFaaS) -> None:
    lab.experiment("load_types: [sequential/noautoscaling], replicas: [1, 7], number_of_runs: 1")
    given = ("-e", f"openfaas_port={community.port}", "-e", "experiment_result_dir=results/community")
    for playbook in ("validate", "experiment"):
        done = lab.play(playbook, *given)
        assert done.returncode != 0
        assert "OpenFaaS Community Edition (faas-netes-ce): 1 to 5 replicas" in " ".join(done.stdout.split())
        assert "good up to 7" in " ".join(done.stdout.split())
    assert not list((lab.base / "results" / "community").rglob("run.json"))
