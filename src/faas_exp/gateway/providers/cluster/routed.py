"""What a gateway routes to: the functions that the orchestrator told of, and which of their replicas answer."""

from __future__ import annotations

from collections.abc import Iterable

from faas_exp.gateway import log
from faas_exp.gateway.model import MAX_REPLICAS, FunctionState, InvalidFunctionError, Replica
from faas_exp.gateway.provider import Publish
from faas_exp.gateway.providers.cluster.deployed import Deployed
from faas_exp.gateway.providers.cluster.readiness import Readiness


class Routed:
    """Keeps what was heard last of each function, watches its replicas, and publishes what has changed."""

    def __init__(self) -> None:
        self._readiness = Readiness(self._answers)
        self._deployed: dict[str, Deployed] = {}
        self._publish: Publish

    def start(self, publish: Publish) -> None:
        """Publish changes there from now on."""
        self._publish = publish

    def states(self) -> list[FunctionState]:
        """All functions."""
        return [self._state(deployed) for deployed in self._deployed.values()]

    def state(self, name: str) -> FunctionState | None:
        """One function; None where there is none."""
        deployed = self._deployed.get(name)
        return None if deployed is None else self._state(deployed)

    def names(self) -> Iterable[str]:
        """Names of the functions that there are."""
        return self._deployed.keys()

    def shortage(self) -> bool:
        """Whether a function has fewer replicas than it was asked for."""
        return any(len(deployed.tasks) < deployed.wanted for deployed in self._deployed.values())

    def take_all(self, functions: dict[str, Deployed]) -> None:
        """These are all that there are."""
        for name in self._deployed.keys() - functions.keys():
            self.take(name, None)
        for name, deployed in functions.items():
            self.take(name, deployed)

    def take(self, name: str, deployed: Deployed | None) -> None:
        """This is what the function is now; None: it is gone."""
        before = self._deployed.get(name)
        if deployed == before:
            return
        known = before.tasks if before is not None else ()
        if deployed is None:
            del self._deployed[name]
            self._readiness.follow(name, (), known)
            self._publish(name, None)
            log.event("function gone", function=name)
            return
        self._deployed[name] = deployed
        self._readiness.follow(name, deployed.tasks, known)
        self._publish(name, self._state(deployed))

    async def close(self) -> None:
        """Watch no more."""
        await self._readiness.close()

    def _answers(self, name: str) -> None:
        state = self.state(name)
        if state is not None:
            self._publish(name, state)

    def _state(self, deployed: Deployed) -> FunctionState:
        replicas = tuple(
            Replica(task.id, task.host, task.port, task.started_ms)
            for task in deployed.tasks
            if self._readiness.ready(task)
        )
        return FunctionState(
            deployed.spec, deployed.wanted, replicas, deployed.created, deployed.error, deployed.autoscaled
        )


def check_replicas(replicas: int) -> None:
    """Refuse a number that no function may have.

    Raises:
        InvalidFunctionError: with what was found and what is allowed.
    """
    if not 0 <= replicas <= MAX_REPLICAS:
        raise InvalidFunctionError(f"replicas: found {replicas}, allowed: 0 to {MAX_REPLICAS}")
