"""``python -m faas_exp.gateway.providers.swarm``: the agent that serves gateways on a manager, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from faas_exp.errors import FaasExpError, PlatformError
from faas_exp.gateway import log
from faas_exp.gateway.providers.swarm.agent import Agent
from faas_exp.gateway.providers.swarm.engine import Engine
from faas_exp.gateway.providers.swarm.wire import tls_context


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faas_exp.gateway.providers.swarm", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8079, help="port, 0 for any (default: %(default)s)")
    parser.add_argument("--certificate", type=Path, required=True, help="shown to gateways, and asked of them")
    parser.add_argument("--key", type=Path, required=True, help="its key")
    parser.add_argument("--docker", help="URL of the manager's engine (default: DOCKER_HOST, or the local socket)")
    parser.add_argument("--gateway-service", default="openfaas_gateway", help="the gateways (default: %(default)s)")
    parser.add_argument(
        "--constraint",
        action="append",
        default=[],
        help="where functions run that don't say it themselves, e.g. node.role==worker; may be repeated",
    )
    return parser.parse_args(argv)


async def _serve(arguments: argparse.Namespace) -> None:
    tls = tls_context(arguments.certificate, arguments.key, server=True)
    engine = Engine(arguments.docker, arguments.gateway_service, tuple(arguments.constraint))
    agent = Agent(engine)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    try:
        port = await agent.start(arguments.host, arguments.port, tls)
    except OSError as error:
        raise PlatformError(f"can't listen on {arguments.host}:{arguments.port}: {error.strerror}") from error
    log.event("serving", host=arguments.host, port=port)
    await stop.wait()
    await agent.close()
    log.event("stopped")


def main(argv: list[str] | None = None) -> int:
    """Runs the agent.

    Returns:
        the process's exit code: 0 after a signal, 1 when it could not start.
    """
    arguments = _arguments(argv)
    log.set_up()
    try:
        uvloop.run(_serve(arguments))
    except FaasExpError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that a user reads
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
