"""What crosses the network between the coordinator and a node whose own store it audits.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_wire.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=3600

Two nodes, each with a Redis or memcached of its own. All bytes of a check count, both ways, headers
and confirming included, by how many entries differ. They are put in ratio with a bare list of all
keys with digest and expiry, as JSON, that each node would send.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from harness.nodes import SECRET
from harness.planting import Faults, fill_memcached, fill_redis, pairs
from harness.scenarios import MEMCACHED, REDIS, Launch

if TYPE_CHECKING:
    from pathlib import Path

    from harness.balancer import Balancer

_KEYS = int(os.environ.get("BENCH_KEYS", "200000"))
_FAULTS = (Faults(0, 0, 0, 0, 0, 0), Faults(), Faults(300, 300, 300, 300, 300, 100))
_ROW = '{"key":{"name":"catalogue:item:%07d","naming":"logical"},"digest":"%032x",'
_EXPIRY = '"expires_at":1767225600.123},'


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def bench_bytes_by_differences(tmp_path: Path, kind: str) -> None:
    """Print how much of a list of all keys an audit sends, by the number of differences."""
    list_bytes = sum(len(_ROW % (number, number)) + len(_EXPIRY) for number in range(_KEYS))
    for faults in _FAULTS:
        with ExitStack() as started:
            ways = _ways(Launch(tmp_path, started), kind, faults)
            _check(ways)
            passed = max(way.passed_bytes for way in ways)
        count = sum(map(len, faults.named.values()))
        print(  # noqa: T201  a benchmark's result is what it prints
            f"\n{kind}, {_KEYS:,} keys, {count:,} differences: {passed / 1000:,.0f} kB of "
            f"{list_bytes / 1000:,.0f} kB, {passed / list_bytes:.2%}",
            end="",
        )


def _ways(launch: Launch, kind: str, faults: Faults) -> list[Balancer]:
    entries = pairs(_KEYS, faults)
    if kind == "redis":
        servers = [launch.redis() for _ in range(2)]
        fill_redis(*servers, entries, form="shop:1:{}")
        places = [(REDIS, server.url) for server in servers]
    else:
        others = [launch.memcached(extra_args=("-m", "1024")) for _ in range(2)]
        fill_memcached(*others, entries, form="shop:1:{}")
        places = [(MEMCACHED, server.address) for server in others]
    nodes = launch.nodes(
        *(
            {"caches": {"default": {"BACKEND": name, "LOCATION": place, "KEY_PREFIX": "shop"}}}
            for name, place in places
        ),
        workers=2,
        server="gthread",
    )
    return [launch.balancer(node) for node in nodes]


def _check(ways: list[Balancer]) -> None:
    options = ["--all", "--settle", "0", "--no-progress", "--exit-zero", "--deadline", "900"]
    command = [sys.executable, "-m", "cachecheck", "check", *(way.address for way in ways)]
    env = {**os.environ, "CACHECHECK_SECRET": SECRET}
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, env=env)
