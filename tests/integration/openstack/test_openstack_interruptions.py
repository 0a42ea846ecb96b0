"""Killed anywhere, answers lost anywhere, overload anywhere: the next run completes, and nothing is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

from openstacklab import Lab

# Every kind of thing, and as few of each as there can be.
FEW: dict[str, Any] = {"services": ("bastion",), "counts": {"manager_count": 1, "worker_count": 0}}
CREATIONS = (
    "ports",
    "networks",
    "subnets",
    "routers",
    "security-groups",
    "floatingips",
    "servers",
    "os-keypairs",
    "os-server-groups",
)


def _kill_after(lab: Lab, number: int, what: str = "ensure") -> tuple[int, str]:
    """Run in a process that is killed when the service has carried out its ``number``-th change and it hasn't heard.

    Returns:
        how it ended, and what it said.
    """
    lab.faults.reset()
    pids: list[int] = []

    def kill(seen: int, text: str) -> bool:
        if seen == number:
            os.kill(pids[0], signal.SIGKILL)
        return seen >= number

    process: subprocess.Popen[str] = lab.child(what, **FEW)
    pids.append(process.pid)
    lab.faults.after = kill
    output, _ = process.communicate()
    lab.faults.quiet()
    lab.faults.reset()
    return process.returncode, output


def test_killed_at_ten_points_and_run_again(lab: Lab) -> None:
    lab.ensure(**FEW)
    whole = lab.shape()
    lab.teardown()
    # Each run gets a little further than the one before: through all of the creation, two changes at a time.
    for _ in range(10):
        status, output = _kill_after(lab, 2)
        assert status == -signal.SIGKILL, output
    lab.ensure(**FEW)
    assert lab.shape() == whole
    assert lab.ensure(**FEW).changes == []
    # And out again.
    for number in (1, 3, 3):
        status, output = _kill_after(lab, number, "teardown")
        assert status == -signal.SIGKILL, output
    lab.teardown()
    assert lab.found().all == []


def test_every_lost_answer_is_looked_up_not_asked_again(lab: Lab) -> None:
    lost: set[str] = set()

    def lose(number: int, text: str) -> bool:
        # The first of each kind; the same request again gets through.
        kind = text.rsplit("/", 1)[-1]
        first = text.startswith("POST") and kind in CREATIONS and kind not in lost
        lost.update([kind] if first else [])
        return first

    lab.faults.after = lose
    made = lab.ensure(**FEW)
    assert lost == set(CREATIONS)
    posts = [text.rsplit("/", 1)[-1] for text in lab.faults.seen if text.startswith("POST")]
    assert {
        kind: posts.count(kind) for kind in ("networks", "subnets", "routers", "ports", "floatingips", "os-keypairs")
    } == dict.fromkeys(("networks", "subnets", "routers", "ports", "floatingips", "os-keypairs"), 1)
    assert posts.count("servers") == len(made.machines)
    lab.faults.reset()
    assert lab.ensure(**FEW).changes == []


def test_overload_is_waited_out(lab: Lab) -> None:
    # Every other change is refused at first, with both of overload's answers.
    lab.faults.refuse = lambda number, text: (0, 503, 0, 429)[number % 4]
    lab.ensure(**FEW)
    lab.faults.reset()
    assert lab.ensure(**FEW).changes == []
    lab.faults.refuse = lambda number, text: (0, 503, 0, 429)[number % 4]
    lab.teardown()
