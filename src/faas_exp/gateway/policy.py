"""What an invocation asks of the gateway around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from faas_exp.gateway.metrics import FunctionMetrics
    from faas_exp.gateway.routing import FunctionRoute


class ProxyPolicy(Protocol):
    """Limits and services; ``Gateway`` is the one that has them.

    Attributes:
        max_body: bytes of request body above which the answer is 413.
        exec_timeout: seconds a replica may take for a request before the answer is 504.
        ready_timeout: seconds a request waits for a replica before the answer is 503.
        access_log: each invocation leaves a line in the log.
    """

    max_body: float
    exec_timeout: float
    ready_timeout: float
    access_log: bool

    def metrics_of(self, name: str) -> FunctionMetrics:
        """The counters of a function."""

    def needs_replica(self, function: FunctionRoute) -> str:
        """A request waits: wake the function if it sleeps; a text says why that can't be."""

    async def look_up(self, name: bytes) -> FunctionRoute | None:
        """Asks the provider for a function that the table doesn't have."""
