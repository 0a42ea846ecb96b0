"""Serve ``function.handle`` until SIGTERM: a thread for each connection, replica headers on every response."""

import os
import signal
import socket
import struct
import sys
import threading
import time
from contextlib import suppress

from function import handle
from http1 import Connection, Gone, Refused

# Whoever keeps a pool of connections should be the one to close them: then none is closed under a request.
KEEP_ALIVE_S = 300
# On SIGTERM, requests which are in the kernel's buffers already still get their answer.
LINGER_S = 0.05
BACKLOG = 1024


class Server:
    """The listening socket, its connections and their end."""

    def __init__(self, listener, max_body, started):
        replica = os.environ.get("REPLICA_ID") or socket.gethostname()
        self.listener = listener
        self.max_body = max_body
        self.headers = f"X-Replica-Id: {replica}\r\nX-Replica-Start-Time: {started * 1000:.0f}\r\n".encode()
        self.connections = set()
        self.draining = False

    def accept_all(self):
        """Take connections until the listening socket is closed."""
        patience = struct.pack("ll", KEEP_ALIVE_S, 0)
        while not self.draining:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                # Out of descriptors, or gone before it was taken; if it is our end, the loop ends.
                time.sleep(0.01)
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Unlike settimeout() these cost no call of their own for every read and write.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
            connection = Connection(sock, self.max_body, self.headers)
            self.connections.add(connection)
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        """All requests of one connection."""
        discard = False
        try:
            while (request := connection.receive()) is not None:
                status, content_type, body = self.answer(request)
                close = self.draining or not request.keep_alive
                connection.send(request.method, status, content_type, body, close)
                if close:
                    break
        except Refused as error:
            discard = True
            # Our own words, which need no escaping; the json module would cost more than all else at start.
            body = f'{{"error":"{error}"}}'.encode()
            with suppress(OSError):
                connection.send("", error.status, "application/json", body, close=True)
        except (Gone, OSError):
            pass
        finally:
            connection.close(discard)
            self.connections.discard(connection)

    def answer(self, request):
        """Status, content type and body for one request; a handler's fault is a 500 and a word in the log."""
        if request.path == "/_/health":
            return 200, "text/plain; charset=utf-8", b"OK\n"
        try:
            return handle(request)
        except Exception:
            sys.excepthook(*sys.exc_info())
            return 500, "application/json", b'{"error":"the function failed; see its log"}'

    def drain(self):
        """Take no more connections, close idle ones, return when the others are done."""
        self.draining = True
        # Wakes accept(), which close() alone would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        time.sleep(LINGER_S)
        while self.connections:
            for connection in tuple(self.connections):
                if connection.idle:
                    # The reading thread sees the end, but only after what has arrived, and may still answer that.
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RD)
            time.sleep(0.01)


def listen(host, port):
    """A listening socket on one address, or on all of them, IPv6 too where there is any."""
    if host:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    except (OSError, ValueError):
        return socket.create_server(("", port), backlog=BACKLOG)


def setting(name, fallback, least, most):
    """A whole number from the environment; a bad one ends the process with one line."""
    found = os.environ.get(name)
    if not found:
        return fallback
    if not (found.isascii() and found.isdigit() and least <= int(found) <= most):
        sys.exit(f"environment: {name}: found {found}, allowed: a whole number from {least} to {most}")
    return int(found)


def run(started):
    """Serve, wait for SIGTERM, drain; ``started`` is Unix time in seconds."""
    signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked in every thread from here on, so that only sigwait() sees them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    port = setting("PORT", 8080, 0, 65535)
    max_body = setting("max_body_bytes", 10 * 2**20, 0, 2**31)
    try:
        listener = listen(os.environ.get("HOST", ""), port)
    except OSError as error:
        sys.exit(f"can't listen on port {port}: {error}")
    server = Server(listener, max_body, started)
    threading.stack_size(256 * 1024)
    threading.Thread(target=server.accept_all, daemon=True).start()
    signal.sigwait(signals)
    server.drain()
