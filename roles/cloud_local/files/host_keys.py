"""Ask machines that are containers for their SSH host keys; prints one JSON object, address to key.

Over Docker's own channel, so nobody in between can answer. All at once, and one process for all of them: each waits for
its machine's first boot. Arguments: seconds to wait, then ``container=address``…
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import docker
from docker.errors import APIError, NotFound

KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
PAUSE = 0.2


def ask(client: docker.DockerClient, container: str, deadline: float) -> str:
    """The key of one machine.

    Raises:
        TimeoutError: it has none in time.
    """
    said = ""
    while time.monotonic() < deadline:
        try:
            # The pause: an exec that ends at once can lose its output on the way (seen with Docker 20.10).
            answer = client.containers.get(container).exec_run(["sh", "-c", f"cat {KEY}; sleep 0.3"])
            said = answer.output.decode(errors="replace").strip()
        except NotFound as error:
            raise TimeoutError(f"{container}: {error.explanation}") from None
        except APIError as error:
            said = str(error.explanation)
        # Written in one go, but what is half there has no comment yet.
        if said.startswith("ssh-ed25519 ") and len(said.split()) == 3:
            return said
        time.sleep(PAUSE)
    raise TimeoutError(f"{container}: has no host key yet: {said or 'no answer'}; see docker logs {container}")


def main() -> None:
    patience, *machines = sys.argv[1:]
    pairs = dict(machine.split("=", 1) for machine in machines)
    client = docker.from_env()
    deadline = time.monotonic() + float(patience)
    with ThreadPoolExecutor(max(1, len(pairs))) as pool:
        asked = {address: pool.submit(ask, client, name, deadline) for name, address in pairs.items()}
    try:
        print(json.dumps({address: answer.result() for address, answer in asked.items()}))  # noqa: T201
    except TimeoutError as error:
        sys.exit(f"host_keys: {error}")


main()
