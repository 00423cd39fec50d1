"""Whether every worker is heard in every run, by relay and by bursts, and how long that takes.

    .venv/bin/python -m pytest tests/benchmarks/bench_relay.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=600

Eight workers under each server, twenty runs of what a check does first of all; with the relay off,
the same by bursts of connections. Fails where the relay misses a worker, or takes two seconds.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cachecheck.coordinator.client import Client
from cachecheck.coordinator.describe import describe_node
from cachecheck.coordinator.fleet import Target, Transport, parse_node
from cachecheck.signing import Keyring, secret_from_text
from cachecheck.wire import Describe
from harness.nodes import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.nodes import Node, Server

_WORKERS = 8
_RUNS = 20
_MOST_SECONDS = 2.0
_CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
_OPTIONS = {"uwsgi": ["--enable-threads"]}


class _Run(NamedTuple):
    heard: int
    seconds: float


@pytest.mark.parametrize(
    "server", ["gunicorn", "gthread", "preload", "gevent", "uvicorn", "granian", "uwsgi"]
)
def bench_hearing_eight_workers(server: Server, start_node: Callable[..., Node]) -> None:
    """Print how many of eight were heard, the fewest and the slowest of twenty runs."""
    told = {}
    for relays in (True, False):
        node = start_node(
            name="web-1",
            caches=_CACHES,
            cachecheck={"RELAY": relays},
            workers=_WORKERS,
            server=server,
            options=_OPTIONS.get(server, ()),
        )
        asyncio.run(_described(node))  # the first requests of a process import what they need
        runs = [asyncio.run(_described(node)) for _ in range(_RUNS)]
        told["relay" if relays else "bursts"] = runs
        node.stop()
    print(f"\n{server:9}", end="")  # noqa: T201  a benchmark's result is what it prints
    for way, runs in told.items():
        print(  # noqa: T201
            f" {way}: {min(one.heard for one in runs)}/{_WORKERS} at least, "
            f"{statistics.median(one.seconds for one in runs) * 1000:.0f} ms, "
            f"at most {max(one.seconds for one in runs) * 1000:.0f} ms;",
            end="",
        )
    assert all(one.heard == _WORKERS and one.seconds < _MOST_SECONDS for one in told["relay"])


async def _described(node: Node) -> _Run:
    target = Target(
        node=parse_node(node.address, Transport(), node.name),
        keyring=Keyring((secret_from_text(SECRET),)),
    )
    started = time.monotonic()
    async with Client(timeout_seconds=5.0, concurrency=50, deadline=started + 50) as client:
        request = Describe(run="bench", probe_keys=("probe",))
        seen = await describe_node(client, target, request, 12.5)
    return _Run(len(seen.workers), time.monotonic() - started)
