"""The gateway's log: one JSON object per line on standard error.

It tells of deployments, scaling and deaths, never of an environment or a password.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_logger = logging.getLogger("faas_exp.gateway")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up() -> None:
    """Sends every logger of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)


def event(what: str, **fields: object) -> None:
    """Logs that something happened, e.g. ``event("scaled", function="a", replicas=3)``."""
    _logger.info(what, extra={"fields": fields})


def failure(what: str, **fields: object) -> None:
    """Logs a fault of our own, with its traceback; to be called where an exception is handled."""
    _logger.exception(what, extra={"fields": fields})


def trouble(what: str, **fields: object) -> None:
    """Logs that something went wrong which the gateway deals with."""
    _logger.warning(what, extra={"fields": fields})
