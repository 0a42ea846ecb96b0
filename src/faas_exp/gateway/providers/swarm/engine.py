"""Swarm through a manager's Docker engine; every call blocks, so the agent makes them in threads.

Nothing is kept between calls but what never changes under its id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException
from docker.utils import parse_repository_tag

from faas_exp.gateway.model import MAX_REPLICAS, FunctionSpec, InvalidFunctionError
from faas_exp.gateway.provider import FunctionExistsError, FunctionNotFoundError, ProviderError
from faas_exp.gateway.providers.cluster.deployed import Deployed, Task, port
from faas_exp.gateway.providers.swarm.services import (
    AUTOSCALED_LABEL,
    PART_LABEL,
    autoscaled,
    function_spec,
    scaled_spec,
    service_spec,
    wanted_replicas,
)
from faas_exp.gateway.providers.swarm.wire import View

_TIMEOUT = 20
_REGISTRY_TIMEOUT = 10
_ATTEMPTS = 5
_FAILED = ("failed", "rejected")
_T = TypeVar("_T")


class Engine:
    """A manager's engine.

    Args:
        url: of its API; None is Docker's own choice (``DOCKER_HOST``, or the local socket).
        gateway_service: name of the service that the gateways are.
        default_constraints: where functions run that don't say it themselves.

    Every method raises ProviderError when Swarm refuses or can't be reached.
    """

    def __init__(
        self, url: str | None = None, gateway_service: str = "", default_constraints: tuple[str, ...] = ()
    ) -> None:
        self._gateway_service = gateway_service
        self._constraints = default_constraints
        try:
            self._api = docker.APIClient(url, version="auto", timeout=_TIMEOUT) if url else _from_env()
        except DockerException as error:
            raise ProviderError(f"no Docker engine: {error}") from error
        self._network = ""

    # reading

    def view(self) -> View:
        """Functions with their tasks, and gateways."""
        return _asked(self._view)

    def _view(self) -> View:
        network = self._network_id()
        services = self._api.services()
        tasks = self._api.tasks(filters={"desired-state": "running"})
        by_service: dict[str, list[dict[str, Any]]] = {}
        for task in tasks:
            by_service.setdefault(task.get("ServiceID", ""), []).append(task)
        functions = {}
        gateways = {}
        for service in services:
            if service["Spec"]["Name"] == self._gateway_service:
                for task in _running(by_service.get(service["ID"], [])):
                    if host := _address(task, network):
                        gateways[task["ID"]] = host
            spec = function_spec(service)
            if spec is not None:
                deployed = self._deployed(service, spec, by_service.get(service["ID"], []), network)
                functions[spec.name] = deployed
        return View(functions, gateways)

    def get(self, name: str) -> Deployed | None:
        """One function, as it is now."""
        return _asked(lambda: self._get(name))

    def _get(self, name: str) -> Deployed | None:
        found = self._service(name)
        if found is None:
            return None
        service, spec = found
        tasks = self._api.tasks(filters={"service": service["ID"], "desired-state": "running"})
        return self._deployed(service, spec, tasks, self._network_id())

    def _deployed(
        self, service: dict[str, Any], spec: FunctionSpec, tasks: list[dict[str, Any]], network: str
    ) -> Deployed:
        wanted = wanted_replicas(service)
        listen = port(spec)
        up = [
            Task(task["ID"], host, listen, _milliseconds(task["Status"].get("Timestamp", "")))
            for task in _running(tasks)
            if (host := _address(task, network))
        ]
        up.sort(key=lambda task: task.id)
        error = "" if len(up) >= wanted else self._why_not(service, tasks)
        return Deployed(spec, wanted, _seconds(service["CreatedAt"]), tuple(up), error, autoscaled(service))

    def _why_not(self, service: dict[str, Any], tasks: list[dict[str, Any]]) -> str:
        """What the newest task that has something to say complains of."""
        paused = (service.get("UpdateStatus") or {}).get("State") == "paused"
        waiting = [task for task in tasks if task["Status"].get("Err")]
        if not waiting:
            ended = self._api.tasks(filters={"service": service["ID"], "desired-state": "shutdown"})
            version = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
            waiting = [
                task
                for task in ended
                if task["Status"]["State"] in _FAILED and task["Spec"]["ContainerSpec"]["Image"] == version
            ]
        if not waiting:
            return "the update is paused" if paused else ""
        newest = max(waiting, key=lambda task: task["Status"].get("Timestamp", ""))
        return str(newest["Status"].get("Err") or newest["Status"].get("Message") or newest["Status"]["State"])

    # changing

    def deploy(self, spec: FunctionSpec) -> None:
        """Creates the service, with the replicas of ``scale.min``.

        Raises:
            FunctionExistsError, InvalidFunctionError
        """
        _asked(lambda: self._deploy(spec), repeatable=False)

    def _deploy(self, spec: FunctionSpec) -> None:
        if self._service(spec.name) is not None:
            raise FunctionExistsError(f"function {spec.name} exists already; PUT changes it")
        wish = self._wish(spec, spec.scale.minimum)
        try:
            self._create(wish)
        except APIError as error:
            if error.status_code == 409:
                raise FunctionExistsError(
                    f"function {spec.name}: a service of that name exists already; PUT changes it if it is a function"
                ) from error
            raise

    def update(self, spec: FunctionSpec) -> None:
        """Changes the service; Swarm starts new replicas before it ends the old ones.

        Raises:
            FunctionNotFoundError, InvalidFunctionError
        """

        def change(service: dict[str, Any]) -> dict[str, Any]:
            scale = spec.scale
            wish = self._wish(spec, min(max(wanted_replicas(service), scale.minimum), scale.maximum))
            if mark := service["Spec"]["Labels"].get(AUTOSCALED_LABEL):
                wish["Labels"][AUTOSCALED_LABEL] = mark
            return wish

        self._change(spec.name, change)

    def scale(self, name: str, replicas: int, expected: int | None) -> bool:
        """Asks for a number of replicas; False when there were not ``expected`` any more, so that nothing was done.

        Args:
            expected: given by autoscalers, and only by them.

        Raises:
            FunctionNotFoundError, InvalidFunctionError
        """
        if not 0 <= replicas <= MAX_REPLICAS:
            raise InvalidFunctionError(f"replicas: found {replicas}, allowed: 0 to {MAX_REPLICAS}")

        def change(service: dict[str, Any]) -> dict[str, Any] | None:
            if expected is not None and wanted_replicas(service) != expected:
                return None
            wish = scaled_spec(service, replicas, by_autoscaler=expected is not None)
            return None if wish == service["Spec"] else wish

        return self._change(name, change)

    def delete(self, name: str) -> None:
        """Removes the service; its replicas finish what they have.

        Raises:
            FunctionNotFoundError
        """

        tried = False

        def remove() -> None:
            nonlocal tried
            found = self._service(name)
            if found is None and not tried:
                raise FunctionNotFoundError(f"function {name} not found")
            tried = True
            if found is not None:
                self._api.remove_service(found[0]["ID"])

        _asked(remove)

    def _change(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        def attempt() -> bool:
            for left in reversed(range(_ATTEMPTS)):
                service = self._existing(name)
                wish = change(service)
                if wish is None:
                    return False
                try:
                    self._update(service, wish)
                except APIError as error:
                    # Somebody else was quicker: look again at what it is now.
                    if left and "out of sequence" in str(error.explanation):
                        continue
                    raise
                return True
            raise AssertionError("unreachable")

        return _asked(attempt)

    def _create(self, wish: dict[str, Any]) -> None:
        self._api.create_service(
            task_template=wish["TaskTemplate"],
            name=wish["Name"],
            labels=wish["Labels"],
            mode=wish["Mode"],
            update_config=wish["UpdateConfig"],
            endpoint_spec=wish["EndpointSpec"],
        )

    def _update(self, service: dict[str, Any], wish: dict[str, Any]) -> None:
        self._api.update_service(
            service["ID"],
            version=service["Version"]["Index"],
            task_template=wish["TaskTemplate"],
            name=wish["Name"],
            labels=wish["Labels"],
            mode=wish["Mode"],
            update_config=wish.get("UpdateConfig"),
            endpoint_spec=wish.get("EndpointSpec"),
        )

    def _wish(self, spec: FunctionSpec, replicas: int) -> dict[str, Any]:
        port(spec)
        secrets = self._secrets(spec.secrets) if spec.secrets else {}
        return service_spec(spec, replicas, self._pinned(spec.image), self._network_id(), secrets, self._constraints)

    def _pinned(self, image: str) -> str:
        """The image by digest, so that every node and every later task takes the very same one.

        As it was given when the registry can't be asked: a node may have it, and if not, its task says so.
        """
        if "@" in image:
            return image
        try:
            # The engine asks the registry, with its own idea of mirrors and plain HTTP.
            answer = self._api._get(self._api._url("/distribution/{0}/json", image), timeout=_REGISTRY_TIMEOUT)
            if not answer.ok:
                return image
            digest = answer.json()["Descriptor"]["digest"]
        except (requests.RequestException, DockerException, KeyError, ValueError):
            return image
        repository, tag = parse_repository_tag(image)
        return f"{repository}:{tag or 'latest'}@{digest}"

    # looking up

    def _service(self, name: str) -> tuple[dict[str, Any], FunctionSpec] | None:
        for service in self._api.services(filters={"name": name}):
            if service["Spec"]["Name"] == name:
                spec = function_spec(service)
                return None if spec is None else (service, spec)
        return None

    def _existing(self, name: str) -> dict[str, Any]:
        found = self._service(name)
        if found is None:
            raise FunctionNotFoundError(f"function {name} not found")
        return found[0]

    def _network_id(self) -> str:
        if not self._network:
            found = self._api.networks(filters={"label": "openfaas=true", "driver": "overlay"})
            if len(found) != 1:
                names = ", ".join(network["Name"] for network in found) or "none"
                raise ProviderError(f"overlay networks labelled openfaas=true: found {names}, allowed: exactly one")
            self._network = str(found[0]["Id"])
        return self._network

    def _secrets(self, names: tuple[str, ...]) -> dict[str, str]:
        known = {
            secret["Spec"]["Name"]: secret["ID"]
            for secret in self._api.secrets()
            # Those of the platform itself are not for functions.
            if PART_LABEL not in (secret["Spec"].get("Labels") or {})
        }
        for name in names:
            if name not in known:
                raise InvalidFunctionError(
                    f"secrets: found {name!r}, allowed: {', '.join(sorted(known)) or 'none: there are none'}"
                )
        return {name: known[name] for name in names}

    def events(self) -> Iterator[dict[str, Any]]:
        """Changes of services, nodes and networks as they happen, until the engine ends.

        Raises:
            ProviderError
        """
        try:
            yield from self._api.events(decode=True, filters={"type": ["service", "node", "network"]})
        except (DockerException, requests.RequestException, OSError) as error:
            raise ProviderError(f"Docker's events ended: {error}") from error

    def forget(self) -> None:
        """The network may be another one."""
        self._network = ""

    def close(self) -> None:
        """Ends all connections."""
        self._api.close()


def _from_env() -> Any:
    return docker.from_env(version="auto", timeout=_TIMEOUT).api


def _asked(question: Callable[[], _T], repeatable: bool = True) -> _T:
    """The answer, with Docker's errors as ours; a repeatable question is asked again when the connection breaks: it may
    be one that the engine has closed since it was used last."""
    try:
        try:
            return question()
        except requests.ConnectionError:
            if not repeatable:
                raise
            return question()
    except APIError as error:
        text = str(error.explanation or error)
        if error.status_code == 400 or "invalid argument" in text.lower() or "InvalidArgument" in text:
            raise InvalidFunctionError(f"Swarm refuses: {text}") from error
        raise ProviderError(f"Swarm refuses: {text}") from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise ProviderError(f"the manager's Docker engine does not answer: {error}") from error


def _running(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [task for task in tasks if task["Status"]["State"] == "running"]


def _address(task: dict[str, Any], network: str) -> str:
    for attachment in task.get("NetworksAttachments") or []:
        if attachment["Network"]["ID"] == network and attachment.get("Addresses"):
            return str(attachment["Addresses"][0]).partition("/")[0]
    return ""


def _parsed(text: str) -> datetime | None:
    # Docker writes nanoseconds, Python reads microseconds.
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?", text)
    if match is None:
        return None
    fraction = (match.group(2) or "0")[:6].ljust(6, "0")
    return datetime.strptime(f"{match.group(1)}.{fraction}+0000", "%Y-%m-%dT%H:%M:%S.%f%z")


def _milliseconds(text: str) -> int:
    moment = _parsed(text)
    return 0 if moment is None else int(moment.timestamp() * 1000)


def _seconds(text: str) -> str:
    moment = _parsed(text)
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
