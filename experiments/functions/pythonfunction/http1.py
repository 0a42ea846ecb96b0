"""HTTP/1.1 on one connection: read a request, write a response, again, until either side has had enough.

The standard library's ``http.server`` reads headers with the parser for e-mail, which costs some ten times what the
rest of a small request does; a benchmark of a language's runtime would measure that parser. This module reads what a
function needs and no more, and is strict where leniency lets two servers disagree on where a request ends (RFC 9112,
section 6.3).
"""

import socket
import time
from contextlib import suppress

MAX_HEAD = 64 * 1024
MAX_CHUNK_LINE = 1024
RECEIVE = 64 * 1024
DISCARD_S = 1.0

REASONS = {
    200: "OK",
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}
# Names which Date has in English whatever the locale.
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Refused(Exception):
    """The request can't be served; the connection closes after the answer, since its end is not known."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Gone(Exception):
    """The other side closed the connection in the middle of a request."""


class Request:
    """Method, path (without the query), query and body of a request, and whether the connection may be kept."""

    __slots__ = ("body", "expects_continue", "framing", "keep_alive", "method", "path", "query")

    def __init__(self, head):
        lines = head.split(b"\r\n")
        try:
            method, target, version = lines[0].decode("ascii").split(" ")
        except ValueError:
            raise Refused(400, "the request line is malformed") from None
        if not version.startswith("HTTP/1."):
            raise Refused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.keep_alive = version != "HTTP/1.0"
        self.expects_continue = False
        self.body = b""
        length = coding = None
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name[-1:] in b" \t" or name[:1] in b" \t":
                raise Refused(400, "a header is malformed")
            name = name.lower()
            if name == b"content-length":
                value = value.strip()
                if not value.isdigit() or len(value) > 18 or (length is not None and value != length):
                    raise Refused(400, "Content-Length is malformed")
                length = value
            elif name == b"transfer-encoding":
                coding = value.strip().lower() if coding is None else b"(several)"
            elif name == b"connection":
                tokens = {token.strip() for token in value.lower().split(b",")}
                self.keep_alive = b"close" not in tokens and (self.keep_alive or b"keep-alive" in tokens)
            elif name == b"expect":
                self.expects_continue = value.strip().lower() == b"100-continue"
        if coding is not None and length is not None:
            raise Refused(400, "both Content-Length and Transfer-Encoding")
        if coding not in (None, b"chunked"):
            raise Refused(501, "no transfer coding but chunked")
        self.framing = "chunked" if coding else int(length or 0)


class Connection:
    """One connection with a client.

    Args:
        sock: blocking; its SO_RCVTIMEO, if any, is the longest wait for more bytes.
        max_body: bytes.
        headers: complete header lines, as bytes, that every response carries.
    """

    def __init__(self, sock, max_body, headers):
        self.sock = sock
        self.max_body = max_body
        self.headers = headers
        self.buffer = b""
        self.idle = True

    def receive(self):
        """The next request, or ``None`` when the client has closed before it sent another.

        Raises:
            Refused: what the client is to be told.
            Gone: it closed in the middle of the body.
        """
        mark = self.buffer.find(b"\r\n\r\n")
        if mark < 0:
            self.idle = not self.buffer
            mark = self._receive_head()
            if mark is None:
                return None
        head, self.buffer = self.buffer[:mark], self.buffer[mark + 4 :]
        # A stray line end between two requests is to be read over (RFC 9112, section 2.2).
        request = Request(head.lstrip(b"\r\n"))
        if request.framing:
            self._receive_body(request)
        return request

    def send(self, method, status, content_type, body, close):
        """Write one response in one go; ``body`` stays away when the method is HEAD."""
        head = b"HTTP/1.1 %d %s\r\nDate: %s\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (
            status,
            REASONS.get(status, "").encode(),
            CLOCK.text(),
            self.headers,
            content_type.encode(),
            len(body),
            b"Connection: close\r\n" if close else b"",
        )
        self.sock.sendall(head if method == "HEAD" else head + body)

    def close(self, discard=False):
        """Close; with ``discard``, a second at most is spent on reading what the client still sends.

        To close with bytes unread resets the connection, which could take the last answer with it.
        """
        with self.sock, suppress(OSError):
            if discard:
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.settimeout(DISCARD_S)
                end = time.monotonic() + DISCARD_S
                while time.monotonic() < end and self.sock.recv(RECEIVE):
                    pass

    def _more(self):
        try:
            data = self.sock.recv(RECEIVE)
        except BlockingIOError:
            raise Refused(408, "the request took too long to arrive") from None
        self.idle = False
        return data

    def _receive_head(self):
        while True:
            try:
                data = self._more()
            except Refused:
                # Nothing was asked yet: an idle connection is closed without a word.
                if not self.buffer:
                    return None
                raise
            if not data:
                return None
            # The end may lie across two pieces.
            start = max(0, len(self.buffer) - 3)
            self.buffer += data
            mark = self.buffer.find(b"\r\n\r\n", start)
            if (len(self.buffer) if mark < 0 else mark) > MAX_HEAD:
                raise Refused(431, f"the headers are larger than {MAX_HEAD} bytes")
            if mark >= 0:
                return mark

    def _receive_body(self, request):
        if request.framing != "chunked" and request.framing > self.max_body:
            raise self._too_large()
        if request.expects_continue and not self.buffer:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = self._chunked() if request.framing == "chunked" else self._take(request.framing)

    def _chunked(self):
        parts = []
        size = 0
        while True:
            # Extensions after ";" mean nothing to us.
            text = self._line().split(b";", 1)[0].strip()
            if not text or text.strip(b"0123456789abcdefABCDEF") or len(text) > 16:
                raise Refused(400, "a chunk's size is malformed")
            length = int(text, 16)
            if length == 0:
                break
            size += length
            if size > self.max_body:
                raise self._too_large()
            parts.append(self._take(length))
            if self._take(2) != b"\r\n":
                raise Refused(400, "a chunk is longer than its size")
        seen = 0
        while trailer := self._line():
            seen += len(trailer)
            if seen > MAX_HEAD:
                raise Refused(431, f"the trailers are larger than {MAX_HEAD} bytes")
        return b"".join(parts)

    def _line(self):
        while (mark := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > MAX_CHUNK_LINE:
                raise Refused(400, "a chunk's size is malformed")
            self._append()
        line, self.buffer = self.buffer[:mark], self.buffer[mark + 2 :]
        return line

    def _take(self, count):
        if len(self.buffer) >= count:
            taken, self.buffer = self.buffer[:count], self.buffer[count:]
            return taken
        parts = [self.buffer]
        missing = count - len(self.buffer)
        self.buffer = b""
        while missing > 0:
            data = self._more()
            if not data:
                raise Gone
            parts.append(data[:missing])
            self.buffer = data[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def _append(self):
        data = self._more()
        if not data:
            raise Gone
        self.buffer += data

    def _too_large(self):
        return Refused(413, f"the body is larger than {self.max_body} bytes (max_body_bytes)")


class Clock:
    """The time as HTTP writes it (RFC 9110, section 5.6.7), made once a second."""

    def __init__(self):
        self._made = (0, b"")

    def text(self):
        """Now, for the header Date."""
        now = int(time.time())
        # One assignment of both, since many threads come here.
        second, text = self._made
        if second != now:
            t = time.gmtime(now)
            text = (
                f"{DAYS[t.tm_wday]}, {t.tm_mday:02} {MONTHS[t.tm_mon - 1]} {t.tm_year} "
                f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
            ).encode()
            self._made = (now, text)
        return text


CLOCK = Clock()
