"""The management API: the request sequences an OpenFaaS client makes, and every status code."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_tools import RunningGateway, running_gateway, until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def test_whole_life_of_a_function(gateway: RunningGateway) -> None:
    spec = {
        "service": "life",
        "image": "registry.example:5000/some/pyecho:latest@sha256:00",
        "envVars": {"COLOUR": "blue"},
        "labels": {"com.openfaas.scale.min": "2", "com.openfaas.scale.max": "2", "team": "a"},
        "annotations": {"note": "x"},
        "envProcess": "",
        "limits": None,
    }
    assert gateway.call("GET", "/system/function/life").status == 404
    assert gateway.call("POST", "/system/functions", spec).status == 202
    # An invocation right after the deployment waits for the first replica.
    answer = gateway.call("POST", "/function/life", b"hello")
    assert (answer.status, answer.json()["body"]) == (200, "hello")
    gateway.wait_available("life", 2)
    assert gateway.call("POST", "/system/functions", spec).status == 400
    shown = gateway.function("life")
    assert {key: shown[key] for key in ("name", "image", "envVars", "labels", "annotations", "replicas")} == {
        "name": "life",
        "image": spec["image"],
        "envVars": {"COLOUR": "blue"},
        "labels": spec["labels"],
        "annotations": {"note": "x"},
        "replicas": 2,
    }
    assert [f for f in gateway.call("GET", "/system/functions").json() if f["name"] == "life"] == [shown]
    assert shown["invocationCount"] == 1
    gateway.scale("life", 4)
    gateway.wait_available("life", 4)
    gateway.scale("life", 1)
    gateway.wait_available("life", 1)
    assert gateway.call("PUT", "/system/functions", {**spec, "envVars": {"COLOUR": "red"}}).status == 202
    until(lambda: gateway.function("life")["envVars"] == {"COLOUR": "red"}, 10)
    gateway.wait_available("life", 2)
    gateway.delete("life")
    assert gateway.call("GET", "/system/function/life").status == 404
    assert gateway.call("POST", "/function/life", b"").status == 404
    assert gateway.call("POST", "/async-function/life", b"").status == 404
    assert gateway.call("DELETE", "/system/functions", {"functionName": "life"}).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/system/functions", {"service": "absent", "image": "pyecho"}, 404),
        ("DELETE", "/system/functions", {"functionName": "absent"}, 404),
        ("POST", "/system/scale-function/absent", {"serviceName": "absent", "replicas": 1}, 404),
        ("GET", "/system/function/absent", None, 404),
        ("GET", "/system/nothing", None, 404),
        ("PATCH", "/system/functions", {}, 405),
        ("GET", "/system/scale-function/absent", None, 405),
        ("DELETE", "/system/functions", {}, 400),
        ("DELETE", "/system/functions", {"functionName": ""}, 400),
        ("DELETE", "/system/functions", b"not json", 400),
        ("POST", "/system/functions", b"", 400),
        ("POST", "/system/functions", [], 400),
        ("POST", "/system/functions", {"service": "a"}, 400),
        ("POST", "/system/functions", {"service": "a", "image": ""}, 400),
        ("POST", "/system/functions", {"service": "../etc", "image": "pyecho"}, 400),
        ("POST", "/system/functions", {"service": "A", "image": "pyecho"}, 400),
        ("POST", "/system/functions", {"service": "a" * 64, "image": "pyecho"}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "envVars": {"A": 1}}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "envVars": {"A=B": "1"}}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "envVars": {"A": "\0"}}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "envVars": {"exec_timeout": "x"}}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "namespace": "other"}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "secrets": ["s"]}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "pyecho", "envProcess": "'"}, 400),
        ("POST", "/system/functions", {"service": "a", "image": "../functions/pyecho/.."}, 400),
        ("GET", "/nothing", None, 404),
        ("POST", "/healthz", b"", 405),
        ("TRACE", "/function/absent", None, 405),
        ("GET", "/async-function/absent", None, 405),
        ("POST", "/function/absent", b"", 404),
        ("GET", "/function/", None, 404),
    ],
)
def test_refused(gateway: RunningGateway, method: str, path: str, body: object, status: int) -> None:
    answer = gateway.call(method, path, body)
    assert answer.status == status, answer
    assert answer.text.count("\n") == 1, "one line, fit to be shown"


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("min", "-1"),
        ("min", "one"),
        ("max", "0"),
        ("max", "1001"),
        ("factor", "101"),
        ("zero", "maybe"),
        ("zero-duration", "soon"),
        ("target", "0"),
        ("target-proportion", "1.5"),
        ("type", "cpu"),
    ],
)
def test_scale_labels_are_checked(gateway: RunningGateway, label: str, value: str) -> None:
    spec = {"service": "a", "image": "pyecho", "labels": {f"com.openfaas.scale.{label}": value}}
    answer = gateway.call("POST", "/system/functions", spec)
    assert answer.status == 400
    assert f"com.openfaas.scale.{label}" in answer.text
    assert value in answer.text


def test_minimum_above_maximum(gateway: RunningGateway) -> None:
    labels = {"com.openfaas.scale.min": "3", "com.openfaas.scale.max": "2"}
    answer = gateway.call("POST", "/system/functions", {"service": "a", "image": "pyecho", "labels": labels})
    assert (answer.status, "at most com.openfaas.scale.max, which is 2" in answer.text) == (400, True)


def test_unknown_image_names_what_exists(gateway: RunningGateway) -> None:
    answer = gateway.call("POST", "/system/functions", {"service": "a", "image": "x/nothere:latest"})
    assert answer.status == 400
    assert "nothere" in answer.text
    assert "pyecho" in answer.text


def test_missing_program_names_its_package(gateway: RunningGateway) -> None:
    spec = {"service": "a", "image": "pyecho", "envProcess": "no-such-program --x"}
    answer = gateway.call("POST", "/system/functions", spec)
    assert answer.status == 400
    assert "no-such-program" in answer.text
    assert "apt-get install" in answer.text
    assert gateway.call("GET", "/system/function/a").status == 404


@pytest.mark.parametrize("replicas", [-1, 1001, "2", None, 1.5])
def test_bad_replica_counts(gateway: RunningGateway, replicas: object) -> None:
    answer = gateway.call("POST", "/system/scale-function/absent", {"replicas": replicas})
    assert answer.status == 400


def test_scale_without_service_name_and_with_a_wrong_one(gateway: RunningGateway) -> None:
    gateway.deploy("scaled")
    assert gateway.call("POST", "/system/scale-function/scaled", {"replicas": 2}).status == 202
    assert gateway.call("POST", "/system/scale-function/scaled", {"serviceName": "b", "replicas": 2}).status == 400
    gateway.wait_available("scaled", 2)
    # A scale request is obeyed exactly, whatever the labels say.
    gateway.deploy("scaled", wait=None, method="PUT", min=1, max=1)
    gateway.scale("scaled", 3)
    gateway.wait_available("scaled", 3)
    gateway.delete("scaled")


def test_a_body_of_null_is_an_empty_one(gateway: RunningGateway) -> None:
    spec = {"service": "nulls", "image": "pyecho", "labels": None, "envVars": None, "secrets": None, "limits": None}
    assert gateway.call("POST", "/system/functions", spec).status == 202
    gateway.delete("nulls")


def test_failing_function_says_why(gateway: RunningGateway) -> None:
    gateway.deploy("failing", wait=None, envVars={"FAIL": "7"})
    until(lambda: "exited with code 7" in gateway.function("failing")["lastError"], 10)
    assert "refusing to start" in gateway.function("failing")["lastError"]
    assert gateway.function("failing")["availableReplicas"] == 0
    # Mended by an update, without the backoff of the failures before.
    gateway.deploy("failing", method="PUT")
    assert gateway.function("failing")["lastError"] == ""
    gateway.delete("failing")


def test_credentials(gateway: RunningGateway) -> None:
    for path in ("/system/functions", "/system/info", "/system/nothing"):
        answer = gateway.call("GET", path, password="")
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Basic realm="Restricted"'
        assert gateway.call("GET", path, password="wrong").status == 401
    for value in ("Basic", "Basic !!", "Bearer x", "Basic " + base64.b64encode(b"admin").decode()):
        assert gateway.call("GET", "/system/info", headers={"Authorization": value}, password="").status == 401
    for path in ("/healthz", "/metrics", "/openapi.json"):
        assert gateway.call("GET", path, password="").status == 200
    assert gateway.call("POST", "/system/functions", b"x" * 2000, password="").status == 401


def test_credentials_are_kept_to_the_owner(gateway: RunningGateway) -> None:
    info = gateway.info
    assert info.user_file.read_text() == "admin"
    for path in (info.user_file, info.password_file):
        assert path.stat().st_mode & 0o777 == 0o600
    assert len(gateway.password) >= 24
    assert gateway.password not in gateway.log
    assert gateway.password not in Path(f"/proc/{info.pid}/cmdline").read_text()


def test_environments_are_kept_to_the_owner(gateway: RunningGateway) -> None:
    gateway.deploy("hidden", envVars={"TOKEN": "s3cr3t-value"})
    stored = gateway.info.state_dir / "functions" / "hidden.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert "s3cr3t-value" not in gateway.log
    answer = gateway.call("PUT", "/system/functions", {"service": "hidden", "image": 1, "envVars": {"T": "s3cr3t"}})
    assert answer.status == 400
    assert "s3cr3t" not in answer.text
    gateway.delete("hidden")
    assert not stored.exists()


def test_info(gateway: RunningGateway) -> None:
    info = gateway.call("GET", "/system/info").json()
    assert info["provider"]["orchestration"] == "process"
    assert info["version"]["release"]


def test_body_limit_of_the_api(gateway: RunningGateway) -> None:
    big = json.dumps({"service": "a", "image": "b", "annotations": {"x": "y" * 1024**2}}).encode()
    assert gateway.call("POST", "/system/functions", big).status == 413
    chunks = b"POST /system/functions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: Basic "
    chunks += base64.b64encode(f"admin:{gateway.password}".encode()) + b"\r\n\r\n"
    answer = gateway.raw(chunks + (b"40000\r\n" + b"x" * 0x40000 + b"\r\n") * 5)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_metrics(gateway: RunningGateway) -> None:
    gateway.deploy("counted", wait=3, min=3, max=3)
    for status in (200, 200, 404, 503):
        gateway.call("POST", f"/function/counted?status={status}", b"")
    count = 'gateway_function_invocation_total{code="%d",function_name="counted"}'
    assert [gateway.metric(count % code) for code in (200, 404, 503, 500)] == [2, 1, 1, 0]
    assert gateway.metric('gateway_function_invocation_started{function_name="counted"}') == 4
    assert gateway.metric('gateway_functions_seconds_count{function_name="counted"}') == 4
    assert gateway.metric('gateway_functions_seconds_bucket{function_name="counted",le="+Inf"}') == 4
    assert gateway.metric('gateway_service_count{function_name="counted"}') == 3
    assert gateway.metric("process_resident_memory_bytes") > 1e6
    assert gateway.metric("gateway_requests_in_flight") == 0
    gateway.delete("counted")
    assert gateway.metric(count % 200) == 2, "a counter outlives its function"
    assert gateway.metric('gateway_service_count{function_name="counted"}') == 0
