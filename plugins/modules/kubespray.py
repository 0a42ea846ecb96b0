#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: kubespray
short_description: Make a Kubernetes cluster of machines with Kubespray
version_added: 0.2.0
description:
  - Runs Kubespray's cluster playbook on the controller, in a Python environment with the Ansible that it asks
    for. While it runs, the number of tasks done is shown.
  - It always starts Kubespray; whether that is needed is asked with O(state=planned) and the cluster.
author:
  - The faas.exp authors
options:
  state:
    description: V(planned) only returns the hash of what would be made; V(present) makes it.
    type: str
    choices: [planned, present]
    default: present
  masters:
    description: Control machines, 1, 3 or 5; each with C(name), C(address) among nodes, C(host) from here.
    type: list
    elements: dict
    required: true
  workers:
    description: Machines that run pods, likewise.
    type: list
    elements: dict
    required: true
  login:
    description: Ansible's variables for the way to the machines.
    type: dict
    default: {}
  kube_version:
    description: Version of Kubernetes; empty is Kubespray's own default.
    type: str
    default: ""
  network_plugin:
    description: Kubespray's network plugin.
    type: str
    default: calico
  proxy_mode:
    description: How nodes spread a Service's requests.
    type: str
    default: iptables
  plain_registries:
    description: Registries spoken to in plain HTTP, as host:port.
    type: list
    elements: str
    default: []
  files_repo:
    description: URL of a mirror of files.
    type: str
    default: ""
  registry_host:
    description: Mirror of image registries.
    type: str
    default: ""
  variables:
    description: More of Kubespray's own variables; they win.
    type: dict
    default: {}
  directory:
    description: Checkout of Kubespray; empty is a clone.
    type: str
    default: ""
  repository:
    description: Git repository that is cloned.
    type: str
    required: true
  tag:
    description: Tag that is cloned.
    type: str
    required: true
  cache:
    description: Where clone and environment are kept.
    type: path
    required: true
  python:
    description: Python that the environment is made with.
    type: path
    required: true
  log:
    description: File that takes what Kubespray prints.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Only says that it would be made.
"""

EXAMPLES = r"""
- name: Make the cluster
  faas.exp.kubespray:
    masters: [{name: k8s-master-1, address: 10.0.2.31, host: 10.0.2.31}]
    workers: [{name: k8s-worker-1, address: 10.0.2.51, host: 10.0.2.51}]
    login: {ansible_user: debian}
    repository: https://github.com/kubernetes-sigs/kubespray.git
    tag: v2.31.0
    cache: .cache/kubespray
    python: /usr/bin/python3
    log: kubespray.log
"""

RETURN = r"""
fingerprint:
  description: Hash of all that the cluster is made from.
  type: str
  returned: always
summary:
  description: Tasks done, and in what time.
  type: str
  returned: when Kubespray ran
log:
  description: File with all that Kubespray printed.
  type: str
  returned: when Kubespray ran
"""
