"""Machines of one role stand on different racks where AWS has them, never more than seven in a spread group."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from awslab import Lab
from ec2placement import MOST
from strictec2 import Fault

from faas_exp.errors import FaasExpError

CLUSTER: dict[str, Any] = {"services": ("bastion",), "counts": {"manager_count": 1, "worker_count": 2}}
CONTROL, WORKERS = "trial-swarm_control-1", "trial-swarm_workers-1"


def groups(lab: Lab) -> Counter[str]:
    """How many machines were started in each group; the empty one holds those that were started anywhere."""
    return Counter(one.params.get("Placement.GroupName", "") for one in lab.strict.changes("RunInstances"))


def test_machines_of_a_role_share_a_spread_group(lab: Lab) -> None:
    made = lab.ensure(**CLUSTER)
    assert groups(lab) == {CONTROL: 1, WORKERS: 2, "": 1}
    assert {one.params["Strategy"] for one in lab.strict.changes("CreatePlacementGroup")} == {"spread"}
    assert f"create placement group {WORKERS} (spread)" in made.changes
    assert lab.ensure(**CLUSTER, placement="strict").changes == []
    assert lab.teardown() > 0
    assert lab.strict.rules.placement.groups == {}
    assert [one.error for one in lab.strict.calls if one.error] == []


def test_seven_in_a_group_and_those_that_are_there_stay_where_they_are(lab: Lab) -> None:
    lab.ensure(services=("bastion",), counts={"manager_count": 1, "worker_count": MOST})
    assert groups(lab) == {CONTROL: 1, WORKERS: MOST, "": 1}
    lab.ensure(services=("bastion",), counts={"manager_count": 1, "worker_count": MOST + 2})
    assert groups(lab) == {CONTROL: 1, WORKERS: MOST, "trial-swarm_workers-2": 2, "": 1}
    assert [one.error for one in lab.strict.calls if one.error] == []


def test_no_rack_left(lab: Lab) -> None:
    """Soft: the machine is started all the same, and the run says so. Strict: the run fails, and says what to do."""
    few: dict[str, Any] = {"services": ("bastion",), "counts": {"manager_count": 1, "worker_count": 0}}
    lab.ensure(services=("bastion",), counts={})
    full = Fault("RunInstances", code="InsufficientInstanceCapacity")
    lab.strict.faults.append(full)
    with pytest.raises(FaasExpError, match=r"docker-swarm-manager-1 .*InsufficientInstanceCapacity.*run it again"):
        lab.ensure(**few, placement="strict")
    full.times = 1
    made = lab.ensure(**few)
    assert [one for one in made.changes if one.endswith("not on a rack of its own, AWS has none free")] != []
    assert groups(lab)[CONTROL] == 0
    assert lab.ensure(**few).notes == []
    (note,) = lab.ensure(**few, placement="strict").notes
    assert f"is not in placement group {CONTROL}: delete it to have it made anew" in note
    # None free at all is no matter of racks.
    lab.strict.faults.append(Fault("RunInstances", code="InsufficientInstanceCapacity", times=2))
    with pytest.raises(FaasExpError, match="InsufficientInstanceCapacity"):
        lab.ensure(services=("bastion",), counts={"manager_count": 1, "worker_count": 1})


def test_none_asks_for_nothing(lab: Lab) -> None:
    lab.ensure(**CLUSTER, placement="none")
    assert groups(lab) == {"": 4}
    assert lab.strict.changes("CreatePlacementGroup") == []


def test_a_group_of_somebody_else_s(lab: Lab) -> None:
    lab.ensure(**CLUSTER)
    theirs = lab.strict.rules.placement.groups[WORKERS]
    theirs.tags.clear()
    lab.strict.calls.clear()
    with pytest.raises(
        FaasExpError, match=f"env_name: found 'trial', allowed: another name .a placement group {WORKERS}"
    ):
        lab.ensure(**CLUSTER)
    assert lab.strict.changes() == []


def test_a_server_that_knows_no_placement_groups(servers: Any, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's own, for one, which then answers with a page for people."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", servers[0])
    sizes: dict[str, Any] = {"sizes": {}}
    made = lab.ensure(**CLUSTER, **sizes)
    assert [one for one in made.changes if "placement group" in one] == []
    assert lab.ensure(**CLUSTER, **sizes).changes == []
    with pytest.raises(FaasExpError, match=r"cloud_aws_placement: found 'strict', allowed: soft, none .this server"):
        lab.ensure(**CLUSTER, **sizes, placement="strict")
    assert lab.teardown() > 0
    assert lab.shape() == []
