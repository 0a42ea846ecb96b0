"""What can be wrong with the input of an analysis; every message is one clear line."""

from __future__ import annotations

from pathlib import Path

from faas_exp.errors import ResultsError


class AnalysisError(ResultsError):
    """The results can't be analysed as asked."""


class NoResultsError(AnalysisError):
    """A folder holds nothing to analyse, or does not exist."""


class BadFileError(AnalysisError):
    """One file is not what its name promises.

    Args:
        path: the file.
        found: what it holds.
        allowed: what it should hold.
    """

    def __init__(self, path: Path, found: str, allowed: str) -> None:
        self.path, self.found, self.allowed = path, found, allowed
        super().__init__(f"{path}: found {found}, allowed: {allowed}")


class TooFewError(AnalysisError):
    """There is data, but not enough for what was asked (one orchestrator cannot be compared)."""
