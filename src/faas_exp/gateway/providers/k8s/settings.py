"""Where a gateway finds Kubernetes, from environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faas_exp.errors import ConfigError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
_SELECTOR = re.compile(r"[\w./-]+=[\w.-]+\Z")


@dataclass(frozen=True)
class K8sSettings:
    """Each field is read from the environment variable of its name.

    Attributes:
        function_namespace: where functions run.
        k8s_gateway_namespace: where gateways run.
        k8s_gateway_selector: the label by which gateways are known there.
        k8s_gateway_port: where the gateways reach each other.
        k8s_pod: name of the pod that this gateway is, "" when it is none.
        k8s_kubeconfig: how to reach the cluster; None: as the pod that this gateway is.
        k8s_image_pull_secrets: secrets of ``function_namespace`` that nodes show to registries.
    """

    function_namespace: str = "openfaas-fn"
    k8s_gateway_namespace: str = "openfaas"
    k8s_gateway_selector: str = "app=gateway"
    k8s_gateway_port: int = 8080
    k8s_pod: str = ""
    k8s_kubeconfig: Path | None = None
    k8s_image_pull_secrets: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, source: Mapping[str, str]) -> K8sSettings:
        """Reads the variables.

        Raises:
            ConfigError: one can't be understood.
        """
        names = {}
        for key, default in (("function_namespace", "openfaas-fn"), ("k8s_gateway_namespace", "openfaas")):
            names[key] = source.get(key, "") or default
            if not _NAME.match(names[key]):
                raise ConfigError("environment", key, repr(names[key]), "a namespace's name: a-z, 0-9 and -")
        selector = source.get("k8s_gateway_selector", "") or "app=gateway"
        if not _SELECTOR.match(selector):
            raise ConfigError("environment", "k8s_gateway_selector", repr(selector), "label=value")
        port = source.get("k8s_gateway_port", "") or "8080"
        if not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
            raise ConfigError("environment", "k8s_gateway_port", repr(port), "1 to 65535")
        secrets = tuple(filter(None, (part.strip() for part in source.get("k8s_image_pull_secrets", "").split(","))))
        for secret in secrets:
            if not _NAME.match(secret):
                raise ConfigError("environment", "k8s_image_pull_secrets", repr(secret), "names of secrets")
        kubeconfig = source.get("k8s_kubeconfig", "")
        return cls(
            **names,
            k8s_gateway_selector=selector,
            k8s_gateway_port=int(port),
            k8s_pod=source.get("k8s_pod", ""),
            k8s_kubeconfig=Path(kubeconfig) if kubeconfig else None,
            k8s_image_pull_secrets=secrets,
        )
