"""Ask a registry which images it has: prints one JSON object, ``repository:tag`` to digest, without what is missing.

Standard library only. Arguments: the registry's URL, then ``repository:tag``…
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.request

ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "oci.image.index.v1",
    )
)


def main():
    url, *images = sys.argv[1:]
    login = os.environ.get("REGISTRY_LOGIN", "")
    # No proxy of the environment stands between machines and their registry.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    found = {}
    for image in images:
        repository, _, tag = image.rpartition(":")
        request = urllib.request.Request(f"{url}/v2/{repository}/manifests/{tag}", method="HEAD")  # noqa: S310
        request.add_header("Accept", ACCEPT)
        if login.strip(":"):
            request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
        try:
            with opener.open(request, timeout=10) as response:
                found[image] = response.headers["Docker-Content-Digest"]
        except urllib.error.HTTPError as error:
            if error.code != 404:
                sys.exit(f"registry {url}: {image}: {error}")
        except OSError as error:
            sys.exit(f"registry {url} does not answer: {getattr(error, 'reason', error)}")
    print(json.dumps(found))  # noqa: T201


main()
