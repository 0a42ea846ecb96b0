"""Prices, errors, patience, host keys: what needs no EC2."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, NoCredentialsError, SSOTokenLoadError
from botocore.parsers import ResponseParserError

from faas_exp.aws import patience
from faas_exp.aws.errors import AwsError, explain, is_ambiguous, is_gone
from faas_exp.aws.inputs import Inputs
from faas_exp.aws.prices import cost_of_wish, price_list
from faas_exp.caller import CallerError, caller_network
from faas_exp.hostkeys import host_key, unpinned

INPUTS: dict[str, Any] = {
    "env": "trial",
    "orchestrator": "swarm",
    "counts": {"manager_count": 3, "worker_count": 2},
    "availability_zone": "us-east-1b",
    "vpc_cidr": "10.0.0.0/16",
    "public_subnet_cidr": "10.0.1.0/24",
    "private_subnet_cidr": "10.0.2.0/24",
    "instance_type": "t3a.large",
    "volume_size": 15,
    "admin": ("203.0.113.9/32",),
    "public_key": "ssh-ed25519 AAAA tester",
    "ssh_user": "admin",
}


def refused(code: str, message: str = "said so", status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DoIt")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_a_known_type_in_a_known_region_has_a_price() -> None:
    cost = cost_of_wish(Inputs(**INPUTS).wish(), "us-east-1")
    assert cost.per_hour == pytest.approx(8 * 0.0752 + 8 * 15 * 0.08 / 730 + 0.045 + 2 * 0.005, abs=1e-4)
    assert cost.unpriced == []
    assert re.search(r"about \$0\.\d{3} per hour, \$\d+\.\d\d per day \(list prices of \d{4}-\d\d\)$", str(cost))


def test_what_has_no_price_is_said() -> None:
    wish = Inputs(**{**INPUTS, "instance_type": "u7i-12tb.224xlarge"}).wish()
    assert "without 8 x u7i-12tb.224xlarge in us-east-1: no price known" in str(cost_of_wish(wish, "us-east-1"))
    assert "NAT gateway in xx-none-1" in str(cost_of_wish(wish, "xx-none-1"))


def test_every_price_is_a_price() -> None:
    for region, prices in price_list()["regions"].items():
        every = [prices["nat_gateway_hour"], prices["gp3_gb_month"], *prices["machines_hour"].values()]
        assert all(0 < one < 10 for one in every), region
        assert {"t3a.medium", "t3a.large"} <= set(prices["machines_hour"]), "the defaults must have a price"


def test_addresses_and_sizes() -> None:
    sizes = {"bastion": {"instance_type": "t3a.medium"}, "swarm_control": {"volume_size": "40"}}
    machines = {one.name: one for one in Inputs(**{**INPUTS, "sizes": sizes}).wish().machines}
    assert machines["bastion"].address == "10.0.1.4"
    assert machines["bastion"].instance_type == "t3a.medium"
    assert machines["docker-swarm-manager-3"].address == "10.0.2.13"
    assert machines["docker-swarm-manager-3"].volume_size == 40
    assert [one.name for one in machines.values() if one.public] == ["bastion"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoCredentialsError(), "AWS: no credentials found. Set AWS_ACCESS_KEY_ID"),
        (SSOTokenLoadError(error_msg="gone"), "have expired. Sign in again (`aws sso login`)"),
        (refused("ExpiredToken"), "have expired. Sign in again"),
        (refused("AuthFailure"), "AWS does not accept these credentials (AuthFailure)"),
        (
            refused("UnauthorizedOperation", "No.\n Encoded authorization failure message: x7Fz"),
            "make it: UnauthorizedOperation: No. What to do: these credentials may not do that; docs/aws.md",
        ),
        (refused("Odd", "No  way.\nReally"), "make it: Odd: No way. Really. What to do: run it again"),
    ],
)
def test_errors_in_one_line(error: Exception, expected: str) -> None:
    text = str(explain(error, "make it"))
    assert expected in text
    assert "\n" not in text
    assert "x7Fz" not in text


def test_an_explained_error_is_left_as_it_is() -> None:
    error = AwsError("so it is")
    assert explain(error, "make it") is error


@pytest.mark.parametrize(
    ("code", "gone"), [("InvalidVpcID.NotFound", True), ("NatGatewayNotFound", True), ("DependencyViolation", False)]
)
def test_gone(code: str, gone: bool) -> None:
    assert is_gone(refused(code)) is gone


def test_only_an_answer_that_may_hide_a_success_is_ambiguous() -> None:
    assert is_ambiguous(ConnectionClosedError(endpoint_url="x"))
    assert is_ambiguous(ResponseParserError("a proxy's page"))
    assert is_ambiguous(refused("InternalError", status=500))
    assert not is_ambiguous(refused("RequestLimitExceeded", status=503))
    assert not is_ambiguous(refused("VpcLimitExceeded"))


def test_what_was_made_although_the_answer_was_lost_is_not_made_again() -> None:
    sent = []

    def create() -> str:
        sent.append(1)
        raise ConnectionClosedError(endpoint_url="x")

    assert patience.create_once(create, lambda: "there") == "there"
    assert len(sent) == 1


def test_what_was_not_made_is_sent_again() -> None:
    answers: list[object] = [ConnectionClosedError(endpoint_url="x"), refused("Throttling"), "made"]

    def create() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patience.create_once(create, lambda: None) == "made"


def test_a_refusal_is_not_sent_again() -> None:
    sent = []

    def create() -> None:
        sent.append(1)
        raise refused("VpcLimitExceeded")

    with pytest.raises(ClientError):
        patience.create_once(create, lambda: None)
    assert len(sent) == 1


def test_deleting_what_is_gone_is_no_error() -> None:
    def call() -> None:
        raise refused("InvalidVpcID.NotFound")

    assert patience.until_free(call) is False


def test_a_host_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    key = host_key(tmp_path / "keys", "bastion")
    assert key.public.startswith("ssh-ed25519 ")
    assert host_key(tmp_path / "keys", "bastion") == key
    assert (tmp_path / "keys" / "bastion").stat().st_mode & 0o777 == 0o600
    assert key.private not in repr(key)


def test_a_host_key_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".ftp.new").write_text("half", encoding="utf-8")
    (tmp_path / "ftp.pub").write_text("ssh-ed25519 of-another-key ftp", encoding="utf-8")
    assert "of-another-key" not in host_key(tmp_path, "ftp").public


def test_only_keys_that_are_not_pinned_yet_are_named(tmp_path: Path) -> None:
    machines = [
        {"address": "10.0.2.5", "host_key": "ssh-ed25519 AAAA"},
        {"address": "10.0.2.6", "host_key": "ssh-ed25519 BBBB"},
        {"address": "10.0.2.7", "host_key": ""},
    ]
    known = tmp_path / "known_hosts"
    assert set(unpinned(machines, known)) == {"10.0.2.5", "10.0.2.6"}
    known.write_text("10.0.2.5 ssh-ed25519 AAAA\n10.0.2.6 ssh-ed25519 OLD\n", encoding="utf-8")
    assert unpinned(machines, known) == {"10.0.2.6": "ssh-ed25519 BBBB"}


def test_the_own_address_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="allowed: an http"):
        caller_network(tmp_path.as_uri())
    with pytest.raises(CallerError, match="Set admin_cidr to the network that you come from"):
        caller_network("http://127.0.0.1:9", timeout=5)


def test_the_documented_policy_is_json() -> None:
    text = (Path(__file__).parents[3] / "docs" / "aws.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert json.loads(policy)["Version"] == "2012-10-17"
