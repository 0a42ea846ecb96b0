"""What AWS says, in words that help."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from faas_exp.clouds.errors import CloudError, CloudInputError


class AwsError(CloudError):
    """AWS refused, or an input can't be had there. One clear line."""


class AwsInputError(AwsError, CloudInputError):
    """An input is wrong, found out before anything was made."""


FAILURES: tuple[type[Exception], ...] = (ClientError, BotoCoreError, ResponseParserError)
"""What calls to AWS raise; the last, no BotoCoreError, for an answer that is none of AWS's (a proxy's page, say)."""

NO_CREDENTIALS = (
    "AWS: no credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (after `aws sso login`)"
)

THROTTLED = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "EC2ThrottledException",
}

_CREDENTIALS = {
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "InvalidAccessKeyId",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}

_ADVICE = {
    "InsufficientInstanceCapacity": "AWS has none free in this zone; run it again later, or give another instance_type",
    "InsufficientHostCapacity": "run it again later, or give another availability_zone",
    "InstanceLimitExceeded": "ask for a higher quota (Service Quotas, EC2), or give fewer or smaller machines",
    "VcpuLimitExceeded": "ask for a higher quota (Service Quotas, EC2), or give fewer or smaller machines",
    "AddressLimitExceeded": "two elastic addresses are needed; release one, or ask for a higher quota (Service Quotas)",
    "VpcLimitExceeded": "delete a VPC that is not used, or ask for a higher quota (Service Quotas, VPC)",
    "InternetGatewayLimitExceeded": "delete one that is not used, or ask for a higher quota (Service Quotas, VPC)",
    "NatGatewayLimitExceeded": "delete one that is not used, or ask for a higher quota (Service Quotas, VPC)",
    "RulesPerSecurityGroupLimitExceeded": "ask for a higher quota (Service Quotas, VPC)",
    "OptInRequired": "accept the terms of this image in the AWS Marketplace first",
    "UnauthorizedOperation": "these credentials may not do that; docs/aws.md lists the permissions that are needed",
    "AccessDenied": "these credentials may not do that; docs/aws.md lists the permissions that are needed",
    "InvalidPlacementGroup.Duplicate": "somebody else's placement group has this name; give another env_name",
    "InvalidIPAddress.InUse": "another machine has this address; delete it, or give another subnet",
}


def code_of(error: BaseException) -> str:
    """AWS's own code of an error, as ``InvalidVpcID.NotFound``; empty where it isn't one of AWS's answers."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_gone(error: BaseException) -> bool:
    """Whether the thing that was asked for is not there (any more, or not to be seen yet)."""
    code = code_of(error)
    return code.endswith((".NotFound", "NotFoundException")) or code in {
        "NatGatewayNotFound",
        "Gateway.NotAttached",
        "InvalidAssociationID.NotFound",
        "InvalidPlacementGroup.Unknown",
    }


def is_unknown_action(error: BaseException) -> bool:
    """Whether the server does not know this kind of request at all; some answer with a page for people."""
    known = {"InvalidAction", "UnsupportedOperation", "NotImplemented", "InternalFailure", "500", "501"}
    return code_of(error) in known or isinstance(error, ResponseParserError)


def is_ambiguous(error: BaseException) -> bool:
    """Whether the request may have been carried out although no good answer came."""
    if isinstance(error, ClientError):
        status: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return int(status) >= 500 and code_of(error) not in THROTTLED
    return isinstance(error, FAILURES) and type(error).__name__ in {
        "EndpointConnectionError",
        "ConnectionClosedError",
        "ReadTimeoutError",
        "ConnectTimeoutError",
        "HTTPClientError",
        "ResponseStreamingError",
        "IncompleteReadError",
        "ResponseParserError",
    }


def explain(error: BaseException, doing: str) -> AwsError:
    """The error as one line: what was being done, what AWS said, what to do."""
    if isinstance(error, AwsError):
        return error
    name, code = type(error).__name__, code_of(error)
    if name in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
        return AwsError(NO_CREDENTIALS)
    if name == "ProfileNotFound":
        return AwsError(f"AWS_PROFILE: {error}. `aws configure list-profiles` lists those there are")
    if "SSO" in name or name in {"TokenRetrievalError", "LoginRefreshRequired"} or code in _EXPIRED:
        return AwsError(
            "AWS: the credentials have expired. Sign in again (`aws sso login`), or renew the session token"
        )
    if code in _CREDENTIALS:
        return AwsError(
            f"AWS does not accept these credentials ({code}). Check AWS_ACCESS_KEY_ID, AWS_PROFILE and the clock"
        )
    if name in {"EndpointConnectionError", "ConnectTimeoutError", "InvalidRegionError"}:
        return AwsError(f"AWS can't be reached from here: {error}. Check region, proxy and AWS_ENDPOINT_URL")
    said = error.response["Error"].get("Message", "") if isinstance(error, ClientError) else str(error)
    said = " ".join(said.split())
    # AWS appends kilobytes of cipher to this one.
    said = said.split(" Encoded authorization failure message")[0]
    advice = _ADVICE.get(code, "run it again: what is there is kept, what is missing is made")
    return AwsError(f"{doing}: {code or name}: {said.rstrip('.')}. What to do: {advice}")
