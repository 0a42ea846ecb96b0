"""Ask a URL again and again for some seconds; print how each request ended, as JSON {outcome: count}."""

import http.client
import json
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

url, seconds = urlsplit(sys.argv[1]), float(sys.argv[2])
outcomes: Counter[str] = Counter()
end = time.monotonic() + seconds
while time.monotonic() < end:
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=5)
    try:
        connection.request("GET", url.path)
        response = connection.getresponse()
        outcomes[f"{response.status} {response.read().decode().split()[0]}"] += 1
    except (OSError, http.client.HTTPException, IndexError) as error:
        outcomes[f"error {type(error).__name__}"] += 1
    finally:
        connection.close()
    time.sleep(0.02)
print(json.dumps(outcomes))
