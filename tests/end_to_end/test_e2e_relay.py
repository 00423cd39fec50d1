"""Workers that hand probes on to each other: all are heard, and only the living."""

import asyncio
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cachecheck.coordinator.client import Client
from cachecheck.coordinator.describe import describe_node
from cachecheck.coordinator.fleet import Target, Transport, parse_node
from cachecheck.rules.observations import ObservedNode
from cachecheck.signing import Keyring, secret_from_text
from cachecheck.wire import Describe
from harness.nodes import SECRET, Node, Server
from harness.process import Process, children_of, wait_until
from harness.scenarios import LOCMEM, REDIS, Check, Checked, Launch

LOCAL = {"default": {"BACKEND": LOCMEM}}
PRIVATE = {"SCOPES": {"default": "worker"}}
WORKERS = 3  # eight of them, twenty times: tests/benchmarks/bench_relay.py
RUNS = 2


def described(node: Node) -> ObservedNode:
    """Describe a node as a check does first of all."""
    target = Target(
        node=parse_node(node.address, Transport(), node.name),
        keyring=Keyring((secret_from_text(SECRET),)),
    )

    async def describing() -> ObservedNode:
        deadline = time.monotonic() + 30
        async with Client(timeout_seconds=10, concurrency=50, deadline=deadline) as client:
            request = Describe(run="relay", probe_keys=("probe",))
            return await describe_node(client, target, request, 10.0)

    return asyncio.run(describing())


def heard_of(node: Node) -> set[int]:
    return {one.worker.pid for one in described(node).workers}


# --- every server ----------------------------------------------------------------------------

SERVERS: dict[Server, Sequence[str]] = {
    "gunicorn": (),
    "gthread": (),
    "preload": (),
    "gevent": (),
    "uvicorn": (),
    "granian": (),
    "uwsgi": ("--enable-threads",),
}


def is_installed(server: Server) -> bool:
    """Say whether a server that has to be compiled, or comes as a wheel, is here."""
    if server == "uwsgi":
        return Path(sys.executable).with_name("uwsgi").exists()
    return server not in {"gevent", "granian"} or importlib.util.find_spec(server) is not None


@pytest.fixture(scope="module")
def servers(launch: Launch) -> dict[Server, Node]:
    """Start a node under each server, all at once."""
    here = {server: options for server, options in SERVERS.items() if is_installed(server)}
    each = [{"server": server, "options": options} for server, options in here.items()]
    return dict(zip(here, launch.nodes(*each, caches=LOCAL, workers=WORKERS), strict=True))


@pytest.mark.parametrize("server", SERVERS)
def test_every_worker_is_heard_in_each_run(server: Server, servers: dict[Server, Node]) -> None:
    if server not in servers:
        pytest.skip(f"{server} is not installed")
    node = servers[server]
    for _ in range(RUNS):
        seen = described(node)
        assert {one.worker.pid for one in seen.workers} == set(node.worker_pids())
        assert {one.worker.role for one in seen.workers} == {"web"}
        assert (seen.workers_expected, seen.expected_by) == (WORKERS, "siblings")
        assert (seen.heard_by, seen.relay_off) == ("relay", None)


def test_uwsgi_without_threads_says_why_it_does_not_relay(start_node: Callable[..., Node]) -> None:
    if not is_installed("uwsgi"):
        pytest.skip("uwsgi is not installed")
    seen = described(start_node(name="web-1", caches=LOCAL, workers=1, server="uwsgi"))
    assert seen.heard_by == "bursts"
    assert "--enable-threads" in (seen.relay_off or "")


# --- other processes of the site -------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(launch: Launch) -> tuple[Node, Node]:
    """Two nodes of one site on one host, of which Celery and commands are heard once."""
    store = {"BACKEND": REDIS, "LOCATION": launch.redis().url, "KEY_PREFIX": "shop"}
    one, other = launch.nodes({}, {}, caches={"default": store}, workers=2)
    return one, other


def beside(node: Node, command: list[str], tmp_path: Path, **env: str) -> Process:
    """Start another process of a node's site."""
    return Process(command, log=tmp_path / "beside.log", env=node.env | env, cwd=tmp_path)


def test_celery_workers_are_heard_with_their_role(
    shop: tuple[Node, Node], tmp_path: Path, check: Check
) -> None:
    site = shop[0].env["CACHECHECK_TEST_SITE"].replace('"shop"', '"queue"')
    command = [sys.executable, "-m", "celery", "-A", "harness.site.queue", "worker"]
    options = ["-c", "2", "-P", "prefork", "-l", "WARNING"]
    with beside(shop[0], [*command, *options], tmp_path, CACHECHECK_TEST_SITE=site) as celery:
        wait_until(
            lambda: len(heard_of(shop[0]) & children_of(celery.pid)) == 2,
            30.0,
            what="two Celery workers",
        )
        checked = check(shop)
        ours = children_of(celery.pid)
    roles = {one["pid"]: one["role"] for node in workers_of(checked) for one in node}
    assert sorted(roles.values()) == ["celery", "celery", "web", "web", "web", "web"]
    assert {pid for pid, role in roles.items() if role == "celery"} == ours
    drift = checked.only("N001")
    assert {group["value"]: len(group["views"]) for group in drift["groups"]} == {
        "shop": 4,
        "queue": 2,
    }
    assert checked.cache()["coverage"]["views_expected"] == 6


