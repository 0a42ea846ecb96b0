"""Machines: started all at once, each exactly once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from faas_exp.aws import tags
from faas_exp.aws.errors import AwsError, code_of
from faas_exp.aws.ledger import Ledger
from faas_exp.aws.network import Network, NetworkMaker
from faas_exp.aws.patience import until_known, wait_until
from faas_exp.aws.placement import seats
from faas_exp.aws.preflight import Checked
from faas_exp.aws.spec import Machine, Wish
from faas_exp.aws.survey import Found, Resource, survey
from faas_exp.clouds.birth import user_data
from faas_exp.clouds.jobs import all_of
from faas_exp.clouds.ledger import PLANNED
from faas_exp.hostkeys import HostKey, host_key


def make_machines(
    ledger: Ledger,
    wish: Wish,
    found: Found,
    checked: Checked,
    network: Network,
    groups: dict[str, str],
    host_keys: Path,
) -> list[str]:
    """Start what is missing or stopped; does not wait.

    Args:
        host_keys: folder of the machines' host keys.

    Returns:
        the names of machines that are new.

    Raises:
        AwsError: one or more could not be started; each is named. Those that could are there.
    """
    there = {machine.name: found.one("instance", f"{wish.env}-{machine.name}") for machine in wish.machines}
    jobs: list[Callable[[], Any]] = []
    new = []
    seated = seats(wish)
    for machine in wish.machines:
        instance = there[machine.name]
        if instance is not None and instance.state == "shutting-down":
            if not ledger.check:
                _wait_until_gone(ledger, instance, wish.timeout)
            instance = None
        if instance is None:
            new.append(machine.name)
            # Keys before threads: the files are made one after the other, and a check makes none.
            key = HostKey("", "") if ledger.check else host_key(host_keys, machine.name)
            request = _request(ledger, wish, checked, network, groups, machine, key)
            if group := seated.get(machine.name):
                request["Placement"] = {"GroupName": group}
            jobs.append(lambda m=machine, r=request: _start(ledger, wish, found, m, r))  # type: ignore[misc]
        elif instance.state in ("stopped", "stopping"):
            jobs.append(lambda one=instance: _wake(ledger, one, wish.timeout))  # type: ignore[misc]
    all_of(jobs, AwsError)
    return new


def _request(
    ledger: Ledger,
    wish: Wish,
    checked: Checked,
    network: Network,
    groups: dict[str, str],
    machine: Machine,
    key: HostKey,
) -> dict[str, Any]:
    name = f"{wish.env}-{machine.name}"
    image = checked.image_of(machine.instance_type)
    its = {
        **ledger.tags(name),
        tags.MACHINE: machine.name,
        tags.GROUPS: "/".join(machine.groups),
        tags.HOST_KEY: key.public,
    }
    disk = {"VolumeSize": machine.volume_size, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    return {
        "ImageId": image.id,
        "InstanceType": machine.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": wish.env,
        "UserData": user_data(machine.name, wish.ssh_user, key),
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": network.public_subnet if machine.public else network.private_subnet,
                "PrivateIpAddress": machine.address,
                "Groups": [groups[machine.role]],
                "AssociatePublicIpAddress": False,
                "DeleteOnTermination": True,
            }
        ],
        "BlockDeviceMappings": [{"DeviceName": image.root_device, "Ebs": disk}],
        # One hop: a container on the machine does not get at the machine's own data (and host key).
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "InstanceInitiatedShutdownBehavior": "stop",
        "TagSpecifications": [
            tags.specification("instance", its),
            tags.specification("volume", ledger.tags(name)),
            tags.specification("network-interface", ledger.tags(name)),
        ],
    }


def _token(request: dict[str, Any], before: list[str], attempt: int) -> str:
    """The same request has the same token, unless its machine was there before and is gone."""
    text = json.dumps([request, sorted(before), attempt], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _start(ledger: Ledger, wish: Wish, found: Found, machine: Machine, request: dict[str, Any]) -> None:
    name = f"{wish.env}-{machine.name}"
    before = [one.id for one in [*found.gone, *found.all] if one.kind == "instance" and one.name == name]
    what = f"start machine {name} ({machine.instance_type}, {machine.volume_size} GB, {machine.address})"
    try:
        ledger.do(what, lambda: _run(ledger, name, before, request))
    except AwsError as error:
        no_room = code_of(error.__cause__) == "InsufficientInstanceCapacity" if error.__cause__ else False
        if not no_room or wish.placement != "soft" or "Placement" not in request:
            raise
        anywhere = {key: value for key, value in request.items() if key != "Placement"}
        ledger.do(f"{what}: not on a rack of its own, AWS has none free", lambda: _run(ledger, name, before, anywhere))


def _run(ledger: Ledger, name: str, before: list[str], request: dict[str, Any]) -> Any:
    for attempt in range(5):
        try:
            token = _token(request, before, attempt)
            return until_known(lambda: ledger.cloud.ec2.run_instances(**request, ClientToken=token))  # noqa: B023
        except ClientError as error:
            # The token remembers a machine that is gone for longer than EC2 lists it.
            if code_of(error) != "IdempotentInstanceTerminated":
                raise
    raise AwsError(f"start {name}: EC2 remembers machines of this name. What to do: run it again in an hour")


def _wake(ledger: Ledger, instance: Resource, timeout: int) -> None:
    if instance.state == "stopping" and not ledger.check:
        wait_until(lambda: _state(ledger, instance.id) == "stopped", f"stop of {instance}", timeout)
    ledger.do(f"start {instance} again", lambda: ledger.cloud.ec2.start_instances(InstanceIds=[instance.id]))


def _state(ledger: Ledger, instance: str) -> str:
    answer = until_known(lambda: ledger.cloud.ec2.describe_instances(InstanceIds=[instance]))["Reservations"]
    return str(answer[0]["Instances"][0]["State"]["Name"]) if answer else "terminated"


def _wait_until_gone(ledger: Ledger, instance: Resource, timeout: int) -> None:
    wait_until(lambda: _state(ledger, instance.id) == "terminated", f"end of {instance}", timeout)


def wait_for_machines(ledger: Ledger, wish: Wish) -> dict[str, Resource]:
    """Wait until all run.

    Returns:
        them, by name.

    Raises:
        AwsError: one ended by itself, with AWS's reason; or not all run in time.
    """
    names = {f"{wish.env}-{machine.name}" for machine in wish.machines}
    running: dict[str, Resource] = {}

    def look() -> bool:
        now = survey(ledger.cloud, wish.env, ("instance",))
        running.clear()
        running.update({one.name: one for one in now.of("instance") if one.state == "running" and one.name in names})
        for one in now.gone:
            reason = one.raw.get("StateReason", {})
            # Full disks of the account, a key that can't be used, a fault in the image: EC2 says so only afterwards.
            if one.name in names - set(running) and reason.get("Code", "").startswith(("Client.", "Server.")):
                pending = [other for other in now.of("instance") if other.name == one.name]
                if not pending and reason["Code"] != "Client.UserInitiatedShutdown":
                    raise AwsError(f"{one}: ended by itself: {reason['Code']}: {reason.get('Message', '')}")
        return len(running) == len(names)

    wait_until(look, f"{wish.env}: {len(names)} machines run", wish.timeout)
    return dict(running)


def give_public_address(ledger: Ledger, wish: Wish, maker: NetworkMaker, running: dict[str, Resource]) -> str:
    """The one public address, on the bastion; it stays the same when the bastion is stopped or made again.

    Returns:
        the address; empty in a check that would make it, or without a bastion.
    """
    bastion = next((machine for machine in wish.machines if machine.public), None)
    if bastion is None:
        return ""
    allocation, raw = maker.address("bastion-address")
    instance = running.get(f"{wish.env}-{bastion.name}")
    if instance is None or raw.get("InstanceId", "") != instance.id:
        ledger.do(
            f"give {wish.env}-{bastion.name} the public address",
            lambda: until_known(
                lambda: ledger.cloud.ec2.associate_address(
                    AllocationId=allocation, InstanceId=instance.id if instance else "", AllowReassociation=True
                )
            ),
        )
    if raw or allocation == PLANNED:
        return str(raw.get("PublicIp", ""))
    addresses = until_known(lambda: ledger.cloud.ec2.describe_addresses(AllocationIds=[allocation]))["Addresses"]
    return str(addresses[0]["PublicIp"])
