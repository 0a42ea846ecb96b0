"""pythonfunction speaks HTTP by its own hand: the corners of RFC 9112 that a library would see to."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator

import pytest
from functionhost import Running, running

HELLO = b"Hello From Python Serverless Function"


@pytest.fixture(scope="module")
def function() -> Iterator[Running]:
    with running("pythonfunction", {"max_body_bytes": "1000"}) as replica:
        yield replica


def talk(function: Running, *pieces: bytes) -> list[tuple[int, bytes]]:
    """Status and body of every response that comes back until the server closes."""
    with function.raw() as sock:
        for piece in pieces:
            sock.sendall(piece)
            if len(pieces) > 1:
                time.sleep(0.001)
        received = b""
        while data := sock.recv(65536):
            received += data
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"\r\nContent-Length: (\d+)", head)[1])  # type: ignore[index]
        found.append((int(head.split()[1]), rest[:length]))
        received = rest[length:]
    return found


def request(*headers: str, line: str = "POST / HTTP/1.1") -> bytes:
    return "".join(f"{text}\r\n" for text in (line, "Host: a", *headers, "")).encode()


LAST = request("Connection: close", line="GET / HTTP/1.1")


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, request("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n"),
        (400, request("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n"),
        (400, request("Content-Length: 5", "Content-Length: 6") + b"hello"),
        (400, request("Content-Length: 5, 5") + b"hello"),
        (400, request("Content-Length: +5") + b"hello"),
        (400, request("Content-Length: ") + b"hello"),
        (400, request("Content-Length: " + "9" * 5000)),
        (501, request("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"),
        (501, request("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n"),
        (400, request("Transfer-Encoding: chunked") + b"5;\r\nhello0\r\n\r\n"),
        (400, request("Transfer-Encoding: chunked") + b"-5\r\nhello\r\n0\r\n\r\n"),
        (400, request("Transfer-Encoding: chunked") + b"0x5\r\nhello\r\n0\r\n\r\n"),
        (400, request("Transfer-Encoding: chunked") + b"\r\nhello\r\n0\r\n\r\n"),
        (400, request("Transfer-Encoding: chunked") + b"1" * 20 + b"\r\n"),
        (400, request("Transfer-Encoding: chunked") + b"x" * 2000),
        (413, request("Transfer-Encoding: chunked") + b"ffffffff\r\n"),
        (431, request("Transfer-Encoding: chunked") + b"0\r\n" + (b"a" * 1000 + b"\r\n") * 70),
        (431, request("X: " + "y" * 70_000)),
        (400, request("Bad Header : x")),
        (400, request("NoColon")),
        (400, request("X: a", " folded")),
        (400, request(line="POST /")),
        (400, request(line="POST /a b HTTP/1.1")),
        (400, request(line="PÖST / HTTP/1.1")),
        (505, request(line="POST / HTTP/2.0")),
    ],
)
def test_refused_and_closed(function: Running, status: int, data: bytes) -> None:
    # What comes behind must not be taken for a request.
    assert [answer for answer, _ in talk(function, data + LAST)] == [status]


def test_the_same_length_twice_is_one(function: Running) -> None:
    data = request("Content-Length: 5", "Content-Length: 5") + b"hello" + LAST
    assert talk(function, data) == [(200, HELLO)] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;name=value\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
        b"005\r\nhello\r\n000\r\nTrailer: x\r\nOther: y\r\n\r\n",
    ],
)
def test_chunked_body_ends_where_it_says(function: Running, body: bytes) -> None:
    assert talk(function, request("Transfer-Encoding: Chunked") + body + LAST) == [(200, HELLO)] * 2


def test_byte_by_byte(function: Running) -> None:
    data = (
        request("Content-Length: 3") + b"abc" + request("Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n" + LAST
    )
    assert talk(function, *(data[i : i + 1] for i in range(len(data)))) == [(200, HELLO)] * 3


def test_line_ends_between_requests_are_read_over(function: Running) -> None:
    assert talk(function, request("Content-Length: 1") + b"x\r\n" + LAST) == [(200, HELLO)] * 2


def test_http_1_0_closes_unless_asked(function: Running) -> None:
    old = request(line="GET / HTTP/1.0")
    kept = request("Connection: Keep-Alive", line="GET / HTTP/1.0")
    assert talk(function, old + LAST) == [(200, HELLO)]
    assert talk(function, kept + LAST) == [(200, HELLO)] * 2


def test_connection_close_among_others(function: Running) -> None:
    assert talk(function, request("Connection: x, Close") + LAST) == [(200, HELLO)]


def test_date(function: Running) -> None:
    sent = email.utils.parsedate_to_datetime(str(function.request("GET", "/").headers["Date"]))
    assert abs(sent.timestamp() - time.time()) <= 2
    assert str(function.request("GET", "/").headers["Date"]).endswith(" GMT")
