"""The k8s provider's own parts: the objects made of a function, and what the cluster's objects say.

What Kubernetes itself does with them is tested on a real cluster (tools/test-k8s).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from faas_exp.errors import ConfigError
from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError
from faas_exp.gateway.providers.k8s import manifests, view
from faas_exp.gateway.providers.k8s.reflector import Reflector
from faas_exp.gateway.providers.k8s.settings import K8sSettings

SPEC = FunctionSpec(
    name="hello",
    image="registry:5000/hello@sha256:0",
    env_process="./run",
    environment={"greeting": "$(HOSTNAME) costs $5, or $$6", "write_timeout": "5s"},
    labels={"com.openfaas.scale.min": "2", "any": "thing that is no label of Kubernetes"},
    annotations={"topic": "x"},
    constraints=("disk = ssd", "zone != a"),
    secrets=("token",),
    limits={"memory": "64Mi", "cpu": "250m"},
    requests={"memory": "", "cpu": "100m"},
    read_only_root_filesystem=True,
)


def made(spec: FunctionSpec = SPEC, replicas: int = 2, native_sleep: bool = False) -> dict[str, Any]:
    return manifests.deployment(spec, replicas, "abc", ("pull",), native_sleep)


def pod(name: str, instance: str = "abc", **status: Any) -> dict[str, Any]:
    labels = {"faas_function": "hello", "faas.exp/instance": instance}
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}, "status": status}


def running(started: str = "2026-01-01T00:00:01Z") -> dict[str, Any]:
    return {"containerStatuses": [{"name": "function", "state": {"running": {"startedAt": started}}}]}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "function", "state": state, **more}]}


def endpoints(*pods: str, **conditions: Any) -> dict[str, Any]:
    entries = [
        {"addresses": [f"10.0.0.{place}"], "conditions": conditions, "targetRef": {"name": name}}
        for place, name in enumerate(pods, 1)
    ]
    return {
        "metadata": {"name": "hello-x", "labels": {"kubernetes.io/service-name": "hello"}},
        "endpoints": entries,
        "ports": [{"port": 9000}],
    }


def seen(pods: list[dict[str, Any]], *slices: dict[str, Any], replicas: int = 2) -> view.Deployed:
    found = view.deployed(made(replicas=replicas), {one["metadata"]["name"]: one for one in pods}, list(slices))
    assert found is not None
    return found


# a function as objects


def test_what_is_deployed_comes_back_as_it_was() -> None:
    assert manifests.function_spec(made()) == SPEC
    assert manifests.wanted_replicas(made(replicas=7)) == 7
    own = replace(SPEC, environment={"fprocess": "other"})
    assert manifests.function_spec(made(own)) == own
    assert manifests.function_spec({"metadata": {"name": "theirs"}}) is None


def test_the_environment_stands_in_no_annotation_and_is_not_filled_in() -> None:
    found = made()
    assert "HOSTNAME" not in str(found["metadata"])
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "greeting", "value": "$$(HOSTNAME) costs $$5, or $$$$6"} in container["env"]
    assert container["env"][-1]["name"] == "REPLICA_ID"
    assert container["env"][-1]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_a_pod_gets_no_account_no_links_and_time_to_finish() -> None:
    found = made()["spec"]["template"]["spec"]
    assert found["automountServiceAccountToken"] is False
    assert found["enableServiceLinks"] is False
    assert found["terminationGracePeriodSeconds"] == 7
    assert found["imagePullSecrets"] == [{"name": "pull"}]
    container = found["containers"][0]
    assert container["resources"] == {"limits": {"memory": "64Mi", "cpu": "250m"}, "requests": {"cpu": "100m"}}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    assert container["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "1"]}}}
    newer = made(native_sleep=True)["spec"]["template"]["spec"]["containers"][0]
    assert newer["lifecycle"] == {"preStop": {"sleep": {"seconds": 1}}}
    terms = found["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [
        {
            "matchExpressions": [
                {"key": "disk", "operator": "In", "values": ["ssd"]},
                {"key": "zone", "operator": "NotIn", "values": ["a"]},
            ]
        }
    ]


def test_labels_that_change_replace_no_pod() -> None:
    other = replace(SPEC, labels={"com.openfaas.scale.max": "9"}, annotations={})
    assert made(other)["spec"]["template"] == made()["spec"]["template"]
    assert made(other)["metadata"] != made()["metadata"]


def test_who_asked_for_the_number_is_kept_beside_it() -> None:
    found = made(replicas=6)
    assert not manifests.autoscaled(found)
    found["metadata"]["annotations"]["faas.exp/autoscaled"] = "6"
    assert manifests.autoscaled(found)
    found["spec"]["replicas"] = 7
    assert not manifests.autoscaled(found), "somebody else has changed it since"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"environment": {"PORT": "http"}}, "envVars.PORT: found 'http'"),
        ({"constraints": ("ssd",)}, "constraints: found 'ssd'"),
    ],
)
def test_what_can_not_be_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidFunctionError, match=says):
        made(replace(SPEC, **change))


# what the cluster's objects say


def test_ready_pods_of_this_deployment_are_replicas() -> None:
    ended = pod("ended", **running())
    ended["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    pods = [pod("a", **running()), pod("b", **running()), pod("old", "other", **running()), ended]
    found = seen(pods, endpoints("a", "old", "ended", "unknown", ready=True), endpoints("b", ready=False))
    assert [(task.id, task.host, task.port) for task in found.tasks] == [("a", "10.0.0.1", 9000)]
    assert found.tasks[0].started_ms == 1767225601000
    unsaid = seen(pods, endpoints("a"))
    assert len(unsaid.tasks) == 1, "ready where nothing is said"
    assert not seen(pods, endpoints("a", ready=True, terminating=True)).tasks


def test_of_two_addresses_the_older_kind_counts() -> None:
    six = endpoints("a", ready=True) | {"addressType": "IPv6"}
    six["endpoints"][0]["addresses"] = ["fd00::1"]
    four = endpoints("a", ready=True) | {"addressType": "IPv4"}
    for slices in ((six, four), (four, six)):
        assert [task.host for task in seen([pod("a", **running())], *slices).tasks] == ["10.0.0.1"]


def test_an_image_that_is_not_there_is_named() -> None:
    found = seen([pod("a", **waiting("ErrImagePull", "registry/nothing: not found")), pod("b", **running())])
    assert found.error == "ErrImagePull: registry/nothing: not found"
    starting = seen([pod("a", **waiting("ContainerCreating"))])
    assert starting.error == ""


def test_a_function_that_ends_at_once_is_named() -> None:
    ended = waiting("CrashLoopBackOff", "back-off 10s", lastState={"terminated": {"exitCode": 3}})
    assert seen([pod("a", **ended)]).error == "CrashLoopBackOff, exit code 3: back-off 10s"


def test_replicas_that_do_not_fit_are_counted() -> None:
    placed = {"conditions": [{"type": "PodScheduled", "status": "True"}]}
    not_placed = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient cpu"}]}
    pods = [pod("a", **placed), pod("b", **placed), pod("c", **not_placed)]
    assert seen(pods, replicas=3).error == "2 of 3 replicas fit the cluster: 0/2 nodes: Insufficient cpu"
    refused = made(replicas=3)
    refused["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]}
    found = view.deployed(refused, {"a": pods[0]}, [])
    assert found is not None
    assert found.error == "1 of 3 replicas were let in: exceeded quota"


def test_only_ready_gateways_are_peers() -> None:
    def gateway(ready: str, **more: Any) -> dict[str, Any]:
        status = {"phase": "Running", "podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": ready}], **more}
        return {"metadata": {"name": "g"}, "status": status}

    assert view.gateways({"g": gateway("True")}) == {"g": "10.0.0.9"}
    assert view.gateways({"g": gateway("False")}) == {}
    assert view.gateways({"g": gateway("True", podIP=None)}) == {}


# following


class _Listed:
    """Stands for the API where only lists are asked for."""

    def __init__(self, version: int, *names: str) -> None:
        items = [{"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}} for name in names]
        self.answer = {"items": items, "metadata": {"resourceVersion": str(version)}}

    def call(self, method: str, path: str, query: Any = ()) -> dict[str, Any]:
        return self.answer


def test_a_look_takes_nothing_back_that_the_watch_knows_better() -> None:
    api: Any = _Listed(10, "a", "b")
    reflector = Reflector(api, "/pods", "", lambda _: None)
    newer = {"metadata": {"name": "a", "uid": "a", "resourceVersion": "11"}, "newer": True}
    later = {"metadata": {"name": "later", "uid": "c", "resourceVersion": "12"}}
    gone = {"metadata": {"name": "gone", "uid": "d", "resourceVersion": "9"}}
    reflector.objects = {"a": newer, "later": later, "gone": gone}
    asyncio.run(reflector.look("", lambda _: True))
    assert set(reflector.objects) == {"a", "b", "later"}
    assert reflector.objects["a"] is newer


# settings


def test_settings_from_the_environment() -> None:
    found = K8sSettings.from_environment({"k8s_pod": "gateway-1", "k8s_image_pull_secrets": "one, two"})
    assert found == K8sSettings(k8s_pod="gateway-1", k8s_image_pull_secrets=("one", "two"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("function_namespace", "Not_A_Name"),
        ("k8s_gateway_port", "0"),
        ("k8s_gateway_selector", "app"),
        ("k8s_image_pull_secrets", "a b"),
    ],
)
def test_settings_that_can_not_be_are_named(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"environment: {key}: found '{value}'"):
        K8sSettings.from_environment({key: value})
