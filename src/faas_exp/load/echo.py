"""The server of a calibration: answers every request at once with the same few bytes.

One thread, one epoll, no parsing beyond the end of a head: a server that costs less than the client, so that it is the
client's limits that show. Requests must not have bodies.
"""

from __future__ import annotations

import select
import socket
import sys

from faas_exp.load.orphan import die_with_parent

_BODY = b'{"message":"hello"}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


def main(parent: int) -> None:
    """Listen on a free port of 127.0.0.1, print it, serve until killed."""
    die_with_parent(parent)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                epoll.register(connection, select.EPOLLIN)
                continue
            connection = connections[fd]
            try:
                data = connection.recv(65536)
                if data.endswith(b"\r\n\r\n"):
                    connection.send(_ANSWER)
            except OSError:
                data = b""
            if not data:
                epoll.unregister(connection)
                connections.pop(fd).close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
