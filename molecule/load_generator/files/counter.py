"""A plain HTTP server: counter.py ADDRESS PORT. Counts POST requests by who sends them; GET tells the counts."""

import json
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

SEEN: Counter[str] = Counter()
LOCK = Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with LOCK:
            SEEN[self.client_address[0]] += 1
        self.answer(b"{}")

    def do_GET(self) -> None:
        with LOCK:
            self.answer(json.dumps(SEEN).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The counts are enough."""


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
