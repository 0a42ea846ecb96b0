"""The plan of machines: stable, checked, the same on every cloud."""

from __future__ import annotations

import pytest

from faas_exp.machines import MAX_GENERATORS, MAX_WORKERS, MachinePlanError, plan

COUNTS = {
    "swarm": {"manager_count": 3, "worker_count": 2},
    "nomad": {"servers_count": 3, "clients_count": 2},
    "k8s": {"master_count": 3, "worker_count": 2},
}


def test_swarm_names_groups_and_order():
    machines = plan("swarm", counts={"manager_count": 1, "worker_count": 2}, subnet_cidr="198.18.0.0/24")
    assert [(one.name, one.groups, one.address) for one in machines] == [
        ("bastion", ("bastion", "registry"), "198.18.0.4"),
        ("haproxy", ("haproxy",), "198.18.0.5"),
        ("ftp", ("ftp",), "198.18.0.6"),
        ("docker-swarm-manager-1", ("swarm_control",), "198.18.0.11"),
        ("docker-swarm-worker-1", ("swarm_workers",), "198.18.0.51"),
        ("docker-swarm-worker-2", ("swarm_workers",), "198.18.0.52"),
    ]


def test_three_clusters_of_full_size_share_a_network_without_a_clash():
    addresses: dict[str, str] = {}
    for orchestrator, counts in COUNTS.items():
        full = {key: 5 if value == 3 else MAX_WORKERS for key, value in counts.items()}
        full["load_generator_count"] = MAX_GENERATORS
        for machine in plan(orchestrator, counts=full, subnet_cidr="198.18.0.0/24"):
            assert addresses.setdefault(str(machine.address), machine.name) == machine.name
    assert len(addresses) == 3 + (MAX_GENERATORS - 1) + 3 * (5 + MAX_WORKERS)
    assert "198.18.0.255" not in addresses


def test_the_bastion_is_the_first_load_generator():
    counts = {"manager_count": 1, "worker_count": 2, "load_generator_count": 3}
    machines = plan("swarm", counts=counts, subnet_cidr="198.18.0.0/24")
    assert [(one.name, one.address) for one in machines if one.role == "load_generators"] == [
        ("load-generator-2", "198.18.0.36"),
        ("load-generator-3", "198.18.0.37"),
    ]


@pytest.mark.parametrize("orchestrator", sorted(COUNTS))
def test_growing_leaves_the_machines_there_are(orchestrator: str):
    small = plan(orchestrator, counts=COUNTS[orchestrator], subnet_cidr="10.0.2.0/24")
    large = plan(
        orchestrator, counts=COUNTS[orchestrator] | {"worker_count": 7, "clients_count": 7}, subnet_cidr="10.0.2.0/24"
    )
    assert set(small) < set(large)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orchestrator": "mesos"}, "inputs: orchestrator: found 'mesos', allowed: swarm, nomad, k8s"),
        ({"counts": {"manager_count": 2, "worker_count": 2}}, "inputs: manager_count: found 2, allowed: 1, 3 or 5"),
        ({"counts": {"manager_count": 0, "worker_count": 2}}, "inputs: manager_count: found 0, allowed: 1, 3 or 5"),
        ({"counts": {"manager_count": 1, "worker_count": -1}}, "inputs: worker_count: found -1, allowed: zero or more"),
        ({"counts": {"manager_count": 1, "worker_count": 61}}, "inputs: worker_count: found 61, allowed: 0 to 60"),
        (
            {"counts": {"manager_count": "one", "worker_count": 1}},
            "inputs: manager_count: found 'one', allowed: a whole",
        ),
        (
            {"counts": {"manager_count": 1, "worker_count": 1, "load_generator_count": 0}},
            "inputs: load_generator_count: found 0, allowed: 1 to 16",
        ),
        (
            {"counts": {"manager_count": 1, "worker_count": 1, "load_generator_count": 17}},
            "inputs: load_generator_count: found 17, allowed: 1 to 16",
        ),
        ({"counts": {"manager_count": 1}}, "inputs: worker_count: found None, allowed: a whole number"),
        ({"services": ("dns",)}, "inputs: services: found 'dns', allowed: bastion, haproxy, ftp"),
        ({"subnet_cidr": "198.18.0.0/25"}, "inputs: subnet_cidr: found '198.18.0.0/25', allowed: an IPv4 network"),
        ({"subnet_cidr": "office"}, "inputs: subnet_cidr: found 'office', allowed: an IPv4 network"),
    ],
)
def test_bad_input_is_one_clear_line(change: dict[str, object], message: str):
    arguments = {"orchestrator": "swarm", "counts": COUNTS["swarm"]} | change
    with pytest.raises(MachinePlanError) as caught:
        plan(arguments.pop("orchestrator"), **arguments)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_test_of_one_service_needs_no_cluster():
    machines = plan("swarm", counts={"manager_count": 0, "worker_count": 0}, services=("ftp",))
    assert [one.name for one in machines] == ["ftp"]
    assert machines[0].address is None
