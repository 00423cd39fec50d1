"""Where stores are read whole: processes that leave nothing behind, threads, and a Dask cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.coordinator import executors
from cachecheck.coordinator.deadline import Deadline
from cachecheck.coordinator.direct import Stores, is_heavy
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.errors import UsageError
from cachecheck.stores.direct import parse_store
from cachecheck.sums import Summing
from cachecheck.wire import Read, Survey, Surveyed
from harness.dask import start_dask
from harness.process import LOOPBACK, free_port, parent_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from pathlib import Path

    from cachecheck.coordinator.outcomes import Outcome
    from harness.redis import RedisServer

SUMMING = Summing(buckets=64, lane_ms=2000, horizon=0.0)
BY_HASHES = Summing(buckets=64, lane_ms=2000, horizon=0.0, by="hashes")
SURVEY = Survey(run="a-run", cache="default", seed="00" * 16, sample=0, summing=SUMMING)

COORDINATOR = """
import os, time
from cachecheck.coordinator import executors
with executors.processes(2) as pool:
    print(*{pool.submit(os.getpid).result() for _ in range(40)}, flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""

FORKED = """
from cachecheck.coordinator import executors
with executors.processes(1) as pool:
    print(executors.shares_hashes(pool), pool.submit(hash, b"value").result() == hash(b"value"))
"""


ENDS_DURING_RESULTS = """
from cachecheck.coordinator import executors
with executors.processes(2) as pool:
    results = [pool.submit(bytes, 100_000_000) for _ in range(8)]
    results[0].result()
"""


def ended(pids: list[int]) -> bool:
    return all(parent_of(pid) is None for pid in pids)


@pytest.fixture
def coordinator() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a program with two processes of its own, one of them at work."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", COORDINATOR],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        try:
            yield program, [int(pid) for pid in program.stdout.readline().split()]
        finally:
            program.kill()


def test_processes_die_with_a_coordinator_that_was_killed(
    coordinator: tuple[subprocess.Popen[str], list[int]],
) -> None:
    program, workers = coordinator
    assert workers
    program.kill()
    wait_until(lambda: ended(workers), what="the end of the processes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_end_with_a_coordinator_that_was_stopped(
    coordinator: tuple[subprocess.Popen[str], list[int]], number: signal.Signals
) -> None:
    program, workers = coordinator
    program.send_signal(number)
    program.wait(20)
    wait_until(lambda: ended(workers), what="the end of the processes")


def test_a_program_ends_though_its_processes_were_in_the_middle_of_a_result() -> None:
    """What they left of it is waited for by a thread, and that by the interpreter."""
    command = [sys.executable, "-W", "error", "-c", ENDS_DURING_RESULTS]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_processes_leave_an_interruption_to_the_coordinator() -> None:
    """Ctrl-C reaches the whole group, and their tracebacks would hide what we have to say."""
    with executors.processes(1) as pool:
        pid = pool.submit(os.getpid).result(20)
        os.kill(pid, signal.SIGINT)
        assert pool.submit(os.getpid).result(20) == pid


def test_no_process_is_left_after_the_block() -> None:
    with executors.processes(2) as pool:
        pids = {pool.submit(os.getpid).result(20) for _ in range(20)}
        pool.submit(time.sleep, 600)
    wait_until(lambda: ended(list(pids)), what="the end of the processes")


def test_threads_are_given_up_at_the_end_of_the_block() -> None:
    with executors.threads(1) as pool:
        done = pool.submit(os.getpid)
        wait([done], 20)
    assert done.result() == os.getpid()
    with pytest.raises(RuntimeError):
        pool.submit(os.getpid)


def test_only_what_reads_everything_is_heavy() -> None:
    assert is_heavy(SURVEY)
    assert not is_heavy(Survey(run="a-run", cache="default", seed="00" * 16, sample=10))
    assert not is_heavy(Read(run="a-run", cache="default", seed="00" * 16, keys=()))


def ask(server: RedisServer, heavy: Executor | None, request: Survey = SURVEY) -> Outcome:
    async def main() -> Outcome:
        stores = Stores(timeout_seconds=5.0, concurrency=5, deadline=Deadline(30.0), heavy=heavy)
        return await stores.ask(parse_store(server.url), request)

    return asyncio.run(main())


def sums(outcome: Outcome) -> Any:
    assert isinstance(outcome, Answered), outcome
    assert isinstance(outcome.answer, Surveyed)
    return (outcome.answer.summary, outcome.answer.sums, outcome.answer.cursor)


@pytest.fixture
def filled(redis_server: RedisServer) -> RedisServer:
    with redis_server.client() as client:
        client.mset({f"key:{number}": f"value {number}" for number in range(2000)})
    return redis_server


def test_the_result_is_the_same_whoever_does_the_work(filled: RedisServer) -> None:
    with executors.processes(2) as pool:
        in_a_process = sums(ask(filled, pool))
    with executors.threads(1) as pool:
        assert sums(ask(filled, pool)) == in_a_process
    assert sums(ask(filled, None)) == in_a_process
    assert in_a_process[0].entries == 2000


def test_hashes_are_the_same_in_processes_that_were_forked_and_in_threads(
    filled: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    with executors.processes(1) as pool:
        assert executors.shares_hashes(pool) is isinstance(pool, executors.Forked)
    by_hashes = msgspec.structs.replace(SURVEY, summing=BY_HASHES)
    found = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, timeout=60, check=True
    )
    assert found.stdout.split() == [b"True", b"True"]
    with executors.threads(1) as pool:
        assert executors.shares_hashes(pool)
        in_a_thread = sums(ask(filled, pool, by_hashes))
    assert executors.shares_hashes(None)
    assert sums(ask(filled, None, by_hashes)) == in_a_thread
    assert in_a_thread != sums(ask(filled, None))


def test_hashes_with_a_key_that_is_known_tell_nothing_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert not executors.shares_hashes(None)


def test_work_that_fails_where_it_is_done_is_an_outcome(filled: RedisServer) -> None:
    with executors.processes(1) as pool:
        os.kill(pool.submit(os.getpid).result(20), signal.SIGKILL)
        outcome = ask(filled, pool)
    assert isinstance(outcome, NoAnswer)
    assert outcome.state == "failed"
    assert "BrokenProcessPool" in outcome.detail


# --- Dask ----------------------------------------------------------------------------------


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Start a scheduler with two workers, each a process."""
    with start_dask(tmp_path) as address:
        yield address


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_gives_the_same_result(scheduler: str, filled: RedisServer) -> None:
    with executors.dask(scheduler, timeout_seconds=20.0) as pool:
        found = sums(ask(filled, pool))
    assert found == sums(ask(filled, None))


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_a_usage_error() -> None:
    address = f"tcp://{LOOPBACK}:{free_port()}"
    with (
        pytest.raises(UsageError, match="no Dask scheduler answered"),
        executors.dask(address, timeout_seconds=1.0),
    ):
        pass


def test_dask_that_is_not_installed_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UsageError, match=r"django-cachecheck\[dask\]"),
        executors.dask("tcp://x:1", timeout_seconds=1.0),
    ):
        pass
