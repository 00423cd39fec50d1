"""``check --all`` of two stores that are read directly, against what else reads every key.

    make bench

or this one alone:

    .venv/bin/python -m pytest tests/benchmarks/bench_audit.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=1200

Start-up is in all times, of modules that are compiled as those of an installed package are. What
is compared takes turns, and the quickest of each are put in ratio: other work on the machine only
adds. Two redis-servers hold 200,000 keys of 80 to 400 bytes with expiry, 160 of which differ.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.planting import Faults, fill_memcached, fill_redis, pairs
from harness.writing import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.memcached import MemcachedServer
    from harness.redis import RedisServer

_HERE = Path(__file__).parent
_KEYS = int(os.environ.get("BENCH_KEYS", "200000"))
_ROUNDS = 8
_AUDITS = 10
_DEBUG = ("--enable-debug-command", "yes")
_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


def bench_all_against_scripts(start_redis: Callable[..., RedisServer]) -> None:
    """Print the ratios to the naive script, to bare SCAN and MGET, and to DEBUG DIGEST."""
    servers = [start_redis(extra_args=_DEBUG) for _ in range(2)]
    fill_redis(*servers, pairs(_KEYS, Faults()))
    ports = [str(server.port) for server in servers]
    least = _least(
        {
            "check --all": [*_check(), *_urls(servers)],
            "naive script": [str(_HERE / "naive_script.py"), *ports],
            "bare SCAN and MGET": [str(_HERE / "bare_scan.py"), *ports],
        }
    )
    ours = least.pop("check --all")
    _tell(f"check --all of two stores, {_KEYS:,} keys each: {ours:.2f} s")
    for name, seconds in least.items():
        _tell(f"  {name}: {seconds:.2f} s, ratio {ours / seconds:.2f}")
    started = time.perf_counter()
    for server in servers:
        with server.client() as client:
            client.execute_command("DEBUG", "DIGEST")
    seconds = time.perf_counter() - started
    _tell(f"  DEBUG DIGEST, which blocks each server: {seconds:.2f} s, ratio {ours / seconds:.2f}")


def bench_few_keys_against_nodes(start_redis: Callable[..., RedisServer]) -> None:
    """Print the ratio of an audit of 1,000 keys to ``cachecheck nodes``."""
    servers = [start_redis() for _ in range(2)]
    fill_redis(*servers, pairs(1000, None))
    least = _least(
        {
            "check --all": [*_check(), *_urls(servers)],
            "nodes": ["-m", "cachecheck", "nodes", *_urls(servers)],
        }
    )
    ours, nodes = least["check --all"], least["nodes"]
    _tell(
        f"check --all of 1,000 keys each {ours:.2f} s, nodes {nodes:.2f} s: "
        f"ratio {ours / nodes:.2f}"
    )


def bench_writes_to_both_sides(start_redis: Callable[..., RedisServer]) -> None:
    """Print what ten audits find while a thousand writes a second change both sides alike."""
    servers = [start_redis() for _ in range(2)]
    fill_redis(*servers, pairs(_KEYS, None))
    codes = []
    command = ["-m", "cachecheck", "check", "--all", "--no-progress", "--deadline", "600"]
    with writing(servers, per_second=1000, keys=_KEYS) as written:
        for _ in range(_AUDITS):
            done = subprocess.run(
                [sys.executable, *command, *_urls(servers)],
                check=False,
                stdout=subprocess.DEVNULL,
                env=_ENVIRONMENT,
            )
            codes.append(done.returncode)
    _tell(f"{_AUDITS} audits while {written.per_second:.0f} writes a second change both: {codes}")


def bench_memory(start_redis: Callable[..., RedisServer]) -> None:
    """Print the peak memory at ten times the keys against that at one."""
    peaks = []
    for count in (_KEYS, 10 * _KEYS):
        servers = [start_redis() for _ in range(2)]
        fill_redis(*servers, pairs(count, Faults()))
        peaks.append(_peak_mebibytes([*_check("--deadline", "600"), *_urls(servers)]))
        _tell(f"peak of all processes at {count:,} keys: {peaks[-1]:.0f} MiB")
        for server in servers:
            server.stop()
    _tell(f"  ratio {peaks[1] / peaks[0]:.2f}")


def bench_memcached(start_memcached: Callable[..., MemcachedServer]) -> None:
    """Print the ratio to listing both servers with metadump alone."""
    servers = [start_memcached(extra_args=("-m", "1024")) for _ in range(2)]
    fill_memcached(*servers, pairs(_KEYS, Faults()))
    dump = "import socket, sys\nfor port in sys.argv[1:]:\n" + _METADUMP
    least = _least(
        {
            "check --all": [*_check(), *_urls(servers)],
            "metadump": ["-c", dump, *(str(server.port) for server in servers)],
        }
    )
    ours, floor = least["check --all"], least["metadump"]
    _tell(
        f"check --all of 2 memcached, {_KEYS:,} keys: {ours:.2f} s; metadump alone {floor:.2f} s: "
        f"ratio {ours / floor:.1f}"
    )


_METADUMP = """\
    with socket.create_connection(("127.0.0.1", int(port))) as server:
        server.sendall(b"lru_crawler metadump all\\r\\n")
        tail = b""
        while not tail.endswith(b"END\\r\\n"):
            tail = tail[-5:] + server.recv(1 << 16)
"""


def _check(*options: str) -> list[str]:
    check = ["-m", "cachecheck", "check", "--all", "--settle", "0", "--no-progress", "--exit-zero"]
    return [*check, *options]


def _urls(servers: Sequence[RedisServer | MemcachedServer]) -> list[str]:
    return [f"store-{number}={server.url}" for number, server in enumerate(servers)]


def _least(commands: dict[str, list[str]]) -> dict[str, float]:
    """Run commands in turn, and give the least time of each; a first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(1 + _ROUNDS):
        for name, arguments in commands.items():
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                env=_ENVIRONMENT,
            )
            taken[name].append(time.perf_counter() - started)
    return {name: min(seconds[1:]) for name, seconds in taken.items()}


def _peak_mebibytes(arguments: list[str]) -> float:
    """Run a command and give the sum of what its processes held at once, sampled, at its peak."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    peak = 0
    while child.poll() is None:
        peak = max(peak, sum(map(_resident_pages, _family(child.pid))))
        time.sleep(0.02)
    assert child.returncode == 0
    return peak * resource.getpagesize() / (1 << 20)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(int(child) for child in children)]


def _resident_pages(pid: int) -> int:
    """Count pages that are a process's own; those shared since a fork are counted once each."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    except OSError:
        return 0
    return int(resident) - int(shared)


def _tell(line: str) -> None:
    print(f"\n{line}", end="")  # noqa: T201  a benchmark's result is what it prints
