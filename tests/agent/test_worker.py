"""Who a worker is: one identity for each process, and how many look like it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cachecheck.agent import worker

THREE_CHILDREN = """
import json, os, sys, time
from cachecheck.agent.worker import count_siblings, this_worker
if {is_asked_before_the_fork}:
    this_worker()
for _ in range(3):
    read, write = os.pipe()
    if os.fork() == 0:
        time.sleep(0.3)
        one = this_worker()
        told = [one.id, one.pid, one.parent, count_siblings()]
        os.write(write, json.dumps(told).encode())
        time.sleep(0.3)
        os._exit(0)
    os.close(write)
    os.dup2(read, 100 + _)
time.sleep(0.3)
print(json.dumps([json.loads(os.read(100 + number, 10_000)) for number in range(3)]))
for _ in range(3):
    os.wait()
"""


def test_worker_says_where_it_is() -> None:
    one = worker.this_worker("command", "127.0.0.1:8000")
    assert one.pid == os.getpid()
    assert one.host == socket.gethostname()
    assert one.parent.startswith(f"{os.getppid()}:")
    assert (one.role, one.listener) == ("command", "127.0.0.1:8000")
    assert one.id.startswith(f"{one.host}:{one.pid}:")


def test_worker_is_the_same_each_time_it_is_asked() -> None:
    first = worker.this_worker()
    time.sleep(0.02)
    assert worker.this_worker() == first


def test_start_is_that_of_the_process() -> None:
    started_at = worker.this_worker().started_at
    assert started_at < time.time()
    made_at = Path(f"/proc/{os.getpid()}").stat().st_mtime
    assert started_at <= made_at + 1.0


@pytest.mark.parametrize("is_asked_before_the_fork", [False, True])
def test_forked_children_are_workers_of_their_own_and_count_each_other(
    *, is_asked_before_the_fork: bool
) -> None:
    code = THREE_CHILDREN.format(is_asked_before_the_fork=is_asked_before_the_fork)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    told = json.loads(done.stdout)
    ids, pids, parents, siblings = zip(*told, strict=True)
    assert len(set(ids)) == 3
    assert len({one.rpartition(":")[2] for one in ids}) == 3
    assert len(set(pids)) == 3
    assert len(set(parents)) == 1
    assert siblings == (3, 3, 3)


def test_without_proc_siblings_are_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker, "_PROC", tmp_path)
    assert worker.count_siblings() is None


def test_numbers_that_multiprocessing_gives_its_children_make_no_difference() -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "from cachecheck.agent.worker import count_siblings\n"
        "if len(sys.argv) > 1:\n"
        "    time.sleep(0.3)\n"
        "    os.write(1, b'%d\\n' % count_siblings())  # in one piece: both share the pipe\n"
        "    time.sleep(1.5); sys.exit()\n"
        "each = [[sys.executable, '-c', sys.orig_argv[2], f'tracker_fd={n}, pipe_handle={n + 5}']\n"
        "        for n in (7, 8)]\n"
        "children = [subprocess.Popen(one) for one in each]\n"
        "[child.wait() for child in children]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["2", "2"]


def age() -> float:
    return worker._age_seconds(os.getpid())  # noqa: SLF001  started_at is kept for a process


def test_proc_with_processes_alone_tells_the_start_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = age()
    folder = tmp_path / str(os.getpid())
    folder.mkdir()
    (folder / "stat").write_bytes(Path("/proc/self/stat").read_bytes())
    monkeypatch.setattr(worker, "_PROC", tmp_path)
    assert abs(age() - expected) < 1.0
    (folder / "stat").write_text("1 (cut short) S")
    assert age() == 0.0


def test_without_a_clock_to_go_by_the_age_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert age() == 0.0


def test_clock_that_is_not_the_kernels_is_not_gone_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: 1.7e9)
    assert age() == 0.0
