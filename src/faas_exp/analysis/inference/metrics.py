"""What is compared, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faas_exp.analysis.model import Dataset


@dataclass(frozen=True, slots=True)
class Metric:
    """One number per run.

    Attributes:
        name: the thesis's name where it had one.
        column: of the tidy table.
        better: which way is better.
        scale: whether two values compare as a ratio or, where zero is a common value, as a difference.
        quantile: for quantiles of response times, which: the bootstrap then resamples requests within runs too.
        cold_only: it says something about cold chunks only.
    """

    name: str
    column: str
    label: str
    unit: str
    better: Literal["lower", "higher"]
    scale: Literal["ratio", "difference"] = "ratio"
    quantile: float | None = None
    cold_only: bool = False

    @property
    def title(self) -> str:
        """Label with unit, for axes and table heads."""
        return f"{self.label} ({self.unit})"


RESPONSE = Metric("resTime", "p50", "Median response time", "ms", "lower", quantile=0.5)
THROUGHPUT = Metric("throughput", "throughput", "Throughput", "requests/s", "higher")
ERRORS = Metric("errorPct", "error_pct", "Failed requests", "%", "lower", scale="difference")
P95 = Metric("p95", "p95", "95th percentile", "ms", "lower", quantile=0.95)
P99 = Metric("p99", "p99", "99th percentile", "ms", "lower", quantile=0.99)
COLD = Metric("firstResponse", "first_response", "First response after a cold start", "ms", "lower", cold_only=True)

METRICS = (RESPONSE, P95, P99, THROUGHPUT, ERRORS, COLD)
BY_NAME = {metric.name: metric for metric in METRICS}


def metrics_in(data: Dataset) -> list[Metric]:
    """The metrics a data set can tell about."""
    return [metric for metric in METRICS if data.runs[metric.column].notna().any()]
