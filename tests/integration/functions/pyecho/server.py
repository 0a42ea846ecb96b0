"""Echoes a request as JSON.

Query: ``hold`` seconds before the body is read, ``sleep`` seconds before the answer, ``status``, ``size`` of the
answer, ``die``.

Environment: ``START_DELAY`` seconds before it listens, ``FAIL`` an exit code instead of a start,
``ABRUPT`` no mercy for open requests on SIGTERM.
"""

import asyncio
import json
import os
import signal
import sys
import time
from urllib.parse import parse_qs, urlsplit

STARTED = int(time.time() * 1000)
OPEN = set()
STATE = {"served": 0, "connections": 0, "stopping": False}


async def read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)
    return await reader.readexactly(int(headers.get("content-length", 0)))


async def one(reader, writer):
    line = await reader.readline()
    if not line:
        return False
    method, target, _ = line.decode().split()
    headers = {}
    while (header := await reader.readline()) != b"\r\n":
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    OPEN.add(writer)
    parts = urlsplit(target)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    await asyncio.sleep(float(query.get("hold", 0)))
    body = await read_body(reader, headers)
    if parts.path != "/_/health":
        STATE["served"] += 1
    if "die" in query:
        os._exit(int(query["die"]))
    await asyncio.sleep(float(query.get("sleep", 0)))
    seen = {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
    answer = json.dumps({**seen, "served": STATE["served"], "connections": STATE["connections"]}).encode()
    if "size" in query:
        answer = b"x" * int(query["size"])
    status = int(query.get("status", 200))
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json"]
    if "plain" not in query:
        head += [f"X-Replica-Id: {os.environ.get('REPLICA_ID', '')}", f"X-Replica-Start-Time: {STARTED}"]
    framing = query.get("framing", "length")
    if status == 204:
        answer = b""
    elif framing == "length":
        head.append(f"Content-Length: {len(answer)}")
    elif framing == "chunked":
        head.append("Transfer-Encoding: chunked")
    close = framing == "close" or STATE["stopping"]
    if close:
        head.append("Connection: close")
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    if method != "HEAD":
        for start in range(0, len(answer), 100_000):
            piece = answer[start : start + 100_000]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await writer.drain()
        if framing == "chunked" and status != 204:
            writer.write(b"0\r\n\r\n")
    await writer.drain()
    OPEN.discard(writer)
    return not close


async def serve(reader, writer):
    STATE["connections"] += 1
    try:
        while await one(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError):
        print("a client went away", flush=True)
    finally:
        OPEN.discard(writer)
        writer.close()


async def main():
    if os.environ.get("FAIL"):
        print("refusing to start", file=sys.stderr)
        sys.exit(int(os.environ["FAIL"]))
    await asyncio.sleep(float(os.environ.get("START_DELAY", "0")))
    stop = asyncio.Event()
    if not os.environ.get("ABRUPT"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(serve, os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"]), backlog=512)
    await stop.wait()
    STATE["stopping"] = True
    server.close()
    while OPEN:
        await asyncio.sleep(0.01)


asyncio.run(main())
