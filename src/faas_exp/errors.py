"""Errors that a user reads: one clear line, and where it helps, how to go on."""

from __future__ import annotations

from dataclasses import dataclass


class FaasExpError(Exception):
    """Base of every error that is the user's to mend; ``str(error)`` is fit to be shown as it is."""


@dataclass
class ConfigError(FaasExpError):
    """Something in an input file is wrong.

    Attributes:
        file: the file as the user named it.
        key: dotted path of the key, e.g. ``functions[2].api.param.min``.
        found: what stands there, as YAML would show it.
        allowed: what may stand there.
    """

    file: str
    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: found {self.found}, allowed: {self.allowed}"


class ConfigErrors(FaasExpError):
    """Every problem of one file at once, so that a user mends them in one go."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


class PlatformError(FaasExpError):
    """The serverless platform did not do what was asked: unreachable, refused, clamped, never ready."""


class LoadError(FaasExpError):
    """A load run did not happen (a run whose requests failed did happen: that is data)."""


class ResultsError(FaasExpError):
    """The result tree can't be used as asked: other configuration, not writable, disk full."""
