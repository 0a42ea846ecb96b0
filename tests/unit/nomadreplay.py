"""Answers that a real Nomad gave, given again by a server on the loopback (tests/unit/data/nomad/<version>)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "nomad"
VERSIONS = sorted(folder.name for folder in DATA.iterdir())


@dataclass
class Replay:
    """One agent.

    Attributes:
        answers: by method and path: status, index and body.
        asked: every call, in order, with its body.
        queue: answers to be given first, by method and path.
    """

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    queue: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    port: int = 0
    _server: asyncio.Server | None = None

    @classmethod
    async def start(cls, version: str = "") -> Replay:
        replay = cls()
        if version:
            replay.answers = json.loads((DATA / version / "answers.json").read_text(encoding="utf-8"))
        replay._server = await asyncio.start_server(replay._serve, "127.0.0.1", 0)
        replay.port = replay._server.sockets[0].getsockname()[1]
        return replay

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def next(self, call: str, status: int, body: Any, index: int = 1) -> None:
        self.queue.setdefault(call, []).append({"status": status, "index": index, "body": body})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length")]
            body = json.loads(await reader.readexactly(int(lengths[0])) or b"null") if lengths else None
            call = f"{method} {path}"
            self.asked.append((call, body))
            waiting = self.queue.get(call)
            answer = waiting.pop(0) if waiting else self.answers.get(call)
            if answer is None:
                answer = {"status": 404, "index": 0, "body": "not recorded"}
            text = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
            data = text.encode()
            lines = [f"HTTP/1.1 {answer['status']} X", f"Content-Length: {len(data)}"]
            lines += [f"X-Nomad-Index: {answer['index']}", "Connection: close", "", ""]
            writer.write("\r\n".join(lines).encode() + data)
            await writer.drain()
        finally:
            writer.close()
