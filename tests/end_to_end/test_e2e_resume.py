"""`check --all --resume`: what was interrupted goes on where it was, to the same report."""

from __future__ import annotations

import json
import os
import signal
import stat
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.coordinator.audit.ledger import decode
from harness.planting import Faults, fill_redis, pairs
from harness.process import children_of, parent_of, wait_until
from harness.scenarios import REDIS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from conftest import RunCli
    from harness.process import Finished, Process
    from harness.redis import RedisServer
    from harness.scenarios import Check, Checked, Launch

    StartCli = Callable[..., Process]

COUNT = 20_000
FAULTS = 160
BUCKETS = 512  # for so many keys
ALL = ("--all", "--settle", "0")
SLOWLY = ("--rate", "8000")
CHILDREN_END_SECONDS = 5.0  # they look for their parent twice a second, on a busy machine


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture(scope="module")
def servers(launch: Launch) -> list[RedisServer]:
    """Two servers with the same entries but for 160 faults; the tests here only read them."""
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(COUNT, Faults()))
    return servers


@pytest.fixture(scope="module")
def local(launch: Launch) -> list[RedisServer]:
    return [launch.redis() for _ in range(2)]


@pytest.fixture(scope="module")
def nodes(launch: Launch, local: list[RedisServer]) -> list[str]:
    """Two nodes, each with a local server of its own; and a key that tells these apart."""
    own, faults = local, Faults()
    fill_redis(*own, pairs(COUNT, faults), form="shop:1:{}")
    started = launch.nodes(
        *(
            {"caches": {"default": {"BACKEND": REDIS, "LOCATION": one.url, "KEY_PREFIX": "shop"}}}
            for one in own
        ),
        workers=2,
        server="gthread",
    )
    return [*(node.address for node in started), "--key", min(faults.named["changed"])]


def what_matters(checked: Checked) -> dict[str, Any]:
    """Take out of a report what must not depend on whether the run was interrupted."""
    cache = checked.cache()
    return {
        "findings": [
            [one["code"], one["subject"], one["severity"], _groups(one)] for one in checked.findings
        ],
        "coverage": cache["coverage"],
        "agreement": cache["agreement"],
        "undecided": checked.report["undecided"],
        "exit": checked.exit_code,
    }


def _groups(finding: dict[str, Any]) -> list[list[Any]]:
    """Take groups without their digests, which are keyed anew by each run, and times."""
    return [[one[field] for field in ("label", "views", "state")] for one in finding["groups"]]


def scanned(state: Path) -> list[int]:
    """Tell how many keys of each store are summed already, as a state file has it."""
    if not state.exists():
        return []
    return [one.summary.scanned for one in decode(state.read_bytes()).summed.values()]


def kill_in_the_middle(command: Process, state: Path) -> None:
    """Kill a command once it has noted an eighth of all keys; its children end with it."""
    wait_until(lambda: sum(scanned(state)) >= COUNT // 4, 30, what="a state of many keys")
    children = children_of(command.pid)
    assert command.is_running, command.log
    command.kill()
    wait_until(
        lambda: all(parent_of(child) is None for child in children),
        CHILDREN_END_SECONDS,
        what="the end of its children",
    )
    assert sum(scanned(state)) < 2 * COUNT, "it was not in the middle"


def calls(servers: Sequence[RedisServer], command: str) -> int:
    """Count how often servers were given a command."""
    found = 0
    for server in servers:
        with server.client() as client:
            statistics = client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})
        found += statistics["calls"]
    return found


