"""Kubernetes's API through its official client; every call blocks, so the provider makes them in threads.

Objects stay what the wire has: the client's classes cost a gateway more time than all else that it does with a watch.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from faas_exp.errors import FaasExpError
from faas_exp.gateway.model import InvalidFunctionError
from faas_exp.gateway.provider import ProviderError
from faas_exp.gateway.providers.k8s.settings import K8sSettings

_TIMEOUT = 20
_ATTEMPTS = 2
_CONNECT_TIMEOUT = 5
# A watch that says nothing for longer has lost its server: it is asked to end by itself before.
_WATCH_SECONDS = 30
_WATCH_GRACE = 5
_CONNECTIONS = 16
# From this minor version on a container's hooks know the action `sleep`.
_NATIVE_SLEEP = (1, 30)


class NotFoundError(FaasExpError):
    """Kubernetes has no such object."""


class ConflictError(FaasExpError):
    """The object exists already, or has changed since it was read."""


class GoneError(FaasExpError):
    """What a watch should go on from is too long ago."""


class K8sApi:
    """Calls of one cluster.

    Args:
        settings: where it is.

    Raises:
        ProviderError: there is no way to it.
    """

    def __init__(self, settings: K8sSettings) -> None:
        configuration = client.Configuration()
        try:
            if settings.k8s_kubeconfig is None:
                config.load_incluster_config(client_configuration=configuration)
            else:
                config.load_kube_config(str(settings.k8s_kubeconfig), client_configuration=configuration)
        except (ConfigException, OSError) as error:
            source = settings.k8s_kubeconfig or "the pod's own account"
            raise ProviderError(f"no way to Kubernetes by {source}: {error}") from error
        configuration.retries = urllib3.Retry(total=2, connect=2, read=0, redirect=0, status=0, other=0)
        configuration.connection_pool_maxsize = _CONNECTIONS
        self._client = client.ApiClient(configuration)
        self.host = str(configuration.host)
        self.native_sleep = False
        self.slices = "/apis/discovery.k8s.io/v1"

    def learn(self) -> None:
        """What this cluster can do.

        Raises:
            ProviderError
        """
        version = self.call("GET", "/version")
        numbers = tuple(int("".join(c for c in version[part] if c.isdigit()) or 0) for part in ("major", "minor"))
        self.native_sleep = numbers >= _NATIVE_SLEEP
        group = self.call("GET", "/apis/discovery.k8s.io")
        if not any(known["version"] == "v1" for known in group["versions"]):
            self.slices = "/apis/discovery.k8s.io/v1beta1"

    def call(self, method: str, path: str, body: Any = None, query: tuple[tuple[str, Any], ...] = ()) -> Any:
        """One call.

        Returns:
            the answer's JSON.

        Raises:
            NotFoundError, ConflictError, InvalidFunctionError: 404, 409, 400 and 422.
            ProviderError: anything else.
        """
        headers = {"Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        # What changes nothing may be asked again, of another API server if there are several.
        for left in reversed(range(_ATTEMPTS if method == "GET" else 1)):
            try:
                return self._client.call_api(
                    path,
                    method,
                    query_params=list(query),
                    header_params=dict(headers),
                    body=body,
                    auth_settings=["BearerToken"],
                    response_type="object",
                    _return_http_data_only=True,
                    _request_timeout=(_CONNECT_TIMEOUT, _TIMEOUT),
                )
            except ApiException as error:
                raise _meaning(error) from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if not left:
                    raise ProviderError(f"Kubernetes does not answer at {self.host}: {_reason(error)}") from error
        raise AssertionError("unreachable")

    def watch(self, path: str, selector: str, version: str) -> Iterator[dict[str, Any]]:
        """Changes since ``version`` as they happen, for a while.

        Raises:
            GoneError: list again.
            ProviderError
        """
        query = [
            ("watch", "true"),
            ("labelSelector", selector),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(_WATCH_SECONDS)),
        ]
        try:
            response = self._client.call_api(
                path,
                "GET",
                query_params=query,
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(_CONNECT_TIMEOUT, _WATCH_SECONDS + _WATCH_GRACE),
            )
            try:
                yield from _events(response)
            finally:
                response.close()
                response.release_conn()
        except ApiException as error:
            raise _meaning(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ProviderError(f"the watch of {path} broke off: {_reason(error)}") from error

    def close(self) -> None:
        """Ends all connections."""
        self._client.rest_client.pool_manager.clear()


def _events(response: Any) -> Iterator[dict[str, Any]]:
    rest = b""
    for chunk in response.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(None, lines):
            try:
                event = json.loads(line)
            except ValueError:
                raise ProviderError("Kubernetes's watch is not understood") from None
            if event["type"] == "ERROR":
                status = event["object"]
                if status.get("code") == 410:
                    raise GoneError(str(status.get("message")))
                raise ProviderError(f"Kubernetes's watch failed: {status.get('message')}")
            yield event


def _meaning(error: ApiException) -> FaasExpError:
    text = str(error.reason)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(error.body)["message"]
    match error.status:
        case 404:
            return NotFoundError(text)
        case 409:
            return ConflictError(text)
        case 410:
            return GoneError(text)
        case 400 | 422:
            return InvalidFunctionError(f"Kubernetes refuses: {text}")
        case 401 | 403:
            return ProviderError(f"Kubernetes does not allow it: {text}")
    return ProviderError(f"Kubernetes answers {error.status}: {text}")


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    return str(inner or error)
