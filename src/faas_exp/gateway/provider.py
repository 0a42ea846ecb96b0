"""What the gateway needs of an orchestrator: the protocol every provider fulfils.

A provider owns the truth about what is deployed; the gateway keeps only a copy to route by. Several gateways may stand
in front of one orchestrator, so a cluster's provider must keep nothing that another gateway's provider could not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from faas_exp.errors import FaasExpError, PlatformError
from faas_exp.gateway.fleet import Fleet
from faas_exp.gateway.model import FunctionSpec, FunctionState


class FunctionExistsError(FaasExpError):
    """A function of that name is deployed already."""


class FunctionNotFoundError(FaasExpError):
    """No function of that name is deployed."""


class ProviderError(PlatformError):
    """The orchestrator refused or can't be reached."""


Publish = Callable[[str, FunctionState | None], None]
"""How a provider reports a change: the function's name and its whole state now, None when it is deleted.

To be called on the event loop. Reports are states, not events: a report may be left out when a later one follows.
"""


class ReplicaLoad(Protocol):
    """What the gateway knows of a replica and a provider may ask before it ends one."""

    def in_flight(self, replica_id: str) -> int:
        """Requests which this gateway has sent to the replica and which are not answered."""

    async def drained(self, replica_id: str, timeout: float) -> bool:
        """Waits until a replica reported as draining has none left; False after ``timeout`` seconds."""


class Provider(Protocol):
    """An orchestrator of functions.

    Attributes:
        orchestration: its name in ``/system/info``: process, swarm, nomad, kubernetes.
        fleet: the gateways in front of the orchestrator.

    All methods run on the event loop and must not block it. ``deploy``, ``update`` and ``scale`` return when the wish
    is recorded; that replicas are up is told by ``Publish``.
    """

    orchestration: str

    @property
    def fleet(self) -> Fleet:
        """See ``Fleet``; the same object every time."""

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        """Connects, reports every function that exists, and reports changes from then on until ``close``.

        Raises:
            ProviderError: the orchestrator can't be used.
        """

    async def deploy(self, spec: FunctionSpec) -> None:
        """Creates a function with ``spec.scale.minimum`` replicas.

        Raises:
            FunctionExistsError, InvalidFunctionError, ProviderError
        """

    async def update(self, spec: FunctionSpec) -> None:
        """Changes a function; replicas that must be replaced go only when new ones are ready.

        Raises:
            FunctionNotFoundError, InvalidFunctionError, ProviderError
        """

    async def delete(self, name: str) -> None:
        """Removes a function.

        Raises:
            FunctionNotFoundError, ProviderError
        """

    async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
        """Asks for a number of replicas, exactly, whatever the labels say.

        Args:
            expected: do nothing if another number was asked for meanwhile. Only the autoscaler says it, so a number
                asked for with it is one that an autoscaler may take back (``FunctionState.autoscaled``).

        Raises:
            FunctionNotFoundError, InvalidFunctionError, ProviderError
        """

    async def functions(self) -> list[FunctionState]:
        """Every function with its replicas, as the orchestrator sees them now."""

    async def get(self, name: str) -> FunctionState | None:
        """One function, None when there is none of that name."""

    async def close(self) -> None:
        """Ends the provider: local replicas end with it, those of a cluster live on."""
