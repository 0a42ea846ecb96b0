"""What can't be had is refused before the first resource, in one line, with the choices there are."""

from __future__ import annotations

from typing import Any

import pytest
from openstacklab import PUBLIC_KEY, Lab

from faas_exp.errors import FaasExpError
from faas_exp.openstack.home import settle
from faas_exp.openstack.session import connect


def test_what_openstack_does_not_have(lab: Lab) -> None:
    for changes, said in (
        ({"flavor": "m1.smal"}, "inputs: flavor: found 'm1.smal', allowed: m1.small, "),
        (
            {"flavor": "m1.none"},
            "inputs: flavor: found 'm1.none (no disk)', allowed: a flavor with a disk of its own: ",
        ),
        ({"image": "debian"}, "inputs: image: found 'debian', allowed: debian-12"),
        ({"external_network": "publik"}, "inputs: external_network_name: found 'publik', allowed: public"),
        ({"zone": "mars"}, "inputs: availability_zone: found 'mars', allowed: nova"),
    ):
        with pytest.raises(FaasExpError) as caught:
            lab.ensure(**changes)
        assert str(caught.value).startswith(said)
        assert "\n" not in str(caught.value)
    assert lab.faults.seen == [], "nothing was even tried"


def test_everybody_may_come_only_when_asked_for(lab: Lab) -> None:
    asked = lab.ensure(check=True, admin=("0.0.0.0/0",)).changes
    assert [one for one in asked if "0.0.0.0/0" in one] != []
    assert [one for one in lab.ensure(check=True).changes if "0.0.0.0/0" in one] == []
    with pytest.raises(FaasExpError, match=r"inputs: admin_cidr: found '', allowed: one or more networks"):
        lab.ensure(admin=())
    assert lab.faults.seen == []


def test_a_key_pair_of_somebody_else_is_left_alone(lab: Lab) -> None:
    compute = connect().api.compute
    name = f"faas-exp-{lab.env}"
    compute.create_keypair(name=name, public_key=PUBLIC_KEY)
    try:
        with pytest.raises(
            FaasExpError, match=f"another name .a key pair {name} exists which is not of this environment"
        ):
            lab.ensure()
        assert lab.teardown() == 0
        assert compute.find_keypair(name) is not None
    finally:
        compute.delete_keypair(name)


def test_an_environment_made_elsewhere_is_not_gone_on_with(lab: Lab, small_lab: Lab) -> None:
    # The last of the two fixtures decides whose credentials these are: those of the small project.
    settle(connect(), lab.state)
    lab.state.joinpath("openstack.json").write_text(
        lab.state.joinpath("openstack.json").read_text().replace(small_lab.project, lab.project)
    )
    with pytest.raises(FaasExpError, match=f"{lab.env} was made in project {lab.project}, this is {small_lab.project}"):
        lab.ensure()


def test_a_token_that_is_no_longer_good(lab: Lab, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an RC file with a token in it has it: good today, run out or revoked tomorrow."""
    signed_in = connect()
    token = signed_in.api.session.get_token()
    for key in ("OS_CLOUD", "OS_CLIENT_CONFIG_FILE"):
        monkeypatch.delenv(key)
    monkeypatch.chdir(lab.base)
    settings = {"AUTH_TYPE": "v3token", "TOKEN": token, "AUTH_URL": signed_in.auth_url, "REGION_NAME": "RegionOne"}
    for key, value in {**settings, "PROJECT_ID": lab.project}.items():
        monkeypatch.setenv(f"OS_{key}", value)
    assert connect().project == lab.project
    admin.identity.delete("/auth/tokens", headers={"X-Subject-Token": token}).raise_for_status()
    with pytest.raises(FaasExpError, match=r"does not accept these credentials, or they have expired") as refused:
        connect()
    assert token not in str(refused.value)


def test_a_quota_that_does_not_suffice_is_told_before_anything_is_made(small_lab: Lab) -> None:
    before = small_lab.everything()
    with pytest.raises(FaasExpError) as caught:
        small_lab.ensure()
    text = str(caught.value)
    assert text.startswith(
        f"quota: {small_lab.env} needs 4 more instances (0 of 3 used), 8 more cores (0 of 6 used). What to do: "
    )
    assert small_lab.faults.seen == []
    assert small_lab.everything() == before


def test_a_quota_that_somebody_uses_up_meanwhile_leaves_what_the_next_run_needs(
    small_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preflight can't see what others do a moment later; then compute refuses, at once or after a second count."""
    # For this call alone: undoing everything would take the lab's credentials too.
    with monkeypatch.context() as patch, pytest.raises(FaasExpError) as caught:
        patch.setattr("faas_exp.openstack.environment.check_quota", lambda *ignored: None)
        small_lab.ensure()
    text = str(caught.value)
    assert "Quota exceeded" in text
    assert "What to do: ask for a higher quota" in text
    assert "\n" not in text
    small_lab.teardown()
    assert small_lab.found().all == []
