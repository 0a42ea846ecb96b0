#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: openfaas_function
short_description: Deploy, scale or remove an OpenFaaS function and wait until it is so
version_added: 0.1.0
description:
  - Brings a function into a state through the gateway's API, on whatever orchestrator runs below it.
  - Waits until the function answers and exactly the wanted number of replicas is up. A platform that silently makes it
    another number, such as the Community Edition's five, is an error.
author:
  - The faas.exp authors
options:
  name:
    description: Name of the function, C(service) in OpenFaaS's API.
    type: str
    required: true
  state:
    description:
      - V(present) deploys it, or updates it when anything of its definition differs.
      - V(absent) removes it and waits until no replica is left.
      - V(scaled) changes the number of replicas of a function that exists.
    type: str
    choices: [present, absent, scaled]
    default: present
  stack_file:
    description: An OpenFaaS stack file on the machine that runs the module, which defines the function.
    type: path
  image:
    description: Image of the function; wins over the one in O(stack_file).
    type: str
  environment:
    description: Environment variables, laid over those of O(stack_file).
    type: dict
    default: {}
  secret_environment:
    description: More environment variables, whose values are never shown.
    type: dict
    default: {}
  labels:
    description: Labels, laid over those of O(stack_file), for example C(com.openfaas.scale.min).
    type: dict
    default: {}
  annotations:
    description: Annotations, laid over those of O(stack_file).
    type: dict
    default: {}
  fprocess:
    description: Command of the function; wins over the one in O(stack_file).
    type: str
  secrets:
    description: Names of secrets of the platform that the function may read.
    type: list
    elements: str
    default: []
  constraints:
    description: Placement constraints.
    type: list
    elements: str
    default: []
  limits:
    description: Limits such as C(memory) and C(cpu).
    type: dict
    default: {}
  requests:
    description: Reservations such as C(memory) and C(cpu).
    type: dict
    default: {}
  replicas:
    description:
      - The exact number of replicas that must be up. Required with O(state=scaled), where V(0) is allowed.
      - Left out with O(state=present), at least one must be up.
    type: int
  recreate:
    description: With O(state=present), remove a function of that name first, so that every replica is fresh.
    type: bool
    default: false
  probe:
    description: A request that must be answered with a 2xx status before the function counts as ready.
    type: dict
    suboptions:
      path:
        description: Path of the request; left out, C(/function/<name>).
        type: str
      method:
        description: Method of the request.
        type: str
        default: POST
      data:
        description: Body of the request.
        type: str
      headers:
        description: More headers.
        type: dict
        default: {}
  wait:
    description: Wait until the state is reached.
    type: bool
    default: true
  timeout:
    description: How many seconds to wait.
    type: float
    default: 300.0
extends_documentation_fragment:
  - faas.exp.gateway
attributes:
  check_mode:
    description: Says what would be done.
    support: full
  diff_mode:
    description: Shows image, labels, environment (secrets masked) and replicas.
    support: full
"""

EXAMPLES = r"""
- name: Ten replicas of a function, no autoscaling
  faas.exp.openfaas_function:
    gateway_url: http://gateway.openfaas.local
    gateway_password: "{{ openfaas_password }}"
    name: gofunction
    stack_file: experiments/functions/gofunction/stack.yml
    labels:
      com.openfaas.scale.min: "10"
      com.openfaas.scale.max: "10"
    replicas: 10
    probe: {}

- name: Scale to zero
  faas.exp.openfaas_function:
    gateway_url: http://gateway.openfaas.local
    gateway_password: "{{ openfaas_password }}"
    name: warmfunction
    state: scaled
    replicas: 0

- name: Remove it
  faas.exp.openfaas_function:
    gateway_url: http://gateway.openfaas.local
    gateway_password: "{{ openfaas_password }}"
    name: gofunction
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: [deploy gofunction]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import (
    GATEWAY_ARGUMENTS,
    gateway_from,
    run_module,
)


def deployment_from(params: dict[str, Any]) -> dict[str, Any]:
    """The deploy call's body from a stack file, from the module's own options, or both."""
    from pathlib import Path

    from faas_exp.errors import ConfigError
    from faas_exp.stackfile import StackFunction, load_stack

    name, stack_file = params["name"], params["stack_file"]
    if stack_file:
        stack = load_stack(stack_file)
        if name not in stack:
            raise ConfigError(stack_file, "functions", f"no function {name!r}", "one of " + ", ".join(stack))
        function = stack[name]
    elif params["image"]:
        function = StackFunction(name=name, image=params["image"], path=Path())
    else:
        raise ConfigError("openfaas_function", "image", "neither image nor stack_file", "one of them")
    environment = {k: str(v) for k, v in {**params["environment"], **params["secret_environment"]}.items()}
    labels = {k: str(v) for k, v in params["labels"].items()}
    body = function.deployment(environment, labels, params["image"])
    body["annotations"].update({k: str(v) for k, v in params["annotations"].items()})
    if params["fprocess"]:
        body["envProcess"] = params["fprocess"]
    for key in ("secrets", "constraints", "limits", "requests"):
        if params[key]:
            body[key] = params[key]
    return body


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GATEWAY_ARGUMENTS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "scaled"], "default": "present"},
            "stack_file": {"type": "path"},
            "image": {"type": "str"},
            "environment": {"type": "dict", "default": {}},
            "secret_environment": {"type": "dict", "default": {}, "no_log": True},
            "labels": {"type": "dict", "default": {}},
            "annotations": {"type": "dict", "default": {}},
            "fprocess": {"type": "str"},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "constraints": {"type": "list", "elements": "str", "default": []},
            "limits": {"type": "dict", "default": {}},
            "requests": {"type": "dict", "default": {}},
            "replicas": {"type": "int"},
            "recreate": {"type": "bool", "default": False},
            "probe": {
                "type": "dict",
                "options": {
                    "path": {"type": "str"},
                    "method": {"type": "str", "default": "POST"},
                    "data": {"type": "str"},
                    "headers": {"type": "dict", "default": {}},
                },
            },
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 300.0},
        },
        required_if=[("state", "scaled", ("replicas",))],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> dict[str, Any]:
        from faas_exp import deploy
        from faas_exp.errors import ConfigError
        from faas_exp.openfaas import Probe

        gateway, name, check = gateway_from(module), params["name"], module.check_mode
        replicas, timeout, probe = params["replicas"], params["timeout"], None
        if replicas is not None and (replicas < 0 or (replicas == 0 and params["state"] == "present")):
            raise ConfigError("openfaas_function", "replicas", str(replicas), "at least 1 (0 with state=scaled)")
        if params["probe"] is not None:
            given = params["probe"]
            headers = tuple((k, str(v)) for k, v in given["headers"].items())
            probe = Probe(given["path"] or f"/function/{name}", given["method"].upper(), given["data"], headers)
        if params["state"] == "absent":
            change = deploy.absent(gateway, name, timeout=timeout, check=check)
        elif params["state"] == "scaled":
            change = deploy.scaled(gateway, name, replicas, probe=probe, timeout=timeout, check=check)
        else:
            change = deploy.present(
                gateway,
                deployment_from(params),
                key=params["gateway_password"],
                replicas=replicas,
                probe=probe,
                recreate=params["recreate"],
                wait=params["wait"],
                timeout=timeout,
                check=check,
            )
        diff = {"before": change.before, "after": change.after, "before_header": name, "after_header": name}
        return {"changed": change.changed, "actions": change.actions, "diff": diff}

    run_module(module, work)


if __name__ == "__main__":
    main()
