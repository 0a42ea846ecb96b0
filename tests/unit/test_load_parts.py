"""Tickets, arrivals, requests: the parts that decide what is sent when."""

from __future__ import annotations

import os
import socket
from array import array
from itertools import chain, islice, pairwise

import pytest

from faas_exp.load.pacing import arrivals
from faas_exp.load.request import RequestTemplate
from faas_exp.load.run import process_count, resolve
from faas_exp.load.spec import LoadSpec
from faas_exp.load.tickets import LocalTickets, SharedTickets, shared_counter


def drawn(tickets) -> list[int]:
    found = []
    while (number := tickets.take()) >= 0:
        found.append(number)
    assert tickets.take() == -1
    assert tickets.issued == len(found)
    return found


def test_local_tickets():
    assert drawn(LocalTickets(3)) == [0, 1, 2]
    assert drawn(LocalTickets(0)) == []
    parts = [drawn(LocalTickets(100, first, 3)) for first in range(3)]
    assert sorted(chain(*parts)) == list(range(100))


def test_shared_tickets_are_given_once_each():
    """Two processes that do nothing but draw: the worst case for a counter that is not atomic."""
    total = 300_000
    counter = shared_counter()
    pipes = []
    for _ in range(2):
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(out)
                with os.fdopen(into, "wb") as file:
                    array("q", drawn(SharedTickets(total, counter))).tofile(file)
            finally:
                os._exit(0)
        os.close(into)
        pipes.append((pid, out))
    numbers = array("q")
    for pid, out in pipes:
        with os.fdopen(out, "rb") as file:
            numbers.frombytes(file.read())
        os.waitpid(pid, 0)
    os.close(counter)
    assert sorted(numbers) == list(range(total))


def test_arrivals():
    assert list(islice(arrivals(4, "constant", 0), 4)) == [0, 250_000_000, 500_000_000, 750_000_000]
    # No error piles up: the millionth is where it belongs.
    assert next(islice(arrivals(3, "constant", 0), 999_999, None)) == 333_333_000_000_000
    one, again, other = (list(islice(arrivals(100, "poisson", seed), 20_000)) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    gaps = [(b - a) / 1e6 for a, b in pairwise(one)]
    mean = sum(gaps) / len(gaps)
    assert min(gaps) >= 0
    assert mean == pytest.approx(10, rel=0.03)
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(100, rel=0.1)


def test_request_without_parameter_or_body():
    template = RequestTemplate(LoadSpec(url="http://h:81", path="/a b?q=%20[x]"))
    assert template.render(template.random_for(0, 0)).startswith(
        b"GET /a%20b?q=%20[x] HTTP/1.1\r\nHost: h:81\r\nUser-Agent: faas-exp/"
    )
    assert b"Content-Length" not in template.render(template.random_for(0, 0))


@pytest.mark.parametrize(("path", "joint"), [("/f", b"/f?param="), ("/f?a=1", b"/f?a=1&param=")])
def test_parameter(path, joint):
    template = RequestTemplate(LoadSpec(url="http://h", path=path, param=(-2, 3), method="POST", data="x"))
    sent = [template.render(source) for source in [template.random_for(1, 5)] for _ in range(200)]
    assert all(b" " + joint in request for request in sent)
    values = [int(request.split(joint)[1].split(b" ")[0]) for request in sent]
    assert set(values) == {-2, -1, 0, 1, 2, 3}
    source = template.random_for(1, 5)
    assert [template.render(source) for _ in range(200)] == sent
    for user, seed in ((2, 5), (1, 6)):
        other = template.random_for(user, seed)
        assert [template.render(other) for _ in range(200)] != sent


def test_own_headers_win():
    headers = {"host": "other", "User-Agent": "mine", "accept": "text/html", "Content-Type": "application/json"}
    spec = LoadSpec(url="http://h", method="POST", data="{}", headers=headers)
    request = RequestTemplate(spec).render(RequestTemplate(spec).random_for(0, 0)).decode()
    head = request.partition("\r\n\r\n")[0].lower().split("\r\n")
    for name in ("host", "user-agent", "accept", "content-type", "content-length"):
        assert sum(line.startswith(f"{name}:") for line in head) == 1
    assert "host: other" in head


@pytest.mark.parametrize(
    ("method", "data", "length"), [("POST", None, b"0"), ("PUT", "", b"0"), ("DELETE", "ab", b"2"), ("GET", "ü", b"2")]
)
def test_content_length(method, data, length):
    template = RequestTemplate(LoadSpec(url="http://h", method=method, data=data))
    assert b"\r\nContent-Length: %b\r\n" % length in template.render(template.random_for(0, 0))


@pytest.mark.parametrize(
    ("users", "processes", "cores", "count"),
    [
        (50, 1, 8, 1), (50, 4, 1, 4), (3, 8, 8, 3), (1, "auto", 16, 1), (25, "auto", 16, 1), (26, "auto", 16, 2),
        (1000, "auto", 16, 8), (1000, "auto", 2, 1), (1000, "auto", 1, 1),
    ],
)  # fmt: skip
def test_process_count(monkeypatch, users, processes, cores, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert process_count(LoadSpec(url="http://h", users=users, processes=processes)) == count


def test_of_several_addresses_one_that_answers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [six, four])
        assert resolve(LoadSpec(url=f"http://localhost:{port}")) == (socket.AF_INET, ("127.0.0.1", port))
    assert resolve(LoadSpec(url=f"http://localhost:{port}")) == (socket.AF_INET6, ("::1", port, 0, 0))


def test_addresses():
    assert resolve(LoadSpec(url="http://127.0.0.1:81"))[1] == ("127.0.0.1", 81)
    assert resolve(LoadSpec(url="http://[::1]"))[1][:2] == ("::1", 80)
