"""Nomad's HTTP API: calls go on with another agent when one is lost, and wait while the servers choose a leader."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from faas_exp.gateway.http.client import ClientError, Reply, request
from faas_exp.gateway.provider import ProviderError
from faas_exp.gateway.providers.nomad.settings import Agent, NomadSettings

_CALL_TIMEOUT = 6.0
_WAIT = 30.0
# A lost leader is followed within some ten seconds; callers of the gateway wait half a minute.
_PATIENCE = 25.0
_PAUSE = 0.25
# What Nomad says, in lower case, while its servers have no leader, or the agent none of them. All else is an answer.
_PASSING = (
    "no cluster leader",
    "leadership lost",
    "no path to region",
    "no servers",
    "failed to get conn",
    "rpc error: eof",
    "session shutdown",
    "stream closed",
    "i/o deadline reached",
    "connection refused",
    "connection reset",
    "i/o timeout",
    "not ready to serve consistent reads",
)


class NomadError(ProviderError):
    """Nomad answered, but refused.

    Attributes:
        status: of its answer.
        text: what it said.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"Nomad refuses: {text or status}")
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Answer:
    """What Nomad said.

    Attributes:
        data: the JSON document.
        index: state of Nomad that it shows; given to ``follow``, the next answer waits for a newer one.
    """

    data: Any
    index: int


class NomadApi:
    """Agents of one Nomad cluster.

    Args:
        settings: where they are, what to show them.

    Raises:
        ProviderError: a file of the settings can't be used.
    """

    def __init__(self, settings: NomadSettings) -> None:
        self._agents = settings.nomad_addresses
        self._current = 0
        self._tls = _context(settings)
        self._headers = _headers(settings.nomad_token_file)

    async def get(self, path: str) -> Any:
        """The document at ``path`` now; None when there is none.

        Raises:
            NomadError, ProviderError
        """
        reply = await self._patiently("GET", path, b"", _CALL_TIMEOUT)
        return None if reply.status == 404 else _document(reply)

    async def follow(self, path: str, index: int) -> Answer:
        """The document at ``path`` when it is newer than ``index``, or after half a minute as it is.

        Raises:
            NomadError, ProviderError
        """
        joint = "&" if "?" in path else "?"
        where = f"{path}{joint}index={index}&wait={int(_WAIT)}s" if index else path
        # Nomad adds up to a sixteenth of the time to spread those who ask.
        reply = await self._patiently("GET", where, b"", _WAIT * 1.1 + _CALL_TIMEOUT)
        if reply.status == 404:
            raise NomadError(404, f"{path}: not found")
        seen = int(reply.header(b"x-nomad-index") or b"0")
        # An index that fell belongs to a cluster that was made anew.
        return Answer(_document(reply), seen if seen >= index else 0)

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """Changes something.

        Raises:
            NomadError, ProviderError
        """
        data = b"" if body is None else json.dumps(body).encode()
        reply = await self._patiently(method, path, data, _CALL_TIMEOUT)
        if reply.status == 404:
            raise NomadError(404, _text(reply))
        return _document(reply)

    async def _patiently(self, method: str, path: str, body: bytes, timeout: float) -> Reply:
        end = monotonic() + _PATIENCE
        while True:
            try:
                reply = await self._ask(self._agents[self._current], method, path, body, timeout)
                trouble = _passing(reply)
            except ClientError as error:
                trouble = str(error)
            if not trouble:
                if reply.status >= 400 and reply.status != 404:
                    raise NomadError(reply.status, _text(reply))
                return reply
            if monotonic() > end:
                where = self._agents[self._current].url
                raise ProviderError(f"Nomad does not answer ({where}): {trouble}")
            self._current = (self._current + 1) % len(self._agents)
            await asyncio.sleep(_PAUSE)

    async def _ask(self, agent: Agent, method: str, path: str, body: bytes, timeout: float) -> Reply:
        return await request(
            agent.url + path, method, self._headers, body, timeout=timeout, tls=self._tls, server_name=agent.name
        )


def _context(settings: NomadSettings) -> ssl.SSLContext | None:
    if settings.nomad_ca is None or settings.nomad_certificate is None or settings.nomad_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(settings.nomad_ca)
        context.load_cert_chain(settings.nomad_certificate, settings.nomad_key)
    except (OSError, ssl.SSLError) as error:
        raise ProviderError(f"{settings.nomad_certificate}, {settings.nomad_ca}: can't be used: {error}") from error
    return context


def _headers(token_file: Path | None) -> list[tuple[bytes, bytes]]:
    if token_file is None:
        return []
    try:
        return [(b"X-Nomad-Token", token_file.read_bytes().strip())]
    except OSError as error:
        raise ProviderError(f"{token_file}: can't be read: {error.strerror}") from error


def _text(reply: Reply) -> str:
    return " ".join(reply.body.decode(errors="replace").split())[:500]


def _passing(reply: Reply) -> str:
    if reply.status < 500:
        return ""
    text = _text(reply)
    return text if any(part in text.lower() for part in _PASSING) or reply.status in (502, 503, 504) else ""


def _document(reply: Reply) -> Any:
    try:
        return json.loads(reply.body or b"null")
    except ValueError as error:
        raise ProviderError(f"Nomad's answer is not JSON: {_text(reply)!r}") from error