def workers_of(checked: Checked) -> list[list[dict[str, Any]]]:
    return [node["workers"] for node in checked.report["nodes"]]


COMMAND = "import time; from django.core.cache import cache; cache.get('k'); time.sleep({})"


def test_a_long_running_command_is_heard_and_compared(
    shop: tuple[Node, Node], tmp_path: Path, check: Check
) -> None:
    command = shop[0].manage_command("shell", "-c", COMMAND.format(60))
    with beside(shop[0], command, tmp_path) as running:
        wait_until(lambda: running.pid in heard_of(shop[0]), 30.0, what="the command")
        checked = check(shop)
    assert checked.exit_code == 0
    (first, second) = workers_of(checked)
    assert [(one["pid"], one["role"]) for one in first if one["role"] != "web"] == [
        (running.pid, "command")
    ]
    assert [one["role"] for one in second] == ["web", "web"]
    wait_until(lambda: running.pid not in heard_of(shop[0]), what="the command's end")


def test_a_short_command_leaves_nothing(shop: tuple[Node, Node]) -> None:
    done = shop[0].manage("shell", "-c", COMMAND.format(0))
    assert (done.exit_code, "Traceback" in done.stderr) == (0, False)
    assert heard_of(shop[0]) == set(shop[0].worker_pids())


# --- workers that are not heard, or end --------------------------------------------------------


def test_what_is_not_heard_without_the_relay_leaves_it_undecided(
    start_node: Callable[..., Node], check: Check
) -> None:
    settings = {**PRIVATE, "RELAY": False}
    node = start_node(name="web-1", caches=LOCAL, cachecheck=settings, workers=2)
    with stopped(node.worker_pids()[0]):
        checked = check([node], "--key", "k", "--timeout", "1", "--deadline", "8")
    assert checked.exit_code == 3
    found = checked.only("F004")
    assert found["severity"] == "warning"
    assert "1 of 2 workers heard, without the relay (switched off by RELAY)" in found["message"]
    assert checked.report["undecided"] == [found["message"]]


def test_a_worker_that_hangs_is_told_and_stops_nobody(
    start_node: Callable[..., Node], check: Check
) -> None:
    node = start_node(name="web-1", caches=LOCAL, cachecheck=PRIVATE, workers=3, server="gthread")
    with stopped(node.worker_pids()[0]):
        checked = check([node], "--key", "k", "--timeout", "1", "--deadline", "10")
    assert checked.exit_code == 3
    found = checked.only("F004")
    assert found["evidence"]["heard_by"] == "relay"
    assert "2 of 3 workers heard" in found["message"]
    assert check([node], "--key", "k").exit_code == 0


class stopped:  # noqa: N801  it reads as a word
    """A process that stands still meanwhile."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_exc: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


def odd_worker(start_node: Callable[..., Node]) -> tuple[Node, int]:
    """Start a node of which one worker has another value than its siblings; give that one, too."""
    node = start_node(name="web-1", caches=LOCAL, cachecheck=PRIVATE, workers=3)
    odd, *others = node.worker_pids()
    for pid in others:
        node.app_on_worker(pid, "set", key="k", value="same", timeout=None)
    node.app_on_worker(odd, "set", key="k", value="other", timeout=None)
    return node, odd


def test_a_worker_that_is_killed_during_a_run_counts_for_nothing(
    start_node: Callable[..., Node], check: Check
) -> None:
    node, odd = odd_worker(start_node)
    assert check([node], "--key", "k").codes == ["V001"]
    logged = node.log.count(" read of default")

    def kill() -> None:
        wait_until(lambda: node.log.count(" read of default") >= logged + 3, 20.0, what="a look")
        os.kill(odd, signal.SIGKILL)

    with Meanwhile(kill):
        checked = check([node], "--key", "k", "--settle", "2.5")
    assert checked.exit_code in {0, 3}, checked  # its successor may not be there yet
    ended = checked.only("F007")
    assert ended["evidence"]["workers"] == [f"{node.address}:{odd}"]
    assert "V001" not in checked.codes
    assert checked.cache()["agreement"]["agreeing"] == 1
    assert odd not in heard_of(node)


class Meanwhile:
    """Does something in a thread while the block runs; raises what went wrong there."""

    def __init__(self, act: Callable[[], None]) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        self._pool = ThreadPoolExecutor(1)
        self._done = self._pool.submit(act)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_exc: object) -> None:
        self._done.result()
        self._pool.shutdown()


def test_workers_that_are_recycled_during_a_run_break_nothing(
    start_node: Callable[..., Node], check: Check
) -> None:
    node = start_node(
        name="web-1", caches=LOCAL, cachecheck=PRIVATE, workers=2, options=["--max-requests", "3"]
    )
    checked = check([node], "--key", "k")
    assert checked.exit_code in {0, 3}
    assert "F007" in checked.codes
    assert set(checked.codes) <= {"F004", "F007"}
