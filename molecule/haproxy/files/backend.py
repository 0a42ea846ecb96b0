"""A stand-in for what runs on a worker: the gateway on 8080, Prometheus on 9090."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = 500 if self.path == "/function/broken" else 200
        body = f"{socket.gethostname()} {self.server.server_port} {self.headers['Host']}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


for port in (8080, 9090):
    threading.Thread(target=ThreadingHTTPServer(("", port), Handler).serve_forever).start()
