"""Build images and push them, several at once; runs on the machine that builds, with its standard library alone.

Reads one JSON object from standard input: ``bundle`` (a tar of build contexts, themselves
tars; removed afterwards), ``lock`` (a file),
``parallel`` (0: one for each processor)
and ``timeout`` (seconds for one build or push), ``images``: a list of ``name``, ``member`` (its context in
the bundle), ``image`` (``registry/repository:tag``) and ``arguments`` of ``docker build``. Prints what was built.

Images of the same Containerfile share their first layers, which the engine finds again only once they are finished: so
these are built one after the other, different ones side by side.
"""

import fcntl
import io
import json
import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LAST_WORDS = 15


class Failure(Exception):
    """An image could not be built or pushed; says which, and the command's last words."""


def run(image, what, command, timeout, stdin=None):
    """One command; fails with its last lines."""
    # Debian's docker has no buildx, so no BuildKit.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"{image['name']}: {what} took more than {timeout} s (functions_build_timeout)") from None
    if done.returncode:
        words = done.stdout.decode(errors="replace").strip().splitlines()[-LAST_WORDS:]
        raise Failure("\n".join([f"{image['name']}: {what} failed:", *words]))


def build(images, contexts, timeout):
    """Images that share layers, in their order."""
    for image in images:
        command = ["docker", "build", "--tag", image["image"], "--file", "Containerfile", *image["arguments"], "-"]
        run(image, "docker build", command, timeout, contexts[image["name"]])
        run(image, "docker push", ["docker", "push", "--quiet", image["image"]], timeout)


def read(bundle, images):
    """The contexts by name, and the images in groups of one Containerfile."""
    contexts, groups = {}, {}
    with tarfile.open(bundle) as outer:
        for image in images:
            contexts[image["name"]] = outer.extractfile(image["member"]).read()
    for image in images:
        with tarfile.open(fileobj=io.BytesIO(contexts[image["name"]])) as inner:
            recipe = inner.extractfile("Containerfile").read()
        groups.setdefault((recipe, *image["arguments"]), []).append(image)
    return contexts, list(groups.values())


def main():
    order = json.load(sys.stdin)
    with Path(order["lock"]).open("w") as lock:
        # Two runs of the playbook, or one that begins early: nothing is built twice at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            contexts, groups = read(order["bundle"], order["images"])
        finally:
            Path(order["bundle"]).unlink()
        failures = []
        with ThreadPoolExecutor(order["parallel"] or os.cpu_count()) as pool:
            for future in [pool.submit(build, group, contexts, order["timeout"]) for group in groups]:
                try:
                    future.result()
                except Failure as error:
                    failures.append(str(error))
        if failures:
            sys.exit("\n".join(failures))
    print(json.dumps([image["image"] for image in order["images"]]))  # noqa: T201


main()
