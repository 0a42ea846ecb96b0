"""What a calibration found, and its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from faas_exp.errors import ConfigError


@dataclass(frozen=True)
class Calibration:
    """Ceiling and floor of the load generator on one machine.

    Attributes:
        ceiling_rps: requests per second that one process makes at most.
        cpu_us: CPU time of the generator per request at that rate, microseconds.
        floor_p50_ms, floor_p99_ms: response times of a server which does nothing, one user, milliseconds. What a run
            measures below or near these is the generator, not the server.
        machine: where (host name, processors, kernel, …).
        versions: of faas_exp, python, locust, gevent.
        measured: when, ISO 8601, UTC.
    """

    ceiling_rps: float
    cpu_us: float
    floor_p50_ms: float
    floor_p99_ms: float
    machine: dict[str, Any]
    versions: dict[str, str]
    measured: str

    def to_dict(self) -> dict[str, Any]:
        """As in its file."""
        return asdict(self)


def read_calibration(file: Path) -> Calibration:
    """Read what ``calibrate`` wrote.

    Raises:
        ConfigError: there is no such file, or it is no calibration.
    """
    allowed = "a file written by `faas-exp calibrate`"
    try:
        values = json.loads(Path(file).read_text(encoding="utf-8"))
        return Calibration(**{f.name: values[f.name] for f in fields(Calibration)})
    except OSError:
        raise ConfigError(file=str(file), key="calibration", found="no readable file", allowed=allowed) from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(file=str(file), key="calibration", found="something else", allowed=allowed) from None
