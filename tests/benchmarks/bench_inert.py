"""What inert reading takes: of a dense value, against loading it; of payloads that mean harm.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_inert.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*'
"""

import pickle
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cachecheck.agent.budget import Budget
from cachecheck.errors import InertError
from cachecheck.inert import structural_digest

sys.path.insert(0, str(Path(__file__).parents[1] / "inert"))
from inert_malice import DENSE, HARMLESS, MALFORMED, OUTSIDE, RUNS_CODE, TOO_LARGE

_ROUNDS = 7
_BUDGET_SECONDS, _VALUE_SECONDS = 0.05, 0.2  # the defaults of BUDGET_MS and VALUE_MS
_DENSE = [{"id": n, "name": f"name {n}", "tags": [n, n + 1]} for n in range(5_000)]


def bench_reading_against_loading() -> None:
    """Print the ratio of medians for a dense pickle; the two take turns."""
    payload = pickle.dumps(_DENSE)
    read, loaded = [], []
    for _ in range(_ROUNDS):
        read.append(_seconds(lambda: structural_digest(payload, seed=b"")))
        loaded.append(_seconds(lambda: pickle.loads(payload)))
    ours, floor = statistics.median(read), statistics.median(loaded)
    per_megabyte = ours * 1000 / (len(payload) / 1_000_000)
    print(  # noqa: T201  a benchmark's result is what it prints
        f"\ndense pickle: {per_megabyte:.0f} ms per MB, {ours / floor:.0f} times as long as loading"
    )


def bench_harmful_payloads_against_their_bound() -> None:
    """Print the longest and the largest, as shares of what one value may take."""
    corpus = RUNS_CODE | OUTSIDE | MALFORMED | TOO_LARGE | DENSE | HARMLESS
    seconds = {name: _seconds(lambda each=each: _read(each)) for name, each in corpus.items()}
    memory = {name: _peak_bytes(each) for name, each in corpus.items() if len(each) > 1_000}
    slowest, largest = max(seconds, key=seconds.__getitem__), max(memory, key=memory.__getitem__)
    print(  # noqa: T201  a benchmark's result is what it prints
        f"\n{len(corpus)} harmful payloads: the slowest ({slowest}) took "
        f"{seconds[slowest] / _VALUE_SECONDS:.2f} of VALUE_MS, the largest ({largest}) "
        f"{memory[largest] / 1_000_000:.0f} MB"
    )


def _read(payload: bytes) -> None:
    pace = Budget(_BUDGET_SECONDS).extended(_VALUE_SECONDS)
    with suppress(InertError):
        structural_digest(payload, seed=b"", pace=pace)


def _seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _peak_bytes(payload: bytes) -> int:
    tracemalloc.start()
    try:
        with suppress(InertError):
            structural_digest(payload, seed=b"")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
