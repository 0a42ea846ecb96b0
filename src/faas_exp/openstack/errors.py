"""What OpenStack says, in words that help."""

from __future__ import annotations

from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from faas_exp.clouds.errors import CloudError, CloudInputError


class OpenStackError(CloudError):
    """OpenStack refused, or an input can't be had there. One clear line."""


class OpenStackInputError(OpenStackError, CloudInputError):
    """An input is wrong, found out before anything was made."""


# What calls to OpenStack raise.
FAILURES = (sdk.SDKException, auth.ClientException)

NO_CREDENTIALS = (
    "OpenStack: no credentials found. Source the RC file of your project (OS_AUTH_URL, …), or set OS_CLOUD to a cloud "
    "of clouds.yaml"
)

_BUSY_STATUS = {429, 503}
QUOTA_ADVICE = "ask for a higher quota, delete what is not needed, or give fewer or smaller machines"
_AGAIN = "run it again: what is there is kept, what is missing is made"


def status_of(error: BaseException) -> int:
    """The HTTP status of an answer; 0 where no answer came."""
    found = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return found if isinstance(found, int) else 0


def is_gone(error: BaseException) -> bool:
    """Whether the thing that was asked for is not there (any more)."""
    return status_of(error) == 404


def is_quota(error: BaseException) -> bool:
    """Whether a quota is used up. Compute says so with 403, networking with 409."""
    said = str(error).lower()
    return status_of(error) in (403, 409, 413) and ("quota" in said or "exceeded" in said)


def is_conflict(error: BaseException) -> bool:
    """Whether something else still stands in the way: in use, or being changed at the same time."""
    return status_of(error) == 409 and not is_quota(error)


def is_overloaded(error: BaseException) -> bool:
    """Whether the service has not taken the request, for now."""
    return status_of(error) in _BUSY_STATUS


def is_ambiguous(error: BaseException) -> bool:
    """Whether the request may have been carried out although no good answer came."""
    if isinstance(error, auth.ConnectionError):
        return True
    return status_of(error) >= 500 and not is_overloaded(error)


def said(error: BaseException) -> str:
    """The service's own words, one line."""
    text = getattr(error, "details", None) or getattr(error, "message", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")


def explain(error: BaseException, doing: str) -> OpenStackError:
    """The error as one line: what was being done, what OpenStack said, what to do."""
    if isinstance(error, OpenStackError):
        return error
    return OpenStackError(_credentials(error) or f"{doing}: {said(error)}. What to do: {_advice(error)}")


def _credentials(error: BaseException) -> str:
    if isinstance(error, (auth.MissingRequiredOptions, auth.MissingAuthPlugin)):
        missing = ", ".join(f"OS_{one.name.upper()}" for one in getattr(error, "options", []))
        return f"{NO_CREDENTIALS} (missing: {missing})" if missing and "AUTH_URL" not in missing else NO_CREDENTIALS
    if isinstance(error, sdk.ConfigException):
        return f"OpenStack: {said(error)}. Check OS_CLOUD and clouds.yaml"
    if isinstance(error, auth.NoMatchingPlugin):
        return f"OpenStack: {said(error)}. Check OS_AUTH_TYPE, or auth_type in clouds.yaml"
    # A token that has run out or was taken back is none that there is.
    if status_of(error) == 401 or (status_of(error) == 404 and "token" in said(error).lower()):
        return (
            "OpenStack does not accept these credentials, or they have expired. Check user, password (or application "
            "credential, token), project and domains in the RC file or clouds.yaml"
        )
    if isinstance(error, (auth.EndpointNotFound, sdk.EndpointNotFound)):
        return f"OpenStack: {said(error)}. Check OS_REGION_NAME (region_name in clouds.yaml) and OS_INTERFACE"
    if isinstance(error, auth.SSLError):
        return f"OpenStack: {said(error)}. Set OS_CACERT (cacert in clouds.yaml) to the authority of its certificate"
    if isinstance(error, (auth.ConnectionError, auth.DiscoveryFailure)):
        return f"OpenStack can't be reached from here: {said(error)}. Check OS_AUTH_URL and proxy"
    return ""


def _advice(error: BaseException) -> str:
    if is_quota(error):
        return QUOTA_ADVICE
    if status_of(error) == 403:
        return "these credentials may not do that; docs/openstack.md lists what is needed"
    if isinstance(error, auth.ConnectionError):
        return f"check the network, then {_AGAIN}"
    return _AGAIN
