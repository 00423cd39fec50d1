"""What counting adds to a call of a cache, against no counting and against what else counts.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_counting.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=600

A process for each way of counting is asked for a few calls at a time, in turns, all on one
processor. What else a machine does only ever adds, so what is compared is the tenth that was
quickest. django-prometheus counts with its own backends (and hits and misses of ``get()`` alone);
sentry-sdk makes a span of each call, within a transaction that is sampled. What is not installed is
left out.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from harness.redis import RedisServer

_ROUNDS = 80
_PROCESSOR = {0}
_WAYS = {
    "cachecheck": "cachecheck",
    "django-prometheus": "django_prometheus",
    "sentry-sdk": "sentry_sdk",
}
_SITE = Path(__file__).with_name("counted_site.py")


@pytest.mark.parametrize("alias", ["local", "redis"])
def bench_counting(redis_server: RedisServer, alias: str) -> None:
    """Print what a call takes without counting, and the ratios with each way of counting."""
    os.sched_setaffinity(redis_server.pid, _PROCESSOR)  # or what is measured is who sits where
    ways = ["bare", *(way for way, module in _WAYS.items() if importlib.util.find_spec(module))]
    with ExitStack() as started:
        sites = {way: started.enter_context(_Site(way, redis_server.url)) for way in ways}
        for operation in ("get", "miss", "set", "get_many"):
            spent: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(_ROUNDS + 1):
                for way in ways:
                    seconds = sites[way].ask(f"{alias} {operation}")
                    if number:  # the first round is to warm up
                        spent[way].append(seconds)
            _print(alias, operation, spent)


class _Site:
    """A process that counts in one way."""

    def __init__(self, way: str, redis_url: str) -> None:
        self._command = [sys.executable, str(_SITE), way, redis_url]

    def __enter__(self) -> Self:
        self._process: subprocess.Popen[str] = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        os.sched_setaffinity(self._process.pid, _PROCESSOR)
        return self

    def ask(self, what: str) -> float:
        questions, answers = _piped(self._process.stdin), _piped(self._process.stdout)
        questions.write(f"{what}\n")
        questions.flush()
        return float(answers.readline())

    def __exit__(self, *_exc: object) -> None:
        self._process.communicate(timeout=10)


def _piped(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _print(alias: str, operation: str, spent: dict[str, list[float]]) -> None:
    bare = spent.pop("bare")
    ratios = (f"{way} {_quick(seconds) / _quick(bare):.2f}" for way, seconds in spent.items())
    micros = _quick(bare) * 1e6
    print(f"\n{alias} {operation}: {micros:.2f} µs bare; ratios: {', '.join(ratios)}")  # noqa: T201  a benchmark's result is what it prints


def _quick(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=10)[0]
