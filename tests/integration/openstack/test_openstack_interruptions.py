"""Killed anywhere, answers lost anywhere, overload anywhere: the next run completes, and nothing is there twice."""

from __future__ import annotations

import re
import signal
import threading
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


# In the order in which they are made, and unmade.
MAKING = (
    "POST .*/os-keypairs",
    "POST .*/networks",
    "POST .*/subnets",
    "POST .*/routers",
    "PUT .*/add_router_interface",
    "POST .*/security-groups",
    "POST .*/security-group-rules",
    "POST .*/os-server-groups",
    "POST .*/ports",
    "POST .*/floatingips",
    "POST .*/servers",
    "PUT .*/tags/.*",
)
UNMAKING = (
    "DELETE .*/floatingips/.*",
    "DELETE .*/servers/.*",
    "DELETE .*/ports/.*",
    "PUT .*/remove_router_interface",
    "DELETE .*/networks/.*",
    "DELETE .*/security-groups/.*",
)


def _kill_at(lab: Lab, point: str, what: str) -> None:
    """Run in a process that is killed when the service has carried out such a change and it hasn't heard of it."""
    lab.faults.reset()
    started = threading.Event()

    def kill(number: int, text: str) -> bool:
        if re.fullmatch(point, text):
            started.wait()
            process.kill()
        return False

    lab.faults.after = kill
    process = lab.child(what, **FEW)
    started.set()
    process.join()
    lab.faults.quiet()
    lab.faults.reset()
    assert process.exitcode == -signal.SIGKILL, f"{point}: {lab.output.read_text(encoding='utf-8')}"


def test_killed_at_every_step_and_run_again(lab: Lab) -> None:
    for point in MAKING:
        _kill_at(lab, point, "ensure")
    lab.ensure(**FEW)
    killed = lab.shape()
    assert lab.ensure(**FEW).changes == []
    for point in UNMAKING:
        _kill_at(lab, point, "teardown")
    lab.teardown()
    assert lab.found().all == []
    lab.ensure(**FEW)
    assert killed == lab.shape(), "as if nothing had happened"


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
    refused: set[str] = set()

    def refuse(number: int, text: str) -> int:
        # The first of each, with either of overload's answers.
        status = 0 if text in refused else (503, 429)[len(refused) % 2]
        refused.add(text)
        return status

    lab.faults.refuse = refuse
    lab.ensure(**FEW)
    lab.teardown()
    assert len(refused) > 30
    assert lab.found().all == []
