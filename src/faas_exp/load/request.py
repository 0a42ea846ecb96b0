"""The bytes of a request, made once; only the random parameter changes from one to the next."""

from __future__ import annotations

import random
from urllib.parse import quote

from faas_exp import __version__
from faas_exp.load.spec import LoadSpec

# Everything RFC 3986 lets stand in a path and query, and % because the path may be quoted already.
_SAFE = "/?:@!$&'()*+,;=-._~%[]"


class RequestTemplate:
    """Renders the requests of a run.

    One user's requests carry a reproducible sequence of parameters: it depends on the run's seed and the user's number
    alone, not on timing or on the number of processes.
    """

    def __init__(self, spec: LoadSpec) -> None:
        target = quote(spec.path, safe=_SAFE)
        tail = self._after_target(spec)
        self._param = spec.param
        if spec.param is None:
            self._whole = f"{spec.method} {target}".encode("ascii") + tail
        else:
            joint = "&" if "?" in target else "?"
            self._before = f"{spec.method} {target}{joint}param=".encode("ascii")
            self._after = tail

    @staticmethod
    def _after_target(spec: LoadSpec) -> bytes:
        body = spec.body
        given = {name.lower() for name in spec.headers}
        host = spec.http_host or spec.url.partition("://")[2].rstrip("/")
        lines = [] if "host" in given else [f"Host: {host}"]
        if "user-agent" not in given:
            lines.append(f"User-Agent: faas-exp/{__version__}")
        if "accept" not in given:
            lines.append("Accept: */*")
        if body is not None and "content-type" not in given:
            lines.append("Content-Type: text/plain; charset=utf-8")
        if body is not None or spec.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body or b'')}")
        lines += [f"{name}: {value}" for name, value in spec.headers.items()]
        return ("\r\n".join([" HTTP/1.1", *lines]) + "\r\n\r\n").encode() + (body or b"")

    def random_for(self, user: int, seed: int) -> random.Random:
        """The source of one user's parameters."""
        return random.Random(f"{seed}/{user}")  # noqa: S311

    def render(self, source: random.Random) -> bytes:
        """The next request, ready to send."""
        if self._param is None:
            return self._whole
        return b"%b%d%b" % (self._before, source.randint(*self._param), self._after)