def test_a_killed_run_goes_on_to_the_report_of_an_uninterrupted_one(
    servers: list[RedisServer], check: Check, start_cli: StartCli, state: Path
) -> None:
    addresses = [server.url for server in servers]
    whole = check(addresses, *ALL)
    read_by_one = calls(servers, "getrange")
    killed = start_cli("check", *addresses, *ALL, *SLOWLY, "--resume", str(state))
    kill_in_the_middle(killed, state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    done_before = sum(scanned(state))

    before = calls(servers, "getrange")
    resumed = check(addresses, *ALL, "--resume", str(state))
    read_by_rest = calls(servers, "getrange") - before
    assert what_matters(resumed) == what_matters(whole)
    assert not state.exists()
    assert not list(state.parent.glob(f"{state.name}*")), "nothing lies beside it"
    # The whole run kept all rows; what differs is listed now: a bucket of 39 entries a fault.
    listed = 2 * (COUNT // BUCKETS) * FAULTS
    assert read_by_rest <= 1.1 * (read_by_one - done_before + listed)


def test_a_killed_run_over_nodes_goes_on_where_it_was(
    nodes: list[str], local: list[RedisServer], check: Check, start_cli: StartCli, state: Path
) -> None:
    whole = check(nodes, *ALL)
    read_by_one = calls(local, "getrange")
    killed = start_cli("check", *nodes, *ALL, *SLOWLY, "--resume", str(state))
    kill_in_the_middle(killed, state)
    done_before = sum(scanned(state))
    before = calls(local, "getrange")
    resumed = check(nodes, *ALL, "--resume", str(state))
    assert what_matters(resumed) == what_matters(whole)
    assert not state.exists()
    assert calls(local, "getrange") - before <= 1.1 * (read_by_one - done_before)


def test_a_run_that_is_interrupted_says_how_to_go_on(
    servers: list[RedisServer], start_cli: StartCli, state: Path
) -> None:
    addresses = [server.url for server in servers]
    interrupted = start_cli("check", *addresses, *ALL, *SLOWLY, "--resume", str(state))
    wait_until(lambda: scanned(state), 30, what="a state of a store")
    os.kill(interrupted.pid, signal.SIGINT)
    wait_until(lambda: not interrupted.is_running, what="the end of the run")
    assert f"--resume {state} goes on" in interrupted.log
    assert "Traceback" not in interrupted.log
    assert scanned(state)


def refused(done: Finished, text: str) -> None:
    assert done.exit_code == 2, done
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_run_that_the_deadline_ends_keeps_its_file_and_says_how_to_go_on(
    servers: list[RedisServer], check: Check, run_cli: RunCli, state: Path
) -> None:
    addresses = [server.url for server in servers]
    options = (*ALL, "--rate", "8000", "--deadline", "2", "--resume", str(state))
    done = run_cli("check", *addresses, *options, "--format", "json")
    report = json.loads(done.stdout)
    assert done.exit_code == (1 if report["findings"] else 3)
    assert any("deadline" in line for line in report["undecided"])
    assert f"--resume {state} goes on" in done.stderr
    assert all(0 < count < COUNT for count in scanned(state))
    resumed = check(addresses, *ALL, "--resume", str(state))
    assert resumed.report["undecided"] == []
    assert resumed.cache()["coverage"]["keys_compared"] == COUNT
    assert not state.exists()


def test_the_file_of_another_check_is_refused_and_left_as_it_is(
    servers: list[RedisServer], run_cli: RunCli, state: Path
) -> None:
    addresses = [server.url for server in servers]
    options = (*ALL, "--deadline", "1", "--rate", "4000", "--resume", str(state))
    assert run_cli("check", *addresses, *options).exit_code in {1, 3}
    kept = state.read_bytes()
    refused(run_cli("check", *addresses, *options, "--match", "catalogue:*"), "another file")
    refused(run_cli("check", addresses[0], *options), "another file")
    assert state.read_bytes() == kept


@pytest.mark.parametrize("content", [b"", b'{"schema":"cachecheck.state/2"}'])
def test_a_file_that_holds_no_state_is_refused_and_left_as_it_is(
    run_cli: RunCli, state: Path, content: bytes
) -> None:
    state.write_bytes(content)
    done = run_cli("check", "redis://127.0.0.1:1/0", *ALL, "--resume", str(state))
    refused(done, f"--resume {state}")
    assert state.read_bytes() == content


def test_resume_and_dask_go_with_all_alone(run_cli: RunCli, state: Path) -> None:
    store = "redis://127.0.0.1:1/0"
    refused(run_cli("check", store, "--resume", str(state)), "--resume FILE goes with --all")
    refused(run_cli("check", store, "--dask", "tcp://127.0.0.1:1"), "--dask goes with --all")
    assert not state.exists()


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_read(
    launch: Launch, run_cli: RunCli, tmp_path: Path
) -> None:
    server = launch.redis()
    for place in (tmp_path / "not-there" / "state.json", tmp_path):
        refused(run_cli("check", server.url, *ALL, "--resume", str(place)), f"--resume {place}")
    assert calls([server], "info") == calls([server], "scan") == 0
