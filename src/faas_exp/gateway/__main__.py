"""``python -m faas_exp.gateway``: serves until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import uvloop

from faas_exp import __version__
from faas_exp.errors import FaasExpError, PlatformError
from faas_exp.gateway import credentials, log, processes
from faas_exp.gateway.app import Gateway, raise_file_limit
from faas_exp.gateway.instance import Instance, InstanceLock
from faas_exp.gateway.providers import NAMES, create
from faas_exp.gateway.settings import names, read_settings


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faas_exp.gateway", description=__doc__)
    parser.add_argument("--provider", required=True, help=f"where replicas run: {', '.join(NAMES)}")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on, 0 for any (default: %(default)s)")
    parser.add_argument("--state-dir", type=Path, required=True, help="keeps deployments, credentials, logs")
    parser.add_argument("--functions-dir", type=Path, help="holds the functions' folders (provider process)")
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args(argv)


async def _serve(arguments: argparse.Namespace) -> None:
    state_dir = arguments.state_dir.absolute()
    functions_dir = arguments.functions_dir.absolute() if arguments.functions_dir else None
    settings = read_settings()
    provider = create(arguments.provider, settings, state_dir, functions_dir)
    with InstanceLock(state_dir) as lock:
        raise_file_limit()
        keys = None
        if settings.basic_auth:
            folder = Path(settings.secret_mount_path) if settings.secret_mount_path else state_dir / "secrets"
            keys = credentials.ensure(folder)
        gateway = Gateway(settings, provider, keys)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stop.set)
        try:
            port = await gateway.start(arguments.host, arguments.port)
        except OSError as error:
            owner = processes.listener(arguments.port)
            taken = f": {owner} listens there" if owner else ""
            where = f"{arguments.host}:{arguments.port}"
            raise PlatformError(f"can't listen on {where}{taken or f': {error.strerror}'}") from error
        environment = {name: os.environ[name] for name in names() if os.environ.get(name)}
        functions = str(functions_dir) if functions_dir else ""
        me = processes.identify(os.getpid())
        assert me is not None  # noqa: S101 - we run
        # What was made so far lives as long as we do: no need to look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        lock.write(Instance(me, arguments.provider, arguments.host, port, functions, environment))
        log.event("serving", host=arguments.host, port=port, provider=arguments.provider, version=__version__)
        await stop.wait()
        log.event("stopping")
        await gateway.close()
        lock.clear()
        log.event("stopped")


def main(argv: list[str] | None = None) -> int:
    """Runs a gateway.

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
