"""How long the command takes to say what it can do, against what typer alone takes to load.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_startup.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*'
"""

import statistics
import subprocess
import sys
import time

_ROUNDS = 15


def bench_help_against_typer_alone() -> None:
    """Print the ratio of medians; the two take turns, so that a busy machine slows both."""
    ours, floor = [], []
    for _ in range(_ROUNDS):
        ours.append(_seconds("-m", "cachecheck", "--help"))
        floor.append(_seconds("-c", "import typer"))
    help_seconds, typer_seconds = statistics.median(ours), statistics.median(floor)
    print(  # noqa: T201  a benchmark's result is what it prints
        f"\ncachecheck --help {help_seconds * 1000:.0f} ms, import typer "
        f"{typer_seconds * 1000:.0f} ms: ratio {help_seconds / typer_seconds:.2f}"
    )


def _seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
