"""What can't work is refused in one clear line, with the choices there are, before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from awslab import ENV, PUBLIC_KEY, SECRET, Lab
from strictec2 import Fault

from faas_exp.errors import FaasExpError

OTHER_KEY = PUBLIC_KEY.replace("Jb1D", "Jb1E")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"instance_type": "t3a.lrage"}, ["instance_type: found 't3a.lrage'", "us-east-1b offers: t3a.large"]),
        ({"sizes": {"ftp": {"instance_type": "t9.nano"}}}, ["instance_type: found 't9.nano'", "t3.nano"]),
        ({"availability_zone": "us-east-1z"}, ["availability_zone: found 'us-east-1z'", "us-east-1a, us-east-1b"]),
        ({"availability_zone": "eu-west-1a"}, ["availability_zone: found 'eu-west-1a'", "REGION=eu-west-1"]),
        ({"image": ("ami-00000000000000000",)}, ["image_id: found 'ami-0000000", "debian-12-amd64-20261101"]),
        ({"image": ("ami-0faa5e0000000003a",)}, ["image_id: found", "arm64", "x86_64, the architecture of t3a"]),
        ({"image": ("", "136693071363", "debain-*")}, ["image_name: found 'debain-*'", "debian-12-amd64-20261101"]),
        ({"volume_size": 7}, ["volume_size: found 7", "8 to 16384"]),
        ({"vpc_cidr": "10.0.0.0/8"}, ["vpc_cidr: found '10.0.0.0/8'", "/16 to /28"]),
        ({"private_subnet_cidr": "10.1.2.0/24"}, ["private_subnet_cidr: found '10.1.2.0/24'", "inside vpc_cidr"]),
        ({"private_subnet_cidr": "10.0.1.0/24"}, ["private_subnet_cidr", "apart from public_subnet_cidr"]),
        ({"public_key": "ecdsa-sha2-nistp256 AAAA me"}, ["public_key: found 'ecdsa", "ssh-ed25519 or ssh-rsa"]),
        ({"public_key": ""}, ["public_key"]),
        ({"admin": ()}, ["admin_cidr", "203.0.113.7/32"]),
        ({"admin": ("10.0.0.300/32",)}, ["admin_cidr: found '10.0.0.300/32'"]),
        ({"ports": {"gateway": 0}}, ["ports.gateway: found '0'", "1 to 65535"]),
        ({"env": "Trial_1"}, ["env_name: found 'Trial_1'", "small letters"]),
        ({"ssh_user": "root"}, ["ssh_user: found 'root'", "not root"]),
        ({"placement": "close"}, ["cloud_aws_placement: found 'close'", "soft, strict, none"]),
        ({"orchestrator": "mesos"}, ["orchestrator: found 'mesos'", "swarm, nomad, k8s"]),
        ({"counts": {"manager_count": 2, "worker_count": 1}}, ["manager_count: found 2", "1, 3 or 5"]),
        ({"sizes": {"ftp": {"flavor": "m1"}}}, ["sizes.ftp: found 'flavor'", "instance_type, volume_size"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_wrong_inputs(lab: Lab, change: dict[str, Any], expected: list[str]) -> None:
    from faas_exp.aws.spec import Image

    if "image" in change:
        change = {"image": Image(*change["image"])}
    with pytest.raises(FaasExpError) as error:
        lab.ensure(**change)
    for part in expected:
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert lab.strict.changes() == []
    assert not lab.state.exists()


def test_an_image_that_needs_more_than_the_volume(lab: Lab) -> None:
    # Behind the proxy images have 8 GB; moto's own size shows when it is not asked to look smaller.
    with pytest.raises(FaasExpError, match="volume_size: found 8, allowed: at least the image's 15"):
        lab.strict.image_size = 15
        lab.ensure(volume_size=8)
    assert lab.strict.changes() == []


def test_a_quota_of_addresses_that_does_not_suffice(lab: Lab) -> None:
    for _ in range(4):
        lab.ec2.allocate_address(Domain="vpc")
    with pytest.raises(FaasExpError) as error:
        lab.ensure()
    assert str(error.value).startswith("quota: trial needs 2 more elastic addresses; 4 of 5 are used. Release one, ")
    assert lab.strict.changes() == []


def test_a_quota_of_processors_that_does_not_suffice(lab: Lab) -> None:
    lab.strict.vcpus = 11
    with pytest.raises(FaasExpError) as error:
        lab.ensure()
    assert "quota: missing machines need 12 vCPUs; 0 of 11 in us-east-1 are used. Ask for fewer" in str(error.value)
    assert lab.strict.changes() == []
    # What is there counts, and does not count twice.
    lab.strict.vcpus = 12
    lab.ensure()
    assert lab.ensure().changes == []
    with pytest.raises(FaasExpError, match=r"need 2 vCPUs; 12 of 12"):
        lab.ensure(counts={"manager_count": 1, "worker_count": 3})


def test_arm_machines_get_the_image_of_their_architecture(lab: Lab) -> None:
    lab.ensure(counts={}, services=("bastion",), instance_type="t4g.medium")
    (call,) = lab.strict.changes("RunInstances")
    assert call.params["ImageId"] == "ami-0faa5e0000000003a"


def test_everybody_may_come_only_when_asked_for(lab: Lab) -> None:
    made = lab.ensure(counts={}, services=("bastion",), admin=("0.0.0.0/0",))
    (line,) = [one for one in made.changes if "0.0.0.0/0" in one]
    assert line.startswith("open security group trial-bastion: tcp 22 from 0.0.0.0/0,")


def test_a_key_pair_of_somebody_else_s(lab: Lab) -> None:
    lab.ec2.import_key_pair(KeyName=ENV, PublicKeyMaterial=PUBLIC_KEY.encode())
    with pytest.raises(FaasExpError, match="env_name: found 'trial', allowed: another name"):
        lab.ensure()
    assert lab.strict.changes() == []
    lab.ec2.describe_key_pairs(KeyNames=[ENV])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vpc_cidr": "10.0.0.0/17"}, "vpc_cidr: found '10.0.0.0/17', allowed: 10.0.0.0/16"),
        ({"private_subnet_cidr": "10.0.3.0/24"}, "private_subnet_cidr: found '10.0.3.0/24', allowed: 10.0.2.0/24"),
        ({"availability_zone": "us-east-1c"}, "availability_zone: found 'us-east-1c', allowed: us-east-1b"),
    ],
)
def test_what_can_t_be_changed_afterwards(lab: Lab, change: dict[str, Any], expected: str) -> None:
    small = {"counts": {}, "services": ("bastion",)}
    lab.ensure(**small)
    before = len(lab.strict.changes())
    with pytest.raises(FaasExpError) as error:
        lab.ensure(**{**small, **change})
    assert expected in str(error.value)
    assert len(lab.strict.changes()) == before


def test_elsewhere_is_another_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"counts": {}, "services": ("bastion",)}
    lab.ensure(**small)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with pytest.raises(FaasExpError, match="made in region us-east-1, this is us-west-2"):
        lab.ensure(**{**small, "availability_zone": "us-west-2a"})


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredToken", "the credentials have expired. Sign in again"),
        ("RequestExpired", "the credentials have expired"),
        ("InvalidClientTokenId", "AWS does not accept these credentials (InvalidClientTokenId)"),
        ("SignatureDoesNotMatch", "AWS does not accept these credentials"),
    ],
)
def test_credentials_that_aws_does_not_take(lab: Lab, code: str, expected: str) -> None:
    lab.strict.faults.append(Fault("GetCallerIdentity", code=code, times=99))
    with pytest.raises(FaasExpError) as error:
        lab.ensure()
    assert expected in str(error.value)
    assert SECRET not in str(error.value)
    assert [one.action for one in lab.strict.calls] == ["GetCallerIdentity"]


def test_no_credentials(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(FaasExpError, match=r"no credentials found\. Set AWS_ACCESS_KEY_ID"):
        lab.ensure()
    assert lab.strict.calls == []


def test_a_profile_that_is_not_there(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    with pytest.raises(FaasExpError, match=r"AWS_PROFILE: .*work.*list-profiles"):
        lab.ensure()
