"""A load process: a Locust environment with a local runner, told what to do over standard input.

Speaks lines of JSON. In: the job, then ``{"start_ns": …}``. Out: ``{"ready": …}``, then ``{"done": …}``; the rows go
into a descriptor it inherited. Not meant to be started by hand: ``run_load`` does, and ``locustfile.py`` is for
``locust``.
"""

from __future__ import annotations

import locust  # isort: skip  (patches the standard library; must come before anything that holds on to it)

import gc
import os
import resource
import sys
from time import perf_counter_ns
from typing import Any

import gevent
from locust.env import Environment

from faas_exp.load.client import Target
from faas_exp.load.orphan import die_with_parent
from faas_exp.load.pipe import lines, say
from faas_exp.load.rows import put
from faas_exp.load.session import Session
from faas_exp.load.spec import LoadSpec
from faas_exp.load.tickets import LocalTickets, SharedTickets, Tickets
from faas_exp.load.user import FunctionUser


def raise_file_limit() -> None:
    """As many sockets as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tickets(job: dict[str, Any], spec: LoadSpec) -> Tickets:
    fd = job["tickets_fd"]
    return LocalTickets(spec.number_of_requests) if fd is None else SharedTickets(spec.number_of_requests, fd)


def main() -> int:
    messages = lines(0)
    job = next(messages)
    die_with_parent(job["parent"])
    raise_file_limit()
    spec = LoadSpec.from_json(job["spec"])
    target = Target(job["family"], tuple(job["address"]))
    session = Session(spec, target, _tickets(job, spec), job["process"], job["processes"])
    users = len(range(job["process"], spec.users, job["processes"]))

    environment = Environment(user_classes=[FunctionUser], host=spec.url, catch_exceptions=False)
    session.attach(environment)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    while session.waiting < users and not session.failure:
        gevent.sleep(0)
    # What exists now stays: the collector need not look at it in the middle of the run.
    gc.collect()
    gc.freeze()
    say({"ready": users})
    start = next(messages)
    session.begin(start["start_ns"], start["wall_ns_at_zero"])
    left = None if spec.duration is None else start["start_ns"] / 1e9 + spec.duration - perf_counter_ns() / 1e9
    in_time = runner.user_greenlets.join(timeout=left)
    facts = session.finish()
    runner.quit()
    facts["stopped"] = "" if in_time else "duration"
    facts["rows"] = put(session.rows, job["rows_fd"])
    facts["locust"] = locust.__version__
    say({"done": facts})
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Nothing is left to tidy up, and the interpreter takes its time to find that out.
    os._exit(code)
