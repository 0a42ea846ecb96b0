"""A copy of one kind of objects, kept by a list and then by watching what changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from faas_exp.errors import FaasExpError
from faas_exp.gateway import log
from faas_exp.gateway.provider import ProviderError
from faas_exp.gateway.providers.k8s.api import GoneError, K8sApi

_AGAIN = 0.5
_LIMIT = 500

Object = dict[str, Any]


class Reflector:
    """Follows the objects behind one path.

    Reading happens in a thread of its own; ``objects`` is only touched on the event loop.

    Args:
        api: of the cluster.
        path: of the objects.
        selector: by their labels.
        changed: called on the event loop with every object that changed, with None when all may have.

    Attributes:
        objects: by name.
    """

    def __init__(self, api: K8sApi, path: str, selector: str, changed: Callable[[Object | None], None]) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop
        self._closed = threading.Event()
        self.objects: dict[str, Object] = {}

    async def start(self) -> None:
        """Returns when the first list has come.

        Raises:
            ProviderError, FaasExpError: Kubernetes refuses or can't be reached.
        """
        self._loop = asyncio.get_running_loop()
        objects, version = await asyncio.to_thread(self._list, self._selector)
        self._replace(objects)
        # It waits for the next change without end, and must not keep the process alive over it.
        threading.Thread(target=self._follow, args=(version,), daemon=True, name=f"watch {self._path}").start()

    def close(self) -> None:
        """Takes nothing over any more."""
        self._closed.set()

    async def look(self, selector: str, function: Callable[[Object], bool]) -> None:
        """Takes over what Kubernetes says now: the objects of ``selector``, which are those that ``function`` accepts.

        What the watch knows in a newer version stays as it is.

        Raises:
            FaasExpError: as ``K8sApi.call``.
        """
        found, version = await asyncio.to_thread(self._list, selector)
        for item in found:
            self._put(item)
        present = {item["metadata"]["name"] for item in found}
        for name, item in list(self.objects.items()):
            if name not in present and function(item) and _version(item) <= _number(version):
                del self.objects[name]

    def _put(self, item: Object) -> None:
        name = item["metadata"]["name"]
        known = self.objects.get(name)
        if known is None or known["metadata"]["uid"] != item["metadata"]["uid"] or _version(item) >= _version(known):
            self.objects[name] = item

    def _replace(self, objects: list[Object]) -> None:
        if self._closed.is_set():
            return
        self.objects = {item["metadata"]["name"]: item for item in objects}
        self._changed(None)

    def _take(self, event: dict[str, Any]) -> None:
        if self._closed.is_set():
            return
        item = event["object"]
        if event["type"] == "DELETED":
            known = self.objects.get(item["metadata"]["name"])
            if known is not None and known["metadata"]["uid"] == item["metadata"]["uid"]:
                del self.objects[item["metadata"]["name"]]
        else:
            self._put(item)
        self._changed(item)

    # in the thread

    def _list(self, selector: str) -> tuple[list[Object], str]:
        objects: list[Object] = []
        more = ""
        while True:
            query: tuple[tuple[str, Any], ...] = (("labelSelector", selector), ("limit", _LIMIT))
            answer = self._api.call("GET", self._path, query=(*query, ("continue", more)) if more else query)
            objects += answer["items"]
            more = answer["metadata"].get("continue", "")
            if not more:
                return objects, str(answer["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        known: str | None = version
        silent = False
        while not self._closed.is_set():
            try:
                if known is None:
                    objects, known = self._list(self._selector)
                    self._tell(self._replace, objects)
                for event in self._api.watch(self._path, self._selector, known):
                    if self._closed.is_set():
                        return
                    known = str(event["object"]["metadata"]["resourceVersion"])
                    if event["type"] != "BOOKMARK":
                        self._tell(self._take, event)
                if silent:
                    log.event("Kubernetes answers again", path=self._path)
                    silent = False
            except GoneError:
                known = None
            except RuntimeError:
                # Our loop has ended.
                return
            except Exception as error:  # the watch must outlive any fault; requests go on by what is known
                if not silent and not self._closed.is_set():
                    log.trouble("Kubernetes can't be watched", path=self._path, error=_text(error))
                silent = True
                if not isinstance(error, ProviderError):
                    known = None
                self._closed.wait(_AGAIN)

    def _tell(self, what: Callable[[Any], None], news: Any) -> None:
        self._loop.call_soon_threadsafe(what, news)


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, FaasExpError) else f"{type(error).__name__}: {error}"


def _version(item: Object) -> int:
    return _number(str(item["metadata"].get("resourceVersion", "")))


def _number(version: str) -> int:
    # Opaque by the API's old rules; a number on every server there is, and comparable by the rules since 1.35.
    return int(version) if version.isdigit() else 0
