"""How many workers a burst of connections hears, all at once against milliseconds apart.

    .venv/bin/python -m pytest tests/benchmarks/bench_bursts.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*'

Eight workers each of gunicorn (sync, gthread) and uvicorn; forty fresh connections a burst; the
share of workers heard by the first burst, mean of several trials.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from cachecheck.coordinator import ask
from cachecheck.coordinator.client import Client
from cachecheck.coordinator.fleet import Target, Transport, parse_node
from cachecheck.coordinator.outcomes import Answered
from cachecheck.signing import Keyring, secret_from_text
from cachecheck.wire import Describe
from harness.nodes import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from harness.nodes import Node

_WORKERS = 8
_TRIALS = 8
_CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def bench_gap_between_connections(
    start_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Print the share heard for each server and gap."""
    for server in ("gunicorn", "gthread", "uvicorn"):
        node = start_node(name="web-1", caches=_CACHES, workers=_WORKERS, server=server)
        asyncio.run(_heard(node))  # the first requests of a process import what they need
        for gap_seconds in (0.0, 0.001, 0.003, 0.008):
            monkeypatch.setattr(ask, "GAP_SECONDS", gap_seconds)
            shares = [asyncio.run(_heard(node)) / _WORKERS for _ in range(_TRIALS)]
            print(  # noqa: T201  a benchmark's result is what it prints
                f"\n{server:8} gap {gap_seconds * 1000:3.0f} ms: "
                f"{statistics.mean(shares):4.0%} of workers heard by one burst",
                end="",
            )


async def _heard(node: Node) -> int:
    target = Target(
        node=parse_node(node.address, Transport(), node.name),
        keyring=Keyring((secret_from_text(SECRET),)),
    )
    request = Describe(run="bench", probe_keys=("probe",))
    deadline = time.monotonic() + 30
    async with Client(timeout_seconds=5, concurrency=50, deadline=deadline) as client:
        outcomes = await ask.burst(client, target, request, ask.LARGEST_BURST)
    return len({outcome.answer.worker.id for outcome in outcomes if isinstance(outcome, Answered)})
