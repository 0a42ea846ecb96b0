"""What the platform's Prometheus saw during a run: the machines' CPU and memory, the gateway's own counts.

Kept beside the run as ``metrics.json``. A Prometheus that can't be asked costs a line in that file, not the run.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

# Range for rates: at least two scrapes of the platform's Prometheus (5 s) must lie in it.
_WINDOW = "15s"
_POINTS = 200
_TIMEOUT = 10.0

QUERIES = {
    "node_cpu_pct": f'100 * (1 - avg by (machine) (rate(node_cpu_seconds_total{{{{mode="idle"}}}}[{_WINDOW}])))',
    "node_memory_used_bytes": "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
    "gateway_requests_per_second": (
        f'sum by (code) (rate(gateway_function_invocation_total{{{{function_name="{{name}}"}}}}[{_WINDOW}]))'
    ),
    "gateway_service_count": 'max(gateway_service_count{{function_name="{name}"}})',
    "gateway_cpu_cores": f'sum by (instance) (rate(process_cpu_seconds_total{{{{job="gateway"}}}}[{_WINDOW}]))',
}


def collect(prometheus_url: str, function: str, start: float, end: float) -> dict[str, Any]:
    """Time series of a run.

    Args:
        prometheus_url: e.g. ``http://prometheus.openfaas.local``.
        start, end: Unix time, seconds.

    Returns:
        ``step`` (seconds), ``series``: per query a list of ``labels`` and ``values`` ([Unix time, number] each), and
        ``error`` when Prometheus could not be asked.
    """
    step = max(1.0, (end - start) / _POINTS)
    found: dict[str, Any] = {"prometheus": prometheus_url, "start": start, "end": end, "step": step, "series": {}}
    for name, query in QUERIES.items():
        try:
            found["series"][name] = _range(prometheus_url, query.format(name=function), start, end, step)
        except (OSError, ValueError, KeyError, TypeError) as error:
            found["error"] = f"{name}: {error}"
            break
    return found


def _range(url: str, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
    parameters = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
    request = urllib.request.Request(f"{url.rstrip('/')}/api/v1/query_range?{parameters}")  # noqa: S310 the site's own
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
        data = json.load(answer)
    if data.get("status") != "success":
        raise ValueError(data.get("error", "no answer"))
    return [
        {"labels": item["metric"], "values": [[at, float(value)] for at, value in item["values"]]}
        for item in data["data"]["result"]
    ]
