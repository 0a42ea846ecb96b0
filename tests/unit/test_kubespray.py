"""What Kubespray is given, and what is made of what it says. A run of a real one needs KUBESPRAY_DIR."""

from __future__ import annotations

import io
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faas_exp.errors import ConfigError, PlatformError
from faas_exp.kubespray import environment, plan
from faas_exp.kubespray.run import Course, run

MASTER = plan.Machine("k8s-master-1", "10.0.2.31", "10.0.2.31")
WORKERS = [plan.Machine(f"k8s-worker-{n}", f"10.0.2.5{n}", f"10.0.2.5{n}") for n in (1, 2)]
WISH = plan.Wish([MASTER], WORKERS, plain_registries=["10.0.2.4:5000"])
LOGIN = {"ansible_user": "debian", "ansible_ssh_common_args": "-F ssh_config"}


def test_inventory_has_kubesprays_groups() -> None:
    found = plan.inventory(WISH, LOGIN)["all"]
    assert found["hosts"]["k8s-worker-2"] == {"ansible_host": "10.0.2.52", "ip": "10.0.2.52", "access_ip": "10.0.2.52"}
    children = found["children"]
    assert list(children["kube_control_plane"]["hosts"]) == list(children["etcd"]["hosts"]) == ["k8s-master-1"]
    assert list(children["kube_node"]["hosts"]) == ["k8s-worker-1", "k8s-worker-2"]
    assert set(children["k8s_cluster"]["children"]) == {"kube_control_plane", "kube_node"}
    assert found["vars"]["ansible_user"] == "debian"
    assert found["vars"]["ansible_become"] is True


@pytest.mark.parametrize("count", [0, 2, 4, 6])
def test_a_number_of_masters_without_majority_is_refused(count: int) -> None:
    masters = [plan.Machine(f"m{n}", f"10.0.0.{n}", f"10.0.0.{n}") for n in range(count)]
    with pytest.raises(ConfigError, match=f"master_count: found {count}, allowed: 1, 3 or 5"):
        plan.inventory(replace(WISH, masters=masters), LOGIN)


def test_workers_and_names_are_checked() -> None:
    with pytest.raises(ConfigError, match="worker_count: found 0"):
        plan.inventory(replace(WISH, workers=[]), LOGIN)
    with pytest.raises(ConfigError, match="'k8s-master-1' twice"):
        plan.inventory(replace(WISH, workers=[MASTER]), LOGIN)


def test_mirrors_are_derived_from_ours() -> None:
    found = plan.variables(replace(WISH, files_repo="http://mirror/files/", registry_host="mirror:5000"))
    assert found["dl_k8s_io_url"] == "http://mirror/files/dl.k8s.io"
    assert found["github_url"] == "http://mirror/files/github.com"
    assert {found[f"{name}_image_repo"] for name in ("kube", "gcr", "github", "docker", "quay")} == {"mirror:5000"}
    plain = plan.variables(WISH)
    assert not [name for name in plain if name.endswith(("_url", "_repo"))], "the original places"
    assert plain["containerd_registries_mirrors"][0]["mirrors"][0]["host"] == "http://10.0.2.4:5000"


def test_version_plugin_and_proxy_are_kubesprays_and_ones_own_win() -> None:
    wish = replace(
        WISH, version="1.34.3", network_plugin="cni", proxy_mode="ipvs", more={"kube_proxy_mode": "nftables"}
    )
    found = plan.variables(wish)
    assert (found["kube_version"], found["kube_network_plugin"], found["kube_proxy_mode"]) == (
        "1.34.3",
        "cni",
        "nftables",
    )
    assert "kube_version" not in plan.variables(WISH), "Kubespray's own default"


def test_the_fingerprint_tells_what_would_be_another_cluster() -> None:
    first = plan.fingerprint(WISH, "v1")
    assert plan.fingerprint(plan.Wish([MASTER], WORKERS, plain_registries=["10.0.2.4:5000"]), "v1") == first
    others = [
        plan.fingerprint(WISH, "v2"),
        plan.fingerprint(replace(WISH, version="1.34.3"), "v1"),
        plan.fingerprint(replace(WISH, workers=WORKERS[:1]), "v1"),
    ]
    assert first not in others
    moved = [replace(one, host="203.0.113.1") for one in WORKERS]
    assert plan.fingerprint(replace(WISH, workers=moved), "v1") == first, "another way to the same machines"


