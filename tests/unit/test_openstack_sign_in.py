"""Signing in to an OpenStack that refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("openstack", reason="pip install faas-exp[openstack]")

from faas_exp.openstack.errors import OpenStackError
from faas_exp.openstack.session import connect


class Refusing(BaseHTTPRequestHandler):
    """Keystone as it answers to a wrong password."""

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        links = [{"rel": "self", "href": f"http://127.0.0.1:{port}/v3/"}]
        self._answer(200, {"version": {"id": "v3.14", "status": "stable", "links": links}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(
            401, {"error": {"code": 401, "title": "Unauthorized", "message": "The request requires authentication."}}
        )

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Silent."""


@pytest.fixture
def keystone() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v3"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_wrong_password_is_told_as_one(keystone: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for key, value in {
        "AUTH_URL": keystone,
        "USERNAME": "demo",
        "PASSWORD": "not-the-password",
        "PROJECT_NAME": "demo",
        "USER_DOMAIN_ID": "default",
        "PROJECT_DOMAIN_ID": "default",
    }.items():
        monkeypatch.setenv(f"OS_{key}", value)
    with pytest.raises(OpenStackError, match=r"does not accept these credentials, or they have expired") as refused:
        connect()
    assert "not-the-password" not in str(refused.value)
