#!/usr/bin/python
# Copyright: the faas.exp authors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
module: locust_run
short_description: Make one load run with Locust
version_added: 0.1.0
description:
  - Sends exactly O(number_of_requests) HTTP requests with O(users) concurrent users and writes one row per request and
    the statistics into O(dest).
  - Failed requests are data and do not fail the task. A run that could not take place (name not found, disk full,
    Locust failed) does, and leaves no files.
  - The load generator judges itself; a run in which it, not the server, was the limit is marked void.
  - Every call makes a new run and replaces the one in O(dest). Whether a run is needed is decided elsewhere, see
    M(faas.exp.experiment_run).
  - Ends itself and its load processes when the command that started it is gone.
requirements:
  - faas-exp[load] in the interpreter that runs the module
  - Linux
author:
  - The faas.exp authors
options:
  url:
    description: Base of the server, C(http://host[:port]).
    type: str
    required: true
  path:
    description: Path of the request, with a query string if wanted.
    type: str
    default: /
  method:
    description: HTTP method.
    type: str
    choices: [GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS]
    default: GET
  users:
    description:
      - Requests that may be under way at once.
      - Without O(rate), each user sends its next request when it has the answer to its last one. With it, this is the
        cap on concurrency.
    type: int
    default: 1
  number_of_requests:
    description: How many requests in all.
    type: int
    required: true
  data:
    description: Body of each request, sent as UTF-8.
    type: str
  headers:
    description: Headers of each request; values are never shown.
    type: dict
    default: {}
  param:
    description: Adds C(param=<n>) to each request's query string, n a random whole number.
    type: dict
    suboptions:
      min:
        description: Lowest n.
        type: int
        required: true
      max:
        description: Highest n.
        type: int
        required: true
  seed:
    description: Of the random numbers. The same seed gives each user the same sequence.
    type: int
    default: 0
  rate:
    description:
      - Requests per second. Requests start by this schedule, whatever the answers do, and latencies count from the
        intended start.
      - Left out, the users send as fast as the answers come.
    type: float
  arrivals:
    description: Gaps of the schedule; C(poisson) draws them from an exponential distribution.
    type: str
    choices: [constant, poisson]
    default: constant
  duration:
    description: Seconds after which a run that is not done is ended and marked void.
    type: float
  processes:
    description: Processes that make the load, a number or V(auto).
    type: str
    default: "1"
  timeout:
    description: Seconds that a request may take.
    type: float
    default: 310.0
  label:
    description: Name of the requests in the rows; left out, method and path.
    type: str
  http_host:
    description: C(Host) header, when O(url) holds an address.
    type: str
  dest:
    description: Folder for C(requests.csv) and C(stats.json); made when missing.
    type: path
    required: true
  calibration:
    description: File written by C(faas-exp calibrate); what it says is put into the statistics.
    type: path
attributes:
  check_mode:
    description: Checks the arguments and says what would be run.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: 5,000 requests by 15 users
  faas.exp.locust_run:
    url: http://gateway.openfaas.local
    path: /function/nodefunction
    method: POST
    users: 15
    number_of_requests: 5000
    dest: results/swarm/nodefunction/1
  register: load

- name: Was it the server that was measured?
  ansible.builtin.assert:
    that: not load.stats.void
    fail_msg: "{{ load.stats.void_reasons | join('; ') }}"

- name: 200 requests per second, whatever the server does, with at most 100 under way
  faas.exp.locust_run:
    url: http://198.51.100.7:8080
    http_host: gateway.openfaas.local
    path: /function/fibfunction
    param: {min: 1, max: 20}
    seed: 7
    rate: 200
    users: 100
    number_of_requests: 6000
    duration: 60
    headers:
      Authorization: "Basic {{ (user ~ ':' ~ password) | b64encode }}"
    dest: /srv/results/open-loop
"""

RETURN = r"""
stats:
  description: The statistics, as in C(stats.json); see docs/load.md of the collection.
  returned: when a run was made
  type: dict
  sample:
    count: 5000
    errors: 0
    error_pct: 0.0
    responseCodes: {"200": 5000}
    elapsed_ms: {min: 1.1, mean: 2.4, p50: 2.2, p90: 3.1, p95: 3.6, p99: 5.2, p99.9: 9.8, max: 21.4}
    throughput: 6120.4
    void: false
    void_reasons: []
files:
  description: The files written.
  returned: when a run was made
  type: list
  elements: str
summary:
  description: The run in one line.
  returned: success
  type: str
  sample: 5000 requests, 0 failed, median 2.20 ms, 6120 requests/s
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.faas.exp.plugins.module_utils.science import hide_values, run_module, summarize_stats

ARGUMENTS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "path": {"type": "str", "default": "/"},
    "method": {
        "type": "str",
        "choices": ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"],
        "default": "GET",
    },
    "users": {"type": "int", "default": 1},
    "number_of_requests": {"type": "int", "required": True},
    "data": {"type": "str"},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "param": {
        "type": "dict",
        "options": {"min": {"type": "int", "required": True}, "max": {"type": "int", "required": True}},
    },
    "seed": {"type": "int", "default": 0},
    "rate": {"type": "float"},
    "arrivals": {"type": "str", "choices": ["constant", "poisson"], "default": "constant"},
    "duration": {"type": "float"},
    "processes": {"type": "str", "default": "1"},
    "timeout": {"type": "float", "default": 310.0},
    "label": {"type": "str"},
    "http_host": {"type": "str"},
    "dest": {"type": "path", "required": True},
    "calibration": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def work() -> dict[str, Any]:
        from pathlib import Path

        from faas_exp.lifeline import hold
        from faas_exp.load import LoadSpec, run_load
        from faas_exp.load.calibration import read_calibration

        values = {key: value for key, value in module.params.items() if key != "dest"}
        values["headers"] = hide_values(module, "headers")
        if values["param"] is not None:
            values["param"] = (values["param"]["min"], values["param"]["max"])
        if values["calibration"] is not None:
            values["calibration"] = Path(values["calibration"])
        if values["processes"].isdigit():
            values["processes"] = int(values["processes"])
        spec = LoadSpec(**values)
        dest = Path(module.params["dest"])
        if module.check_mode:
            if spec.calibration is not None:
                read_calibration(spec.calibration)
            pace = f" at {spec.rate:g} requests/s" if spec.rate is not None else ""
            what = f"{spec.number_of_requests} requests {spec.name} to {spec.url} by {spec.users} users{pace}"
            return {"changed": True, "summary": f"would send {what} and write {dest}"}
        hold()
        stats = run_load(spec, dest).to_dict()
        files = [str(dest / name) for name in ("requests.csv", "stats.json")]
        return {"changed": True, "summary": summarize_stats(stats), "stats": stats, "files": files}

    run_module(module, work)


if __name__ == "__main__":
    main()
