"""The way to AWS: credentials as users have them, a region, clients that are patient with throttling."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from faas_exp import __version__
from faas_exp.aws.errors import FAILURES, NO_CREDENTIALS, AwsError, explain

_ZONE = re.compile(r"^(?P<region>[a-z]{2,3}(-[a-z]+)+-\d+)")
_REFUSED: tuple[type[Exception], ...] = (*FAILURES, ValueError)
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")
_AGENT = f"faas-exp/{__version__}"
_COMMON: dict[str, Any] = {"connect_timeout": 10, "read_timeout": 60, "user_agent_extra": _AGENT}


@dataclass
class Cloud:
    """One account in one region.

    Attributes:
        ec2: client for everything that can be asked twice; waits and tries again when throttled.
        ec2_once: the same without retries of its own, for calls that make something and know no client token: whether
            such a call was carried out must be looked up before it is sent again.
        lacks: kinds of things that this server does not know. AWS knows all of them; others that speak its API may not.
    """

    region: str
    session: Any = field(repr=False)
    ec2: Any = field(repr=False)
    ec2_once: Any = field(repr=False)
    account: str = ""
    lacks: set[str] = field(default_factory=set)

    @property
    def is_aws(self) -> bool:
        """Whether it is AWS itself that answers, and not a server of somebody else's (AWS_ENDPOINT_URL)."""
        return (urlsplit(self.ec2.meta.endpoint_url).hostname or "").endswith(_AWS)

    def client(self, service: str, **config: Any) -> Any:
        """Another service's client in the same region."""
        retries = {"mode": "standard", "total_max_attempts": 3}
        return self.session.client(
            service, region_name=self.region, config=Config(**{**_COMMON, "retries": retries, **config})
        )


def region_of(zone: str) -> str:
    """The region of an availability zone: ``us-east-1b`` is in ``us-east-1``; empty when it is no zone's name."""
    match = _ZONE.match(zone)
    return match["region"] if match else ""


def connect(zone: str = "", region: str = "") -> Cloud:
    """Credentials from environment, profile, SSO session or instance role, as boto3 finds them; checked at once.

    The region is the one given, else that of environment or profile, else the zone's.

    Raises:
        AwsError: no credentials, not accepted, expired, no region, or AWS can't be reached.
    """
    try:
        session = boto3.Session()
        # boto3 itself reads only AWS_DEFAULT_REGION; every other SDK reads AWS_REGION.
        region = region or os.environ.get("AWS_REGION", "") or session.region_name or region_of(zone)
        if not region:
            raise AwsError("AWS: no region. Set AWS_DEFAULT_REGION, or availability_zone")
        if session.get_credentials() is None:
            raise AwsError(NO_CREDENTIALS)

        def client(attempts: int) -> Any:
            config = Config(
                **_COMMON, max_pool_connections=32, retries={"mode": "standard", "total_max_attempts": attempts}
            )
            return session.client("ec2", region_name=region, config=config)

        cloud = Cloud(region=region, session=session, ec2=client(10), ec2_once=client(1))
        cloud.account = cloud.client("sts").get_caller_identity()["Account"]
    except _REFUSED as error:
        raise explain(error, "ask AWS who we are") from error
    return cloud
