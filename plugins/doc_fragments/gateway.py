"""Documentation of the options that name an OpenFaaS gateway."""

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by the modules that talk to a gateway."""

    DOCUMENTATION = r"""
options:
  gateway_url:
    description: The gateway, or the load balancer in front of it, for example V(http://gateway.openfaas.local).
    type: str
    required: true
  gateway_user:
    description: User name for basic authentication.
    type: str
    default: admin
  gateway_password:
    description: Password for basic authentication.
    type: str
    default: ''
  gateway_host:
    description: C(Host) header, when O(gateway_url) is the address of a load balancer which routes by name.
    type: str
requirements:
  - faas-exp (this collection's Python package) in the interpreter that runs the module
"""
