"""The way to OpenStack: credentials as users have them, a region, the project."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

import openstack
from keystoneauth1 import exceptions as auth

from faas_exp import __version__
from faas_exp.openstack.errors import FAILURES, NO_CREDENTIALS, OpenStackError, explain
from faas_exp.openstack.patience import again

SERVICES = ("compute", "network", "image")


@dataclass
class Cloud:
    """One project in one region.

    Attributes:
        api: the SDK's connection.
        project: id of the project that the credentials are for. Administrators are shown those of others too: every
            list is narrowed to this one.
    """

    api: Any = field(repr=False)
    project: str
    region: str
    auth_url: str


def connect() -> Cloud:
    """Credentials from the environment (an RC file) or clouds.yaml, as the SDK finds them; checked at once.

    Raises:
        OpenStackError: no credentials, not accepted, expired, a service is missing, or OpenStack can't be reached.
    """
    try:
        # The SDK would ask every cloud's address with an empty one, and say so in riddles.
        if not os.environ.get("OS_CLOUD") and not os.environ.get("OS_AUTH_URL") and not _has_default_cloud():
            raise OpenStackError(NO_CREDENTIALS)
        api = openstack.connect(app_name="faas-exp", app_version=__version__)
        # Not api.authorize(): it makes of every error one without a status.
        again(api.session.get_token)
        project = api.session.get_project_id()
        if not project:
            raise OpenStackError("OpenStack: the credentials are for no project. Set OS_PROJECT_NAME or OS_PROJECT_ID")
        for service in SERVICES:
            _send_once(getattr(api, service))
            # Found here, once: threads share it later.
            if again(getattr(api, service).get_endpoint) is None:
                raise auth.EndpointNotFound(f"there is no {service} service in region {api.config.region_name or '-'}")
    except FAILURES as error:
        raise explain(error, "sign in to OpenStack") from error
    return Cloud(api, project, api.config.region_name or "", str(api.config.get_auth_args().get("auth_url", "")))


def _send_once(proxy: Any) -> None:
    """The SDK sends a request again by itself when its answer is lost, and so would make things twice. Not here."""
    send = proxy.request

    def request(*arguments: Any, **options: Any) -> Any:
        return send(*arguments, **{"connect_retries": 0, **options})

    proxy.request = request


def _has_default_cloud() -> bool:
    """Whether clouds.yaml holds exactly one cloud, which then needs no name."""
    with contextlib.suppress(*FAILURES):
        return len(openstack.config.OpenStackConfig().get_cloud_names()) == 1
    return True
