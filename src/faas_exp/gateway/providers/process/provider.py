"""Provider ``process``: deployments kept in a folder, replicas as child processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

from faas_exp.gateway import log, processes
from faas_exp.gateway.fleet import Alone
from faas_exp.gateway.model import MAX_REPLICAS, FunctionSpec, FunctionState, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, ProviderError, Publish, ReplicaLoad
from faas_exp.gateway.providers.process.function import ProcessFunction, Workshop
from faas_exp.gateway.providers.process.images import Images
from faas_exp.gateway.providers.process.ports import Ports
from faas_exp.gateway.providers.process.replica import HOST
from faas_exp.gateway.providers.process.store import Store
from faas_exp.gateway.settings import Settings


class ProcessProvider:
    """Runs functions on this machine.

    Args:
        settings: of the gateway.
        state_dir: holds deployments, built functions, logs.
        functions_dir: holds a folder per function.
    """

    orchestration = "process"

    def __init__(self, settings: Settings, state_dir: Path, functions_dir: Path) -> None:
        self.fleet = Alone()
        self._settings = settings
        self._state_dir = state_dir
        self._images = Images(functions_dir, state_dir / "images")
        self._store = Store(state_dir / "functions")
        self._functions: dict[str, ProcessFunction] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._publish: Publish
        self._load: ReplicaLoad
        self._shop: Workshop

    async def start(self, publish: Publish, load: ReplicaLoad) -> None:
        if shutil.which("setpriv") is None:
            raise ProviderError("provider process needs the program setpriv (Debian: apt-get install util-linux)")
        self._publish = publish
        self._load = load
        parallel = self._settings.start_parallel or len(os.sched_getaffinity(0)) + 1
        self._shop = Workshop(self._settings, self._state_dir, self._images, Ports(HOST), parallel)
        await asyncio.to_thread(self._clear_leftovers)
        for spec, wanted, created in self._store.load():
            self._supervise(spec, wanted, created)
            log.event("deployment restored", function=spec.name, replicas=wanted)

    async def deploy(self, spec: FunctionSpec) -> None:
        self._must_be_new(spec.name)
        await self._check(spec)
        self._must_be_new(spec.name)
        function = self._supervise(spec, spec.scale.minimum, "")
        try:
            self._store.save(spec, function.wanted, function.created)
        except ProviderError:
            await self._remove(function)
            raise

    async def update(self, spec: FunctionSpec) -> None:
        self._must_exist(spec.name)
        await self._check(spec)
        function = self._must_exist(spec.name)
        scale = spec.scale
        wanted = min(max(function.wanted, scale.minimum), scale.maximum)
        self._store.save(spec, wanted, function.created)
        function.update(spec, wanted)

    async def delete(self, name: str) -> None:
        function = self._must_exist(name)
        self._store.remove(name)
        await self._remove(function)

    async def scale(self, name: str, replicas: int, expected: int | None = None) -> None:
        function = self._must_exist(name)
        if expected is not None and function.wanted != expected:
            return
        if not 0 <= replicas <= MAX_REPLICAS:
            raise InvalidFunctionError(f"replicas: found {replicas}, allowed: 0 to {MAX_REPLICAS}")
        self._store.save(function.spec, replicas, function.created)
        function.scale(replicas)

    async def functions(self) -> list[FunctionState]:
        return [function.state for function in self._functions.values()]

    async def get(self, name: str) -> FunctionState | None:
        function = self._functions.get(name)
        return function.state if function is not None else None

    async def close(self) -> None:
        await asyncio.gather(*(function.close() for function in self._functions.values()))
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.to_thread(self._clear_leftovers)

    async def _check(self, spec: FunctionSpec) -> None:
        if spec.secrets:
            raise InvalidFunctionError(
                "secrets: provider process has none, since a process has no /var/openfaas/secrets of its own; "
                "allowed: an empty list, and envVars for what the function needs"
            )
        await self._images.check(spec)

    def _supervise(self, spec: FunctionSpec, wanted: int, created: str) -> ProcessFunction:
        function = ProcessFunction(spec, wanted, created, self._shop, self._load, self._changed)
        self._functions[spec.name] = function
        self._changed(function)
        return function

    def _changed(self, function: ProcessFunction) -> None:
        name = function.spec.name
        # A function that was deleted, and perhaps deployed anew, still ends its old replicas.
        if self._functions.get(name) is function:
            self._publish(name, function.state)

    async def _remove(self, function: ProcessFunction) -> None:
        """Takes a function out of sight at once; its replicas finish what they have."""
        name = function.spec.name
        del self._functions[name]
        self._publish(name, None)
        task = asyncio.create_task(function.delete())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _must_be_new(self, name: str) -> None:
        if name in self._functions:
            raise FunctionExistsError(f"function {name} exists already; PUT changes it")

    def _must_exist(self, name: str) -> ProcessFunction:
        function = self._functions.get(name)
        if function is None:
            raise FunctionNotFoundError(f"function {name} not found")
        return function

    def _clear_leftovers(self) -> None:
        """Kills what a predecessor's replicas left running: those die with it, what they had started need not."""
        for process in processes.replicas_of(self._state_dir):
            if processes.send(process, signal.SIGKILL):
                log.trouble("leftover killed", pid=process.pid)
        shutil.rmtree(self._state_dir / "tmp", ignore_errors=True)
