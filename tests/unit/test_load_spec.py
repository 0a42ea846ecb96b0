"""What a load run may be, and what is said when it may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faas_exp.errors import ConfigError
from faas_exp.load import LoadSpec

URL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "https://x"}, "url: found 'https://x', allowed: http://host or http://host:port"),
        ({"url": "127.0.0.1:80"}, "url: found '127.0.0.1:80'"),
        ({"url": "http://"}, "url: found"),
        ({"url": "http://h:99999"}, "url: found"),
        ({"url": "http://h:0"}, "url: found"),
        ({"url": "http://h/path"}, "url: found"),
        ({"url": "http://h?q"}, "url: found"),
        ({"url": "http://h h"}, "url: found"),
        ({"url": None}, "url: found None"),
        ({"path": "function/f"}, "path: found 'function/f', allowed: a path that begins with /"),
        ({"path": "/a\r\nX: y"}, "path: found"),
        ({"path": "/a#b"}, "path: found '/a#b', allowed: a path without #"),
        ({"method": "FETCH"}, "method: found 'FETCH', allowed: GET, POST"),
        ({"method": 1}, "method: found 1"),
        ({"users": 0}, "users: found 0, allowed: a whole number from 1 to 100000"),
        ({"users": -1}, "users: found -1"),
        ({"users": 1.5}, "users: found 1.5"),
        ({"users": True}, "users: found True"),
        ({"users": "5"}, "users: found '5'"),
        ({"number_of_requests": 0}, "number_of_requests: found 0, allowed: a whole number from 1 to"),
        ({"seed": "x"}, "seed: found 'x', allowed: a whole number"),
        ({"processes": 0}, "processes: found 0"),
        ({"processes": "many"}, "processes: found 'many'"),
        ({"rate": 0}, "rate: found 0, allowed: requests per second, more than 0"),
        ({"rate": float("nan")}, "rate: found nan"),
        ({"rate": float("inf")}, "rate: found inf"),
        ({"arrivals": "bursty"}, "arrivals: found 'bursty', allowed: constant, poisson"),
        ({"duration": -1.0}, "duration: found -1.0, allowed: seconds, more than 0"),
        ({"timeout": 0}, "timeout: found 0, allowed: seconds, more than 0"),
        ({"param": (3, 1)}, "param: found 'min 3, max 1', allowed: min not above max"),
        ({"param": (1,)}, "param: found (1,), allowed: two whole numbers, min and max"),
        ({"param": 7}, "param: found 7"),
        ({"param": ("a", 2)}, "param.min: found 'a'"),
        ({"data": {"a": 1}}, "data: found 'dict', allowed: text or bytes"),
        ({"headers": ["a"]}, "headers: found 'list'"),
        ({"headers": {"a b": "c"}}, "headers: found 'a b'"),
        ({"headers": {"Content-Length": "5"}}, "headers: found 'Content-Length'"),
        ({"headers": {"A": "1", "a": "2"}}, "headers: found ['A', 'a'], allowed: each name once"),
        ({"http_host": "a b"}, "http_host: found 'a b'"),
        ({"label": ""}, "label: found ''"),
        ({"label": "a\nb"}, "label: found"),
    ],
)
def test_what_is_not_allowed_is_one_clear_line(fields, said):
    with pytest.raises(ConfigError) as caught:
        LoadSpec(**{"url": URL, **fields})
    message = str(caught.value)
    assert message.startswith(f"load run: {said}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "fields", [{"url": "http://user:hunter2@host"}, {"headers": {"Authorization": "hunter2\r\nX: y"}}]
)
def test_messages_keep_secrets(fields):
    with pytest.raises(ConfigError) as caught:
        LoadSpec(**{"url": URL, **fields})
    assert "hunter2" not in str(caught.value)


def test_showing_a_spec_keeps_secrets():
    assert "hunter2" not in repr(LoadSpec(url=URL, headers={"Authorization": "hunter2"}, data="hunter2"))


def test_defaults_and_derived_values():
    spec = LoadSpec(url="http://[::1]:81/", method="post", path="/f?x=1", data="ü")
    assert (spec.host, spec.port, spec.method, spec.name) == ("::1", 81, "POST", "POST /f?x=1")
    assert spec.body == "ü".encode()
    assert LoadSpec(url="http://h").port == 80
    assert LoadSpec(url="http://h", label="x").name == "x"


def test_the_way_to_a_load_process_and_back():
    spec = LoadSpec(
        url=URL,
        path="/ü",
        method="PUT",
        users=7,
        number_of_requests=9,
        data=b"\x00\xff",
        headers={"A": "b"},
        param=(1, 2),
        seed=2**80,
        rate=1.5,
        arrivals="poisson",
        duration=3.0,
        processes="auto",
        timeout=1.0,
        label="l",
        http_host="h:1",
        calibration=Path("c.json"),
    )
    assert LoadSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    plain = LoadSpec(url=URL)
    assert LoadSpec.from_json(json.loads(json.dumps(plain.to_json()))) == plain


def test_importing_is_cheap():
    import subprocess
    import sys

    code = (
        "import sys, faas_exp.load; print([m for m in ('gevent', 'locust', 'pydantic', 'numpy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
