"""`cachecheck demo` runs a real deployment, finds what was planted in it, and leaves nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cachecheck.cli import demo as command
from cachecheck.demo import checking, faults, node, story
from cachecheck.demo.deployment import Deployment
from cachecheck.errors import UsageError
from cachecheck.model import Finding, Group, Report, RunRow
from harness.process import Finished, wait_until

WORKERS = 3
PROCESSES = 3 * (1 + WORKERS)

Start = Callable[..., subprocess.Popen[str]]
RunCli = Callable[..., Finished]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demo makes its temporary folder; its path is in the environment of all it runs."""
    made = tmp_path / "temporary"
    made.mkdir()
    return made


@pytest.fixture
def start_demo(folder: Path) -> Iterator[Start]:
    """Start the demo without waiting for its end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "cachecheck", "demo", *arguments],
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def _left(folder: Path) -> list[int]:
    """Find the processes that have the folder in their environment."""
    mark = f"TMPDIR={folder}\0".encode()
    return [pid for pid in _pids() if mark in _environment(pid)]


def _pids() -> Iterator[int]:
    return (int(file.name) for file in Path("/proc").iterdir() if file.name.isdigit())


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _read_until(process: subprocess.Popen[str], mark: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if mark in line:
            return "".join(lines)
    raise AssertionError(f"{mark!r} was not told:\n{''.join(lines)}")


def test_demo_finds_what_was_planted_and_leaves_nothing(run_cli: RunCli, folder: Path) -> None:
    begun = time.monotonic()
    done = run_cli("demo", env={"TMPDIR": str(folder)})
    assert time.monotonic() - begun < 60
    assert done.exit_code == 0, done.stdout + done.stderr
    for line in (
        r"each of 9 workers has a LocMemCache of its own +B001 process-local-cache",
        r"one worker of web-1 kept an old price:42 +V001 value-divergence",
        r"web-2 keeps rates:eur an hour longer +T001 expiry-drift",
        r"web-3 has another KEY_PREFIX for pages +N001 prefix-drift",
        r"web-4 is down +F001 node-unreachable",
    ):
        assert re.search(line, done.stdout), done.stdout
    assert "DIVERGENT  4 errors, 1 warning · 3/4 nodes, 9/9 workers" in done.stdout
    assert "5 of 5 planted faults were found" in done.stdout
    paths = ("  $ cd ", "  $ export ")
    lines = [line for line in done.stdout.splitlines() if not line.startswith(paths)]
    assert max(map(len, lines)) <= 80
    assert done.stderr == ""
    assert _left(folder) == []
    assert list(folder.iterdir()) == []


def test_kept_deployment_is_there_to_be_tried_until_ctrl_c(
    start_demo: Start, run_cli: RunCli, folder: Path
) -> None:
    process = start_demo("--keep")
    told = _read_until(process, "Say")
    (deployment,) = folder.iterdir()
    secret = (deployment / "secret").read_text()
    assert (deployment / "secret").stat().st_mode & 0o777 == 0o600
    assert len(_left(folder)) == PROCESSES + 1
    nodes = run_cli("nodes", cwd=deployment, env={"CACHECHECK_SECRET": ""})
    assert nodes.exit_code == 3, nodes.stderr
    assert "3 of 4 nodes answered, 9 of 9 workers heard" in nodes.stdout
    address = re.search(r"curl (\S+)", told)
    assert address
    assert {_price(address[1]) for _ in range(200)} == {"49.00", "39.00"}

    process.send_signal(signal.SIGINT)
    told += process.communicate(timeout=30)[0]
    assert process.returncode == 0, told
    assert "5 of 5 planted faults were found" in told
    assert secret not in told
    assert _left(folder) == []
    assert list(folder.iterdir()) == []


def _price(address: str) -> str:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        page = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    return page.partition("price:42 is ")[2].partition(",")[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["A small shop", "Now the check", "cachecheck check"])
def test_demo_that_is_told_to_end_cleans_up_first(
    start_demo: Start, folder: Path, moment: str, number: int
) -> None:
    process = start_demo()
    _read_until(process, moment)
    process.send_signal(number)
    process.send_signal(number)
    told = process.communicate(timeout=30)[0]
    assert process.returncode == 128 + number, told
    assert "Traceback" not in told
    wait_until(lambda: not _left(folder), what="the end of all processes")
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no kernel tells the nodes")
def test_nodes_end_with_a_demo_that_was_killed(start_demo: Start, folder: Path) -> None:
    process = start_demo("--keep")
    _read_until(process, "Say")
    process.kill()
    wait_until(lambda: not _left(folder), what="the end of all processes")


def test_node_that_does_not_start_is_told_with_its_log(run_cli: RunCli, folder: Path) -> None:
    broken = folder.parent / "broken"
    (broken / "gunicorn").mkdir(parents=True)
    (broken / "gunicorn" / "__init__.py").touch()
    (broken / "gunicorn" / "__main__.py").write_text("raise SystemExit('out of order')")
    done = run_cli("demo", env={"TMPDIR": str(folder), "PYTHONPATH": str(broken)})
    assert done.exit_code == 1
    assert done.stderr == "cachecheck: web-1 ended at its start:\nout of order\n"
    assert list(folder.iterdir()) == []


def test_check_that_leaves_no_report_is_told_with_its_exit_code(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, (), 1)
    with pytest.raises(checking.CheckFailed, match="exit code 2 and left no report"):
        checking.report(deployment, 2)


def test_node_that_hangs_is_given_up_and_ended_with_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = "trap '' TERM; echo hanging; while :; do sleep 60; done"
    monkeypatch.setattr(node, "_command", lambda _descriptor: ["sh", "-c", stubborn])
    monkeypatch.setattr(node, "_END_SECONDS", 0.2)
    hanging = node.Node("web-1", tmp_path, {"TMPDIR": str(tmp_path)})
    with pytest.raises(node.NodeFailed, match="web-1 was not ready within 1 s:\nhanging"):
        hanging.wait_until_ready(0.6)
    hanging.end()
    hanging.end()
    wait_until(lambda: not _left(tmp_path), what="the end of all processes")


@pytest.mark.parametrize("missing", ["django", "gunicorn"])
def test_demo_without_its_libraries_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=r"pip install 'django-cachecheck\[demo\]'"):
        command.demo()


def test_demo_without_fork_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(UsageError, match="Linux, macOS or WSL"):
        command.demo()


# --- what counts as found ------------------------------------------------------------------

STALE = next(fault for fault in faults.planted(WORKERS) if fault.code == "V001")
FOUND = Finding(
    code="V001",
    name="value-divergence",
    severity="error",
    message="…",
    remedy="…",
    cache="default",
    subject="price:42",
    groups=(
        Group(label="A", views=("web-1:1", "web-1:2", "web-2:4")),
        Group(label="B", views=("web-1:3",)),
    ),
)


def _report(*findings: Finding) -> Report:
    run = RunRow(id="1", version="0.1.0", started_at="2026-01-01T00:00:00Z", duration_seconds=1.0)
    return Report(run=run, verdict="divergent", nodes=(), caches=(), findings=findings)


def test_finding_that_names_cache_key_and_worker_is_the_fault() -> None:
    assert faults.found_as(STALE, _report(FOUND)) == FOUND


@pytest.mark.parametrize(
    "other",
    [
        {"code": "V002"},
        {"cache": "pages"},
        {"subject": "price:43"},
        {"severity": "info"},
        {"groups": (FOUND.groups[0], Group(label="B", views=("web-2:3",)))},
        {"groups": (FOUND.groups[0], Group(label="B", views=("web-1:3", "web-1:5")))},
        {"groups": ()},
    ],
)
def test_finding_of_something_else_is_not_the_fault(other: dict[str, object]) -> None:
    assert faults.found_as(STALE, _report(msgspec.structs.replace(FOUND, **other))) is None


def test_fault_that_was_missed_is_said_to_be() -> None:
    text = story.found((STALE,), _report(), 0, 80)
    assert re.search(r"one worker of web-1 kept an old price:42 +not found", text)
