"""Answers as fast as Python can: for measurements of what stands in front of it. Needs uvloop and httptools."""

import asyncio
import os
import signal
import time

import httptools
import uvloop

BODY = b"Hello, world!"
RESPONSE = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    f"X-Replica-Id: {os.environ.get('REPLICA_ID', 'direct')}\r\nX-Replica-Start-Time: {int(time.time() * 1000)}\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_complete(self):
        self.transport.write(RESPONSE)


async def main():
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await loop.create_server(Echo, os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"]), backlog=1024)
    await stop.wait()


uvloop.run(main())