# a run


def checkout(folder: Path, playbook: str) -> Path:
    (folder / "requirements.txt").write_text("")
    (folder / "ansible.cfg").write_text("[defaults]\n")
    (folder / "cluster.yml").write_text(playbook)
    return folder


PLAY = """
- hosts: kube_node
  gather_facts: false
  tasks:
    - name: Say something
      ansible.builtin.debug:
        msg: hello from {{ kube_proxy_mode }}
    - name: Fail where that is allowed
      ansible.builtin.command: "false"
      ignore_errors: true
    - name: Make the cluster
      ansible.builtin.fail:
        msg: no room for etcd
      when: inventory_hostname == 'k8s-worker-2' and broken | default(false)
"""


def played(folder: Path, log: Path, said: list[str], **variables: Any) -> Course:
    login = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    hosts = plan.inventory(replace(WISH, more=variables), login)
    return run(folder, Path(sys.executable).parent, hosts, log, said.append)


def test_a_run_counts_tasks_keeps_a_log_and_forgives_what_may_fail(tmp_path: Path) -> None:
    said: list[str] = []
    course = played(checkout(tmp_path, PLAY), tmp_path / "log" / "kubespray.log", said)
    assert course.tasks == 3
    assert said
    assert said[0].startswith("Kubespray: 1 tasks in ")
    assert said[0].endswith("now Say something")
    log = tmp_path / "log" / "kubespray.log"
    assert "hello from iptables" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_text_of_ansibles_own_kind_is_handed_on(tmp_path: Path) -> None:
    class Tagged(str):
        """As Ansible's own text is: a string that is more than one."""

    played(checkout(tmp_path, PLAY), tmp_path / "kubespray.log", [], kube_proxy_mode=Tagged("ipvs"))
    assert "hello from ipvs" in (tmp_path / "kubespray.log").read_text()


def test_a_failure_is_quoted_with_its_task_and_machine(tmp_path: Path) -> None:
    log = tmp_path / "kubespray.log"
    with pytest.raises(PlatformError) as caught:
        played(checkout(tmp_path, PLAY), log, [], broken=True)
    text = str(caught.value)
    assert "task 'Make the cluster' on k8s-worker-2: no room for etcd" in text
    assert str(log) in text


def test_of_a_loop_the_item_that_failed_is_quoted(tmp_path: Path) -> None:
    looped = PLAY.replace("        msg: no room for etcd\n", "        msg: no {{ item }}\n      loop: [disk]\n")
    assert looped != PLAY
    with pytest.raises(PlatformError, match="task 'Make the cluster' on k8s-worker-2: no disk"):
        played(checkout(tmp_path, looped), tmp_path / "kubespray.log", [], broken=True)


def test_words_come_now_and_then_only() -> None:
    said: list[str] = []
    course = Course(io.StringIO(), said.append)
    for number in range(50):
        course.event({"event": "playbook_on_task_start", "event_data": {"name": f"task {number}"}})
    assert course.tasks == 50
    assert len(said) == 1


# the checkout and what it asks for


def test_a_folder_that_is_no_kubespray_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=f"kubespray_dir: found {tmp_path} without cluster.yml"):
        environment.checkout(str(tmp_path), "", "", tmp_path / "cache")


def test_a_repository_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        environment.checkout("", str(tmp_path / "nothing"), "v1", tmp_path / "cache")
    assert "Kubespray v1 can't be cloned from" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()], "nothing half is left"


def test_the_environment_is_made_once(tmp_path: Path) -> None:
    folder = checkout(tmp_path, PLAY)
    programs = environment.environment(folder, tmp_path / "cache", sys.executable)
    made = (programs / "python").lstat().st_ino
    assert environment.environment(folder, tmp_path / "cache", sys.executable) == programs
    assert (programs / "python").lstat().st_ino == made
    assert environment.revision(str(folder), "", "") != environment.revision("", "repository", "v1")
