"""Locust's connections between master and workers, encrypted, and closed to everybody without the key.

Locust itself sends in the clear and takes any worker; here headers with credentials travel, and a stranger could spoil
a measurement. ZeroMQ has CURVE for it (RFC 26/CurveZMQ): one key pair, which master and generators share, and a handler
which lets nobody in but its holders (RFC 27/ZAP).
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import gevent
import locust.runners
import zmq.green as zmq
from locust.rpc import zmqrpc
from zmq.utils import z85

from faas_exp.errors import LoadError

_ZAP = "inproc://zeromq.zap.01"


def use_key(key: bytes) -> None:
    """From now on Locust's runners in this process connect with this key only."""
    public = zmq.curve_public(key)

    class Server(zmqrpc.BaseSocket):
        def __init__(self, host: str, port: int) -> None:
            super().__init__(zmq.ROUTER, self.ipv4_only(host, port))  # type: ignore[no-untyped-call]
            self.guard = _guard(self.socket.context, public)
            self.socket.curve_server = True
            self.socket.curve_secretkey = key
            self.socket.curve_publickey = public
            self.socket.zap_domain = b"faas-exp"
            try:
                self.socket.bind(f"tcp://{host}:{port}")
            except zmq.ZMQError as error:
                raise LoadError(
                    f"load: can't listen on {host}, port {port}: {os.strerror(error.errno or 0).lower()}"
                ) from None
            self.port = port

    class Client(zmqrpc.BaseSocket):
        def __init__(self, host: str, port: int, identity: str) -> None:
            super().__init__(zmq.DEALER, self.ipv4_only(host, port))  # type: ignore[no-untyped-call]
            self.socket.setsockopt(zmq.IDENTITY, identity.encode())
            self.socket.curve_serverkey = public
            self.socket.curve_secretkey = key
            self.socket.curve_publickey = public
            self.socket.connect(f"tcp://{host}:{port}")

    runners: Any = locust.runners
    runners.rpc = SimpleNamespace(Server=Server, Client=Client)


def _guard(context: Any, public: bytes) -> Any:
    """Answers ZeroMQ's question whether a peer with this public key may come in."""
    socket = context.socket(zmq.REP)
    socket.bind(_ZAP)
    wanted = z85.decode(public)

    def answer() -> None:
        while True:
            version, request, _domain, _address, _identity, mechanism, *credentials = socket.recv_multipart()
            known = mechanism == b"CURVE" and credentials == [wanted]
            status = (b"200", b"OK", b"generator") if known else (b"400", b"no", b"")
            socket.send_multipart([version, request, *status, b""])

    return gevent.spawn(answer)
