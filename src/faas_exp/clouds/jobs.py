"""Several calls at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faas_exp.clouds.errors import CloudError

_AT_ONCE = 8


def all_of(jobs: Iterable[Callable[[], Any]], error: type[CloudError]) -> None:
    """Run all, then tell of all that failed.

    Raises:
        CloudError: of the type given; one line, which holds each different one.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(job) for job in jobs]
    failed = [failure for future in futures if (failure := future.exception()) is not None]
    for failure in failed:
        if not isinstance(failure, error):
            raise failure
    if failed:
        raise error("; ".join(dict.fromkeys(str(failure) for failure in failed)))
