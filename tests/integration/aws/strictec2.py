"""Between the tests and moto: keeps a record, is as strict as EC2, and breaks what a test wants broken."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

from ec2rules import Rules

# What EC2 knows by a client token among the calls that are used here.
_TOKENS = {"RunInstances", "CreateNatGateway"}
OWN_ADDRESS = "203.0.113.9"


@dataclass
class Call:
    """One request.

    Attributes:
        action: EC2's name of it.
        error: the code of the refusal; empty when it was carried out.
    """

    action: str
    params: dict[str, str]
    error: str = ""

    @property
    def changes(self) -> bool:
        return not self.action.startswith(("Describe", "Get"))


@dataclass
class Fault:
    """What happens to the next requests of one kind.

    Attributes:
        kind: ``refuse`` (not carried out) or ``lose`` (carried out, the answer does not arrive).
        code: error code of a refusal.
        times: how many requests; then all is well.
    """

    action: str
    kind: str = "refuse"
    code: str = "RequestLimitExceeded"
    times: int = 1


@dataclass
class Gate:
    """Holds the request number ``at`` among those that change something.

    Attributes:
        carried_out: hold the answer, not the request.
        reached: set when it is held; nothing that changes anything passes from then on.
        opened: set by the test.
    """

    at: int
    carried_out: bool
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class StrictEc2:
    """The server that tests talk to."""

    def __init__(self, upstream: str, rules: Rules) -> None:
        self.upstream, self.rules = urlsplit(upstream), rules
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.gate: Gate | None = None
        self.image_size = 8
        # The account's quota of virtual CPUs; None: it may not be read.
        self.vcpus: int | None = None
        self._remembered: dict[str, tuple[dict[str, str], _Answer]] = {}
        self.rules.dying.clear()
        self.rules.young.clear()
        self.rules.groups_of.clear()
        self.rules.placement.reset()

    @contextmanager
    def running(self) -> Iterator[StrictEc2]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def changes(self, *actions: str) -> list[Call]:
        """What was carried out and changed something."""
        return [one for one in self.calls if one.changes and not one.error and (not actions or one.action in actions)]

    def answer(self, action: str, params: dict[str, str], request: _Request) -> _Answer | None:
        """None: the connection is closed without an answer."""
        call = Call(action, params)
        if call.changes and not self._pass(carried_out=False):
            return None
        fault = self._fault(action)
        if fault and fault.kind == "refuse":
            return self._refuse(call, fault.code, "the test wants it so")
        # One after the other, so that a rule and what it looks at belong together.
        with self._lock:
            answer = self._carry_out(call, request) if call.changes else self._ask(call, request)
        if not call.changes:
            self.calls.append(call)
            with self._lock:
                return self._as_it_takes_time(action, answer)
        if not self._pass(carried_out=True) or (fault and fault.kind == "lose"):
            return None
        return answer

    def _carry_out(self, call: Call, request: _Request) -> _Answer:
        token = call.params.get("ClientToken", "") if call.action in _TOKENS else ""
        if token in self._remembered:
            params, answer = self._remembered[token]
            if params != call.params:
                return self._refuse(call, "IdempotentParameterMismatch", "another request had this token")
            self.calls.append(Call(call.action, call.params, "repeated"))
            return answer
        if refusal := self.rules.refuse(call.action, call.params):
            return self._refuse(call, *refusal)
        answer = self._ask(call, request)
        if answer.status >= 400:
            found = re.search(rb"<Code>(.*?)</Code>", answer.body)
            call.error = found[1].decode() if found else str(answer.status)
        self.calls.append(call)
        if not call.error:
            if token:
                self._remembered[token] = (call.params, answer)
            self._note_age(call, answer)
        return answer

    def _note_age(self, call: Call, answer: _Answer) -> None:
        text = answer.body.decode()
        if call.action == "RunInstances":
            (machine,) = set(re.findall(r"<instanceId>(.*?)</instanceId>", text))
            self.rules.young[machine] = 2
            self.rules.groups_of[machine] = call.params.get("NetworkInterface.1.SecurityGroupId.1", "")
            if "Placement.GroupName" in call.params:
                self.rules.placement.members[machine] = call.params["Placement.GroupName"]
        elif call.action == "CreateNatGateway":
            self.rules.young.update(dict.fromkeys(re.findall(r"<natGatewayId>(.*?)</natGatewayId>", text), 2))
        elif call.action == "TerminateInstances":
            ended = [value for key, value in call.params.items() if key.startswith("InstanceId.")]
            self.rules.dying.update(dict.fromkeys(ended, 2))
        elif call.action == "DeleteNatGateway":
            self.rules.dying[call.params["NatGatewayId"]] = 2

    def _as_it_takes_time(self, action: str, answer: _Answer) -> _Answer:
        """Things take a while to be there, and to be gone; images have the size of Debian's."""
        if action == "DescribeImages":
            size = f"<volumeSize>{self.image_size}</volumeSize>".encode()
            body = answer.body.replace(b"<volumeSize>15</volumeSize>", size)
            return _Answer(answer.status, answer.headers, body)
        keys = {"DescribeInstances": "instanceId", "DescribeNatGateways": "natGatewayId"}
        if action not in keys or answer.status >= 400:
            return answer
        root = ElementTree.fromstring(answer.body)
        for item in root.iter():
            thing = item.findtext(f"{{*}}{keys[action]}")
            state = item.find("{*}instanceState/{*}name" if action == "DescribeInstances" else "{*}state")
            if thing is None or state is None:
                continue
            self.rules.placement.tell(thing, item)
            for ages, now, shown in (
                (self.rules.young, ("running", "available"), "pending"),
                (self.rules.dying, ("terminated", "deleted"), "shutting-down"),
            ):
                if thing in ages and state.text in now:
                    state.text = "deleting" if state.text == "deleted" else shown
                    ages[thing] -= 1
                    if not ages[thing]:
                        del ages[thing]
                    break
        return _Answer(answer.status, answer.headers, ElementTree.tostring(root))

    def _pass(self, *, carried_out: bool) -> bool:
        gate = self.gate
        if gate is None or carried_out != gate.carried_out:
            return True
        with self._lock:
            done = len([one for one in self.calls if one.changes])
            held = done >= gate.at
        if held:
            gate.reached.set()
            gate.opened.wait()
        # Whoever asked is dead by now.
        return not held

    def _fault(self, action: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.action == action and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def _refuse(self, call: Call, code: str, message: str) -> _Answer:
        call.error = code
        self.calls.append(call)
        status = {"RequestLimitExceeded": 503, "InternalError": 500}.get(code, 400)
        text = f"<Code>{code}</Code><Message>{message}</Message>"
        if call.action == "GetCallerIdentity":
            body = f"<ErrorResponse><Error>{text}</Error></ErrorResponse>"
        else:
            body = f"<Response><Errors><Error>{text}</Error></Errors><RequestID>0</RequestID></Response>"
        return _Answer(status, [("Content-Type", "text/xml")], body.encode())

    def _ask(self, call: Call, request: _Request) -> _Answer:
        if call.action == "GetServiceQuota" and self.vcpus is not None:
            body = json.dumps({"Quota": {"ServiceCode": "ec2", "Value": float(self.vcpus)}}).encode()
            return _Answer(200, [("Content-Type", "application/x-amz-json-1.1")], body)
        kept = self.rules.placement.answer(call.action, call.params, request.headers.get("Authorization", ""))
        return self._forward(request) if kept is None else _Answer(200, [("Content-Type", "text/xml")], kept)

    def _forward(self, request: _Request) -> _Answer:
        connection = http.client.HTTPConnection(str(self.upstream.netloc), timeout=120)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            keep = [(key, value) for key, value in response.getheaders() if key.lower() == "content-type"]
            return _Answer(response.status, keep, response.read())
        finally:
            connection.close()


@dataclass
class _Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def _handler(ec2: StrictEc2) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target", "")
            params = {} if target else dict(parse_qsl(body.decode()))
            action = target.rpartition(".")[2] or params.get("Action", "")
            answer = ec2.answer(action, params, _Request("POST", self.path, dict(self.headers), body))
            if answer is None:
                self.close_connection = True
                return
            self._send(answer)

        def do_GET(self) -> None:
            self._send(_Answer(200, [("Content-Type", "text/plain")], f"{OWN_ADDRESS}\n".encode()))

        def _send(self, answer: _Answer) -> None:
            try:
                self.send_response(answer.status)
                for key, value in answer.headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except (BrokenPipeError, ConnectionResetError):
                # A client that was killed.
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
