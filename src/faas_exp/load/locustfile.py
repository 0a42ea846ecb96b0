"""The same users for a ``locust`` command started by hand, with workers on several machines if need be.

    locust -f …/faas_exp/load/locustfile.py --headless -u 50 -r 50 --faas-spec @spec.json --faas-out DIR
        [--master --expect-workers 2 | --processes 2]
    locust -f …/faas_exp/load/locustfile.py --worker --master-host HOST

``spec.json`` holds the fields of ``LoadSpec``; the workers get it from their master. ``users`` and ``processes`` are
Locust's to say here (``-u``, ``--processes``). One command makes one run. ``run_load`` does without this file: Locust's
own way of starting and stopping workers counts in whole seconds.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Any

import gevent
import locust
from locust.runners import MasterRunner, WorkerRunner

from faas_exp.errors import FaasExpError, LoadError
from faas_exp.load.client import Target
from faas_exp.load.outcome import outcome
from faas_exp.load.output import run_files
from faas_exp.load.run import resolve
from faas_exp.load.session import Session, session_of
from faas_exp.load.spec import LoadSpec
from faas_exp.load.tickets import LocalTickets
from faas_exp.load.together import DONE, ROWS, Collector, send_rows
from faas_exp.load.user import FunctionUser

__all__ = ["FunctionUser"]

_log = logging.getLogger("faas_exp.load")


def _arguments(parser: Any) -> None:
    group = parser.add_argument_group("faas-exp")
    group.add_argument("--faas-spec", type=_spec_text, help="fields of LoadSpec as JSON, or @FILE")
    group.add_argument("--faas-out", default=".", help="folder for requests.csv and stats.json")


def _prepare(environment: Any, runner: Any, **_: Any) -> None:
    environment.events.test_start.add_listener(_attach)
    environment.events.spawning_complete.add_listener(lambda **_: _begin(environment))
    if isinstance(runner, WorkerRunner):
        return
    options = environment.parsed_options
    if options.faas_spec is None:
        sys.exit("--faas-spec is needed: fields of LoadSpec as JSON, or @FILE")
    spec = _spec(environment)
    environment.host = environment.host or spec.url
    workers = options.expect_workers if isinstance(runner, MasterRunner) else 1
    collector = Collector(spec, workers)
    if isinstance(runner, MasterRunner):
        runner.register_message(ROWS, collector.on_rows)
        runner.register_message(DONE, collector.on_done)
    environment.faas_exp_collector = collector
    gevent.spawn(_conclude, environment, collector, options.faas_out)


def _spec_text(argument: str) -> str:
    """The JSON that an argument is or names, checked: Locust goes on for a while after errors in later stages."""
    try:
        text = Path(argument[1:]).read_text(encoding="utf-8") if argument.startswith("@") else argument
        LoadSpec(**json.loads(text))
    except (OSError, ValueError, TypeError, FaasExpError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _spec(environment: Any) -> LoadSpec:
    options = environment.parsed_options
    return replace(LoadSpec(**json.loads(options.faas_spec)), users=int(options.num_users or 1))


def _attach(environment: Any, **_: Any) -> None:
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        return
    spec = _spec(environment)
    workers, index = 1, 0
    if isinstance(runner, WorkerRunner):
        workers, index = environment.parsed_options.expect_workers, runner.worker_index
    # A worker more than expected has users, but no tickets for them.
    total = spec.number_of_requests if index < workers else 0
    family, address = resolve(spec)
    session = Session(spec, Target(family, address), LocalTickets(total, index, workers), index, workers)
    session.attach(environment)


def _begin(environment: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        return
    session_of(environment).begin(perf_counter_ns(), time_ns() - perf_counter_ns())
    gevent.spawn(_finish, environment)


def _finish(environment: Any) -> None:
    session = session_of(environment)
    runner = environment.runner
    in_time = runner.user_greenlets.join(timeout=session.spec.duration)
    facts = {**session.finish(), "stopped": "" if in_time else "duration", "locust": locust.__version__}
    if isinstance(runner, WorkerRunner):
        send_rows(runner, session, facts)
    else:
        environment.faas_exp_collector.add_rows(session.rows.dump(), session.wall_ns_at_zero)
        environment.faas_exp_collector.add_facts(facts)


def _conclude(environment: Any, collector: Collector, folder: str) -> None:
    """Wait for everybody, write the files, end Locust. Its exit code says whether there was a run: failed requests are
    data here."""
    environment.process_exit_code = 1
    spec = collector.spec
    try:
        with run_files(Path(folder), spec.number_of_requests, spec.name) as files:
            _wait(environment.runner, collector)
            zero = collector.wall_ns_at_zero or 0
            stats = outcome(spec, collector.rows, collector.facts, zero, None)
            files.write(collector.rows, stats, spec.name, zero)
        environment.process_exit_code = 0
    except FaasExpError as error:
        _log.error("%s", error)
    environment.runner.quit()


def _wait(runner: Any, collector: Collector) -> None:
    seen = 0
    while not collector.complete.wait(timeout=1):
        if isinstance(runner, MasterRunner):
            seen = max(seen, runner.worker_count)
            if runner.worker_count < seen and len(collector.facts) < collector.workers:
                raise LoadError(f"a Locust worker is gone: {runner.worker_count} of {seen} left")


_events: Any = locust.events
_events.init_command_line_parser.add_listener(_arguments)
_events.init.add_listener(_prepare)
