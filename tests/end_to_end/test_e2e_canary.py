"""Canaries on real nodes: what each cache does is named, and nothing of them is left behind."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cachecheck.cli.main import EXIT_INTERRUPTED
from harness.lagging import LaggingLink
from harness.nodes import SECRET, Node
from harness.process import Finished, Process, finish, wait_until
from harness.redis import RedisServer
from harness.scenarios import (
    DUMMY,
    LOCMEM,
    MEMCACHED,
    REDIS,
    Checked,
    Launch,
    caches,
)

LAG_SECONDS = 1.2
TOLERANCE = ("--lag-tolerance", "0.3")
SETTLE_SECONDS = 2.0
WORKERS = 2
SITE = "harness.site.caches"
ALIASES = (
    *("shared", "same-store", "late", "fixed", "kept", "memory", "apart"),
    *("everlasting", "untouchable", "hiccup", "small", "silent", "off"),
)

Fleet = tuple[Node, ...]


@pytest.fixture(scope="module")
def redis_server(launch: Launch) -> RedisServer:
    return launch.redis()


@pytest.fixture(scope="module")
def fleet(launch: Launch, redis_server: RedisServer) -> Iterator[Fleet]:
    """Two nodes whose caches differ in what they do, and a third that allows no canary.

    The second one has the replicas.
    """
    memcached = launch.memcached()
    with ExitStack() as links:
        link = links.enter_context(LaggingLink(redis_server.port, 0.0))
        late = launch.redis(replicaof=link)
        replica = launch.redis(replicaof=redis_server)
        link.seconds = LAG_SECONDS

        def redis(prefix: str, *servers: RedisServer, backend: str = REDIS) -> dict[str, Any]:
            location = [server.url for server in servers or (redis_server,)]
            return {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": prefix}

        silent = {"OPTIONS": {"ignore_exc": True}, "KEY_PREFIX": "silent"}
        settings = {
            "shared": redis("shared"),
            "same-store": redis("shared"),
            "late": redis("late"),
            "fixed": redis("fixed"),
            "kept": redis("kept", backend=f"{SITE}.Undeletable"),
            "memory": {"BACKEND": LOCMEM},
            "apart": {"BACKEND": LOCMEM, "LOCATION": "apart"},
            "everlasting": {"BACKEND": f"{SITE}.Everlasting", "LOCATION": "everlasting"},
            "untouchable": {"BACKEND": f"{SITE}.Untouchable", "LOCATION": "untouchable"},
            "hiccup": {"BACKEND": f"{SITE}.Hiccuping", "LOCATION": "hiccup"},
            "small": {"BACKEND": MEMCACHED, "LOCATION": memcached.address},
            "silent": {"BACKEND": MEMCACHED, "LOCATION": memcached.address, **silent},
            "off": {"BACKEND": DUMMY},
        }
        second = {
            **settings,
            "late": redis("late", redis_server, late),
            "fixed": redis("fixed", replica),
        }
        scopes = dict.fromkeys(("apart", "everlasting", "untouchable", "hiccup"), "worker")
        allowing = {"ALLOW_CANARY": True, "SCOPES": {**scopes, "off": "none"}}
        yield launch.nodes(
            {"caches": settings, "cachecheck": allowing},
            {"caches": second, "cachecheck": allowing},
            {"caches": {"shared": settings["shared"]}},
            workers=WORKERS,
        )


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """Run the real command."""
    folder = tmp_path_factory.mktemp("canary")
    env = {**os.environ, "HOME": str(folder), "CACHECHECK_SECRET": SECRET}

    def run(*arguments: str) -> Finished:
        command = [sys.executable, "-m", "cachecheck", *arguments]
        return finish(command, env=env, cwd=folder, timeout_seconds=90)

    return run


def addresses(fleet: Fleet) -> list[str]:
    return [f"{node.name}={node.address}" for node in fleet[:2]]


@pytest.fixture(scope="module")
def found(
    fleet: Fleet, cli: Callable[..., Finished], published_schema: Draft202012Validator
) -> Checked:
    """Let canaries out on all caches at once, but on the one whose replica lags."""
    others = (alias for alias in ALIASES if alias != "late")
    brisk = ["--settle", str(SETTLE_SECONDS), "--format", "json"]
    done = cli("canary", *addresses(fleet), *brisk, *caches(*others))
    assert done.stderr == "", done.stderr
    report = json.loads(done.stdout)
    published_schema.validate(report)
    return Checked(exit_code=done.exit_code, report=report)


def of_canaries(found: Checked, alias: str) -> list[dict[str, Any]]:
    return [one for one in found.findings if one["cache"] == alias and one["code"].startswith("C")]


def codes(found: Checked, alias: str) -> list[str]:
    return [one["code"] for one in of_canaries(found, alias)]


def steps(found: Checked, alias: str) -> dict[str, tuple[int, int]]:
    (canary,) = found.cache(alias)["canaries"]
    return {one["step"]: (one["tried"], one["failed"]) for one in canary["steps"]}


VIEWS = 2 * WORKERS
PAIRS = VIEWS * (VIEWS - 1)


@pytest.mark.parametrize("alias", ["shared", "same-store"])
def test_one_redis_does_all_that_is_tried(found: Checked, alias: str) -> None:
    assert codes(found, alias) == []
    tried = steps(found, alias)
    assert {failed for _, failed in tried.values()} == {0}
    assert tried["set"] == tried["set-anew"] == tried["delete"] == (PAIRS + VIEWS, 0)
    assert tried["large"][0] > 0
    assert set(tried) == {
        *("set", "set-anew", "delete", "none", "unicode", "large"),
        *("add", "incr", "expiry", "touch"),
    }


def test_a_cache_in_each_process_is_named_with_the_pairs(found: Checked) -> None:
    unseen, lock, counter = of_canaries(found, "memory")
    assert [unseen["code"], lock["code"], counter["code"]] == ["C001", "C003", "C004"]
    assert {one["explained_by"] for one in (unseen, lock, counter)} == {"B001"}
    assert {one["severity"] for one in (unseen, lock, counter)} == {"error"}
    assert unseen["evidence"]["pairs_failed"] == len(unseen["evidence"]["pairs"]) == PAIRS
    assert unseen["evidence"]["looked"] >= 2
    assert unseen["evidence"]["persisted_seconds"] >= SETTLE_SECONDS - 0.5  # of two clocks
    assert [len(group["views"]) for group in unseen["groups"]] == [1] * VIEWS
    assert lock["evidence"]["most_winners"] == VIEWS
    assert len(lock["evidence"]["pairs"]) == VIEWS - 1
    assert [group["value"] for group in counter["groups"]] == ["20 of 80"]


def test_writes_to_a_replica_that_takes_none_are_named_with_the_error(
    found: Checked, fleet: Fleet
) -> None:
    (refused,) = of_canaries(found, "fixed")
    assert (refused["code"], refused["severity"]) == ("C001", "error")
    assert "raises ReadOnlyError through web-2" in refused["message"]
    named = refused["evidence"]["errors"]["ReadOnlyError"]
    assert set(named) == {f"web-2:{pid}" for pid in fleet[1].worker_pids()}


def test_values_over_the_item_size_of_memcached_are_named(found: Checked) -> None:
    (told,) = of_canaries(found, "small")
    assert (told["code"], told["severity"]) == ("C001", "info")
    assert "1.5 MB is not cached: set() raises MemcacheServerError" in told["message"]
    (dropped,) = of_canaries(found, "silent")
    assert (dropped["code"], dropped["severity"]) == ("C001", "warning")
    assert "dropped in silence" in dropped["message"]
    assert "memcached: 1 MB" in dropped["message"]


def test_deletes_that_are_not_done_are_named(found: Checked) -> None:
    (kept,) = of_canaries(found, "kept")
    assert (kept["code"], kept["severity"]) == ("C002", "error")
    assert kept["evidence"]["pairs_failed"] == PAIRS + VIEWS


def test_expiries_that_are_not_honoured_are_named(found: Checked) -> None:
    (late,) = of_canaries(found, "everlasting")
    assert (late["code"], late["subject"]) == ("C005", "expiry")
    assert "still there after its time" in late["message"]
    (untouched,) = of_canaries(found, "untouchable")
    assert (untouched["code"], untouched["subject"]) == ("C005", "touch")
    assert untouched["evidence"]["tries"] == 2


def test_an_error_that_does_not_come_back_is_no_finding(found: Checked) -> None:
    assert codes(found, "hiccup") == []
    assert any(
        "held when made again" in note for note in found.cache("hiccup")["coverage"]["notes"]
    )


def test_views_that_are_meant_apart_are_not_compared(found: Checked) -> None:
    assert codes(found, "apart") == []
    (canary,) = found.cache("apart")["canaries"]
    assert (canary["views"], canary["pairs"]) == (VIEWS, 0)
    assert steps(found, "apart")["set"] == (VIEWS, 0)  # each by itself
    assert steps(found, "apart")["incr"] == (VIEWS, 0)


def test_no_cache_that_is_meant_is_left_out(found: Checked) -> None:
    assert found.cache("off")["canaries"] == []
    assert codes(found, "off") == []


def test_no_hit_of_the_site_is_counted_and_no_key_is_left(
    found: Checked, redis_server: RedisServer
) -> None:
    assert found.report["undecided"] == []
    with redis_server.client() as client:
        left = [key for key in client.scan_iter() if not key.startswith(b"kept:")]
    assert left == []
    ratios = [row for cache in found.report["caches"] for row in cache["hit_ratios"]]
    assert [row for row in ratios if row["source"] == "agent" and row["hits"] + row["misses"]] == []


def test_beside_a_check_a_replica_that_lags_is_named_with_milliseconds(
    fleet: Fleet, cli: Callable[..., Finished], tmp_path: Path
) -> None:
    named = [*caches("shared", "late"), "--canary", "--save", str(tmp_path / "r.json")]
    done = cli("check", *addresses(fleet), *named, "--settle", "3", *TOLERANCE)
    assert done.exit_code == 1, done.stdout
    assert "keys compared" in done.stdout
    assert f"shared: a canary through {VIEWS} views, {PAIRS} of {PAIRS} pairs" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    report = json.loads((tmp_path / "r.json").read_text())
    late = Checked(exit_code=1, report=report).only("C006")
    assert (late["cache"], late["severity"]) == ("late", "warning")
    assert re.search(r"after \d{3,4} to \d{4} ms", late["message"])
    evidence = late["evidence"]
    assert evidence["tolerance_seconds"] < evidence["surely_seconds"] <= evidence["slowest_seconds"]
    assert all(re.fullmatch(r"web-\d:\d+ → web-2:\d+: \d+ ms", pair) for pair in evidence["pairs"])
    (group,) = (one for one in late["groups"] if one["value"] == "late")
    assert set(group["views"]) == {f"web-2:{pid}" for pid in fleet[1].worker_pids()}


def test_a_node_that_allows_none_is_undecided_and_says_which_setting_to_set(
    fleet: Fleet, redis_server: RedisServer, cli: Callable[..., Finished]
) -> None:
    before = entries(redis_server).keys()
    done = cli("canary", fleet[2].address, redis_server.url, "--settle", "0")
    assert done.exit_code == 3
    words = " ".join(done.stdout.split())
    assert f"no canary went through {fleet[2].address}" in words
    assert "set CACHECHECK['ALLOW_CANARY'] = True in its settings" in words
    assert not entries(redis_server).keys() - before


def test_stores_alone_are_a_mistake(cli: Callable[..., Finished]) -> None:
    done = cli("canary", "redis://127.0.0.1:1/0")
    assert done.exit_code == 2
    assert "never to stores that are read directly" in done.stderr


# --- what it leaves behind when it is ended -------------------------------------------------


def entries(server: RedisServer) -> dict[bytes, int]:
    """Give what canaries have in a store, with the milliseconds that it lives on."""
    with server.client() as client:
        keys = list(client.scan_iter("shared:1:cachecheck:canary:*"))
        return {key: left for key in keys if (left := client.pttl(key)) != -2}


@pytest.fixture
def left_before(redis_server: RedisServer) -> set[bytes]:
    """What other runs have left."""
    return set(entries(redis_server))


@pytest.fixture
def out(
    fleet: Fleet,
    redis_server: RedisServer,
    left_before: set[bytes],
    start_cli: Callable[..., Process],
) -> Process:
    """Give the command while its canary has entries in the store."""
    started = start_cli("canary", *addresses(fleet), "--cache", "shared")
    wait_until(lambda: entries(redis_server).keys() - left_before, 20, what="a canary's entry")
    return started


def test_killed_it_leaves_entries_that_expire_within_a_minute(
    out: Process, redis_server: RedisServer, left_before: set[bytes]
) -> None:
    out.kill()
    left = entries(redis_server)
    assert left.keys() - left_before
    assert all(0 <= milliseconds <= 60_000 for milliseconds in left.values())


def test_interrupted_it_deletes_what_it_wrote(
    out: Process, redis_server: RedisServer, left_before: set[bytes]
) -> None:
    assert entries(redis_server).keys() - left_before
    assert out.interrupt() == EXIT_INTERRUPTED
    assert not entries(redis_server).keys() - left_before
