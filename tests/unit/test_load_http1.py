"""Parsing of HTTP/1.1 answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faas_exp.load.http1 import CHUNKED, KEPT_BODY, UNTIL_CLOSE, BadAnswer, Body, Head


def head(*lines: str, **options) -> Head:
    return Head("\r\n".join(lines).encode("latin-1"), **options)


def test_a_usual_head():
    parsed = head(
        "HTTP/1.1 201 Created",
        "content-LENGTH:  12 ",
        "X-Replica-Id: web-1 ",
        "X-Replica-Start-Time:1700000000123",
        "Server: x",
    )
    assert (parsed.status, parsed.length, parsed.keep_alive) == (201, 12, True)
    assert (parsed.replica, parsed.replica_start) == (b"web-1", 1700000000123)


@pytest.mark.parametrize(
    ("lines", "length", "keep_alive"),
    [
        (["HTTP/1.1 200 OK"], UNTIL_CLOSE, False),
        (["HTTP/1.1 200"], UNTIL_CLOSE, False),
        (["HTTP/1.1 200 OK", "Content-Length: 0"], 0, True),
        (["HTTP/1.1 200 OK", "Content-Length: 5, 5"], 5, True),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"], 5, True),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"], 5, False),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: Keep-Alive, Upgrade"], 5, True),
        (["HTTP/1.0 200 OK", "Content-Length: 5"], 5, False),
        (["HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive"], 5, True),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], CHUNKED, True),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, Chunked", "Content-Length: 5"], CHUNKED, True),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: gzip"], UNTIL_CLOSE, False),
        (["HTTP/1.1 204 No Content"], 0, True),
        (["HTTP/1.1 304 Not Modified", "Content-Length: 5"], 0, True),
        (["HTTP/1.1 100 Continue"], 0, True),
        # A name that ends like one we look for is another header.
        (["HTTP/1.1 200 OK", "X-Content-Length: 9", "Content-Length: 5"], 5, True),
    ],
)
def test_framing(lines, length, keep_alive):
    parsed = head(*lines)
    assert (parsed.length, parsed.keep_alive) == (length, keep_alive)


def test_head_requests_have_no_body():
    assert head("HTTP/1.1 200 OK", "Content-Length: 5", no_body=True).length == 0
    assert head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", no_body=True).length == 0


@pytest.mark.parametrize("value", ["soon", "-1", "1e3", "9" * 30, ""])
def test_a_start_time_that_is_no_number_is_absent(value):
    assert head("HTTP/1.1 200 OK", f"X-Replica-Start-Time: {value}").replica_start == -1


@pytest.mark.parametrize(
    "lines",
    [
        ["HTTP/2 200"],
        ["HTTP/1.1 99 Low"],
        ["HTTP/1.1 2000 OK"],
        ["HTTP/1.1  200 OK"],
        ["http/1.1 200 OK"],
        [""],
        ["HTTP/1.1 200 OK", "Content-Length: -1"],
        ["HTTP/1.1 200 OK", "Content-Length: 0x10"],
        ["HTTP/1.1 200 OK", "Content-Length: "],
        ["HTTP/1.1 200 OK", "Content-Length: 5, 6"],
        ["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"],
        ["HTTP/1.1 200 OK", "Content-Length: " + "9" * 19],
    ],
)
def test_bad_heads(lines):
    with pytest.raises(BadAnswer):
        head(*lines)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_chunked_bodies_cut_anywhere(chunks, cuts):
    data = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: x\r\n\r\n"
    body = Body(CHUNKED)
    done = [body.feed(piece) for piece in pieces(data, cuts)]
    assert body.done
    assert not body.surplus
    assert body.kept == b"".join(chunks)
    assert body.size == len(body.kept)
    assert not any(done[:-1]) or not any(pieces(data, cuts)[done.index(True) + 1 :])


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=5))
def test_bodies_of_known_length_cut_anywhere(data, cuts):
    body = Body(len(data))
    for piece in pieces(data + b"more", cuts):
        body.feed(piece)
    assert body.done
    assert body.surplus
    assert body.kept == data


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_body_or_a_reason(data):
    body = Body(CHUNKED)
    try:
        body.feed(data)
        body.end()
    except BadAnswer:
        return
    assert body.done


@pytest.mark.parametrize("data", [b"5\r\nhelloX\r\n", b"\r\n", b"-1\r\n", b"5\nhello", b"g\r\n", b"5" * 20 + b"\r\n"])
def test_bad_chunks(data):
    with pytest.raises(BadAnswer, match="bad chunk"):
        Body(CHUNKED).feed(data)


def test_a_chunk_line_without_end_is_refused():
    body = Body(CHUNKED)
    with pytest.raises(BadAnswer, match="bad chunk"):
        for _ in range(10):
            body.feed(b"1" * 1000)


def test_ends():
    body = Body(UNTIL_CLOSE)
    assert not body.feed(b"abc")
    body.end()
    assert body.done
    for length in (10, CHUNKED):
        body = Body(length)
        body.feed(b"5\r\nab")
        with pytest.raises(BadAnswer, match="body cut short"):
            body.end()


def test_large_bodies_are_counted_not_kept():
    body = Body(UNTIL_CLOSE)
    for _ in range(10):
        body.feed(b"x" * 30_000)
    assert body.size == 300_000
    assert len(body.kept) == KEPT_BODY
