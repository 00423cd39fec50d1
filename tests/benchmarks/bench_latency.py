"""What an application's own requests wait while every key of its node is audited.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_latency.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=1200

Two nodes with two workers each have a Redis of 200,000 keys of their own. One of them is asked for
a page of its cache fifty times a second, each request timed from the moment at which it was due.
Rounds with and without an audit take turns. The node and its Redis have one processor to
themselves, so that what is measured is the audit on the node, and not the coordinator beside it.
Whoever asks goes first on the other processor, where that is allowed (to root), at a priority in
real time: it would be elsewhere, and must not wait for the coordinator and the other node before it
sends and looks at the clock. What it waited there was a third of what was measured.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from harness.nodes import SECRET
from harness.planting import Faults, fill_redis, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.nodes import Node
    from harness.redis import RedisServer

_KEYS = int(os.environ.get("BENCH_KEYS", "200000"))
_ROUNDS = 4
_PER_SECOND = 50
_SECONDS = 8
_BEHIND = 10  # in steps of niceness
_REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.mark.parametrize("server", ["gunicorn", "gthread", "uvicorn"])
def bench_requests_while_audited(
    start_redis: Callable[..., RedisServer], start_node: Callable[..., Node], server: str
) -> None:
    """Print the ratio of the 99th percentiles, with and without an audit."""
    servers = [start_redis() for _ in range(2)]
    fill_redis(*servers, pairs(_KEYS, Faults()), form="shop:1:{}")
    nodes = [
        start_node(name=f"web-{number}", workers=2, server=server, caches=_caches(one.url))
        for number, one in enumerate(servers)
    ]
    _pin([nodes[0].pid, *nodes[0].worker_pids(), servers[0].pid], 0)
    _pin([nodes[1].pid, *nodes[1].worker_pids(), servers[1].pid, os.getpid()], 1)
    _go_first()
    alone, audited = [], []
    for _ in range(_ROUNDS):
        alone += _latencies(nodes[0], _SECONDS)
        with _Audit(nodes) as audit:
            audited += _latencies(nodes[0], None, audit.is_over)
    quiet, busy = _p99(alone), _p99(audited)
    print(  # noqa: T201  a benchmark's result is what it prints
        f"\n{server}, 2 workers, {_KEYS:,} keys: p99 {quiet * 1000:.1f} ms alone, "
        f"{busy * 1000:.1f} ms while audited: ratio {busy / quiet:.2f} "
        f"({len(alone)} and {len(audited)} requests)"
    )


class _Audit:
    """An audit that goes on in the background."""

    def __init__(self, nodes: list[Node]) -> None:
        urls = [f"{node.name}={node.url}" for node in nodes]
        options = ["--all", "--settle", "0", "--no-progress", "--exit-zero", "--deadline", "120"]
        check = [sys.executable, "-m", "cachecheck", "check", *urls, *options]
        self._command = ["nice", "-n", str(_BEHIND), *check]
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._thread.join()

    def is_over(self) -> bool:
        return self._over.is_set()

    def _run(self) -> None:
        env = {**os.environ, "CACHECHECK_SECRET": SECRET}
        subprocess.run(self._command, check=True, stdout=subprocess.DEVNULL, env=env)
        self._over.set()


def _latencies(
    node: Node, seconds: float | None, is_over: Callable[[], bool] = lambda: False
) -> list[float]:
    """Ask the node at a steady rate for so long, or until it is over."""

    def ask(due: float) -> float:
        node.app("get", key="catalogue:item:0000001")
        return time.perf_counter() - due

    started, asked = time.perf_counter(), []
    with ThreadPoolExecutor(32, initializer=_go_first) as pool:
        while not is_over():
            due = started + len(asked) / _PER_SECOND
            if seconds is not None and due > started + seconds:
                break
            time.sleep(max(0.0, due - time.perf_counter()))
            asked.append(pool.submit(ask, due))
        return [one.result() for one in asked]


def _caches(url: str) -> dict[str, Any]:
    return {"default": {"BACKEND": _REDIS, "LOCATION": url, "KEY_PREFIX": "shop"}}


def _p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[-1]


def _go_first() -> None:
    """Let this thread go first, and nothing that it starts."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def _pin(pids: list[int], processor: int) -> None:
    """Give processes, all their threads included, one processor."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {processor})
