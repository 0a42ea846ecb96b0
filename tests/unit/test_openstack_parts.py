"""What can be known of an environment on OpenStack without OpenStack."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("openstack", reason="pip install faas-exp[openstack]")

from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from faas_exp.clouds.spec import PLACEMENTS
from faas_exp.errors import FaasExpError
from faas_exp.hostkeys import unpinned
from faas_exp.openstack import caller, marks, patience, preflight
from faas_exp.openstack.access import wanted_rules
from faas_exp.openstack.environment import describe
from faas_exp.openstack.errors import OpenStackError, OpenStackInputError, explain, is_ambiguous, is_conflict, is_quota
from faas_exp.openstack.inputs import Inputs
from faas_exp.openstack.lock import only_run
from faas_exp.openstack.machines import POLICIES
from faas_exp.openstack.survey import PORT, SERVER, Found, Resource, resource


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def inputs(**changes: Any) -> Inputs:
    given: dict[str, Any] = {
        "env": "trial",
        "orchestrator": "nomad",
        "counts": {"servers_count": 1, "clients_count": 2},
        "external_network": "public",
        "subnet_cidr": "192.168.0.0/24",
        "dns_nameservers": ("8.8.8.8",),
        "image": "debian-12",
        "flavor": "large",
        "flavors": {"bastion": "small"},
        "admin": ("203.0.113.9/32",),
        "public_key": "ssh-ed25519 AAAA me",
        "ssh_user": "debian",
    }
    return Inputs(**{**given, **changes})


def answer(status: int, message: str) -> sdk.HttpException:
    error = sdk.HttpException(message)
    error.status_code = status
    return error


def test_marks_are_read_back_and_nothing_else_is_taken_for_one() -> None:
    assert marks.env_of(marks.mark("trial")) == "trial"
    assert marks.env_of_key(marks.marked_key("trial", "ssh-ed25519 AAAA some comment")) == "trial"
    assert marks.env_of_server_group(marks.server_group_name("trial", "swarm_workers")) == "trial"
    for foreign in (None, "", "trial", "my faas-exp:env=trial"):
        assert marks.env_of(foreign) == ""
    assert marks.env_of_key("ssh-rsa AAAA me@home") == marks.env_of_key("ssh-rsa AAAA") == marks.env_of_key(None) == ""


def test_machines_have_their_flavor_and_stay_out_of_the_pool() -> None:
    wish = inputs().wish()
    wish.check()
    flavors = {machine.name: machine.flavor for machine in wish.machines}
    assert flavors["bastion"] == "small"
    assert flavors["nomad-client-2"] == "large"
    assert wish.pool == ("192.168.0.240", "192.168.0.254")
    most = inputs(counts={"servers_count": 5, "clients_count": 60}).wish()
    most.check()


def test_machines_that_make_load_reach_master_and_load_balancer() -> None:
    alone = {rule.source for rule in wanted_rules(inputs().wish(), Found([]))}
    assert "load_generators" not in alone
    counts = {"servers_count": 1, "clients_count": 2, "load_generator_count": 2}
    rules = {(rule.to, rule.source) for rule in wanted_rules(inputs(counts=counts).wish(), Found([]))}
    assert {("bastion", "load_generators"), ("haproxy", "load_generators"), ("load_generators", "bastion")} <= rules


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"flavor": ""}, "inputs: flavor: found '', allowed: a name that `openstack flavor list` shows"),
        ({"image": ""}, "inputs: image: found '', allowed: a name that `openstack image list` shows"),
        (
            {"external_network": ""},
            "inputs: external_network_name: found '', allowed: a name that `openstack network list --external` shows",
        ),
        ({"subnet_cidr": "192.168.0.0/25"}, "inputs: subnet_cidr: found '192.168.0.0/25'"),
        ({"dns_nameservers": ("dns.example",)}, "inputs: dns_nameservers: found 'dns.example'"),
        ({"admin": ("everywhere",)}, "inputs: admin_cidr: found 'everywhere'"),
        ({"admin": ()}, "inputs: admin_cidr: found ''"),
        ({"public_key": "ssh-dss AAAA"}, "inputs: public_key: found 'ssh-dss'"),
        ({"env": "Trial_1"}, "inputs: env_name: found 'Trial_1'"),
        ({"ssh_user": "root"}, "inputs: ssh_user: found 'root'"),
        ({"placement": "close"}, "inputs: cloud_openstack_placement: found 'close'"),
        ({"ports": {"gateway": 70000}}, "inputs: ports.gateway: found '70000'"),
        ({"counts": {"servers_count": 2, "clients_count": 1}}, "inputs: servers_count: found 2"),
    ],
)
def test_a_wrong_input_is_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(FaasExpError) as caught:
        inputs(**changes).wish().check()
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_every_placement_has_a_policy() -> None:
    assert set(POLICIES) == set(PLACEMENTS) - {"none"}


def test_a_check_may_come_before_the_key() -> None:
    inputs(public_key="").wish().check(check_mode=True)
    with pytest.raises(OpenStackInputError, match="public_key"):
        inputs(public_key="").wish().check()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answer(401, "The request you have made requires authentication."), "does not accept these credentials"),
        (answer(404, "Failed to validate token"), "does not accept these credentials"),
        (answer(403, "Quota exceeded for cores: Requested 8"), "ask for a higher quota"),
        (answer(409, "Quota exceeded for resources: ['port']."), "ask for a higher quota"),
        (answer(403, "Policy doesn't allow it"), "these credentials may not do that"),
        (auth.ConnectFailure("refused"), "OpenStack can't be reached from here: refused"),
        (auth.SSLError("self-signed"), "Set OS_CACERT"),
        (auth.EndpointNotFound("compute"), "Check OS_REGION_NAME"),
        (sdk.ConfigException("Cloud x was not found."), "Check OS_CLOUD"),
    ],
)
def test_errors_say_in_one_line_what_to_do(error: Exception, said: str) -> None:
    text = str(explain(error, "make something"))
    assert said in text
    assert "\n" not in text


def test_conflict_quota_and_doubt_are_told_apart() -> None:
    assert is_quota(answer(409, "Quota exceeded for resources: ['port'].")) and not is_conflict(
        answer(409, "Quota exceeded")
    )
    assert is_conflict(answer(409, "One or more ports have an IP allocation from this subnet."))
    assert is_ambiguous(auth.ConnectFailure()) and is_ambiguous(answer(500, "")) and is_ambiguous(answer(504, ""))
    assert not is_ambiguous(answer(503, "")) and not is_ambiguous(answer(429, "")) and not is_ambiguous(answer(400, ""))


def test_what_was_made_although_the_answer_was_lost_is_not_made_again() -> None:
    made: list[str] = []

    def create() -> str:
        made.append("one")
        raise auth.ConnectFailure("lost")

    assert patience.create_once(create, lambda: made[0] if made else None) == "one"
    assert made == ["one"]


def test_overload_is_asked_again_a_refusal_is_not() -> None:
    answers: list[Exception | None] = [answer(503, ""), answer(429, ""), None]

    def call() -> str:
        error = answers.pop(0)
        if error:
            raise error
        return "done"

    assert patience.create_once(call, lambda: None) == "done"
    answers[:] = [answer(400, "no"), None]
    with pytest.raises(sdk.HttpException):
        patience.create_once(call, lambda: None)
    assert len(answers) == 1


def test_delete_of_what_is_gone_is_done_and_what_is_in_use_is_tried_until_it_is_free() -> None:
    def gone() -> None:
        raise answer(404, "")

    assert patience.until_free(gone) is False
    answers: list[Exception | None] = [answer(409, "in use"), answer(409, "in use"), None]

    def busy() -> None:
        error = answers.pop(0)
        if error:
            raise error

    assert patience.until_free(busy) is True


def test_two_of_one_name_are_not_guessed_at() -> None:
    both = [Resource(PORT, one, "trial", "trial-bastion", None, None) for one in ("1", "2")]
    with pytest.raises(OpenStackError, match=r"there are 2 of this name \(1, 2\)"):
        Found(both).one(PORT, "trial-bastion")


def test_a_server_is_told_by_its_own_metadata() -> None:
    raw = SimpleNamespace(
        id="7", name="trial-ftp", created_at="2026-01-02T03:04:05Z",
        metadata={
            "faas-exp:env": "trial",
            "faas-exp:machine": "ftp",
            "faas-exp:groups": "ftp",
            "faas-exp:host-key": "ssh-ed25519 K",
        },
        addresses={"trial-network": [
            {"addr": "203.0.113.4", "version": 4, "OS-EXT-IPS:type": "floating"},
            {"addr": "192.168.0.6", "version": 4, "OS-EXT-IPS:type": "fixed"},
        ]},
    )  # fmt: skip
    server = resource(SERVER, raw)
    assert (server.env, str(server.created)) == ("trial", "2026-01-02 03:04:05+00:00")
    expected = {
        "name": "ftp",
        "role": "ftp",
        "groups": ["ftp"],
        "address": "192.168.0.6",
        "id": "7",
        "host_key": "ssh-ed25519 K",
    }
    assert describe(server) == [expected]
    raw.addresses = {}
    assert describe(server) == []


def test_host_keys_that_known_hosts_lacks(tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("192.168.0.4 ssh-ed25519 A\n192.168.0.5 ssh-ed25519 OLD\n")
    machines = [
        {"address": "192.168.0.4", "host_key": "ssh-ed25519 A"},
        {"address": "192.168.0.5", "host_key": "ssh-ed25519 B"},
        {"address": "192.168.0.6", "host_key": ""},
    ]
    assert unpinned(machines, known) == {"192.168.0.5": "ssh-ed25519 B"}


def test_choices_are_those_most_alike_first() -> None:
    offered = [SimpleNamespace(id=str(number), name=f"c{number}.large") for number in range(30)]
    with pytest.raises(OpenStackInputError) as caught:
        preflight._one("flavor", "c7.larg", offered)
    assert "allowed: c7.large, " in str(caught.value)
    assert str(caught.value).endswith(" and 20 more")
    double = [*offered, SimpleNamespace(id="x", name="c7.large")]
    with pytest.raises(OpenStackInputError, match="the id of one of the 2 of this name: 7, x"):
        preflight._one("flavor", "c7.large", double)
    assert preflight._one("flavor", "x", double).id == "x"


def test_the_callers_address_is_asked_for_only_behind_address_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    from ipaddress import IPv4Address

    def route(own: str, cloud: str) -> None:
        monkeypatch.setattr(caller, "_route", lambda host, port: (IPv4Address(own), IPv4Address(cloud)))

    monkeypatch.setattr(caller.caller, "caller_network", lambda service: f"asked {service}")
    route("10.1.2.3", "10.9.9.9")
    assert caller.caller_network("https://cloud.example:5000/v3") == "10.1.2.3/32"
    route("8.1.2.3", "9.9.9.9")
    assert caller.caller_network("https://cloud.example:5000/v3") == "8.1.2.3/32"
    route("192.168.1.2", "9.9.9.9")
    assert caller.caller_network("https://cloud.example:5000/v3", "http://me") == "asked http://me"


def test_one_run_at_a_time(tmp_path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with only_run(tmp_path / "env", 0):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    try:
        with pytest.raises(OpenStackError, match="another run is at work"), only_run(tmp_path / "env", 0):
            raise AssertionError("two at a time")
    finally:
        leave.set()
        thread.join()
    with only_run(tmp_path / "env", 0):
        pass
