"""One run of load by several machines, this one first: load.py JSON. Prints one JSON object, or an error of one line.

JSON holds ``url``, ``users``, ``requests`` and ``fleet``, whose keys are those of ``Fleet``.
"""

import json
import sys
import tempfile
from pathlib import Path

from faas_exp.errors import FaasExpError
from faas_exp.load import Fleet, LoadSpec, run_load

asked = json.loads(sys.argv[1])
given = asked["fleet"]
fleet = Fleet(**{**given, "names": tuple(given["names"]), "key_file": Path(given["key_file"])})
spec = LoadSpec(url=asked["url"], method="POST", data="x", users=asked["users"], number_of_requests=asked["requests"])
with tempfile.TemporaryDirectory() as folder:
    try:
        stats = run_load(spec, Path(folder) / "out", fleet)
    except FaasExpError as error:
        sys.exit(str(error))
    rows = len((Path(folder) / "out" / "requests.csv").read_text().splitlines()) - 1
machines = {one["name"]: one["requests"] for one in stats.generators}
print(json.dumps({"count": stats.count, "errors": stats.errors, "rows": rows, "machines": machines}))
