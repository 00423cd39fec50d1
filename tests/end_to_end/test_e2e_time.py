"""What time does to caches: writes while we look, replicas that stop following, releases, lag."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self

import pytest

from harness.balancer import Balancer
from harness.nodes import Node
from harness.process import LOOPBACK, wait_until
from harness.pythons import other_pythons
from harness.redis import RedisServer
from harness.scenarios import LOCMEM, REDIS, Check, Checked, Launch

KEYS = 500
BATCH = 10
VALUES_A_SECOND = 200
DIVERGENCE = {"V001", "V002", "T001"}

NOTHING_TOLD = (
    "user site on >password ~* &* +@all -info -role -config -time -client|info -client|list"
)


def on(store: RedisServer, *, db: int = 0, user: str = "") -> dict[str, Any]:
    location = f"redis://{user}{store.address}/{db}"
    return {"BACKEND": REDIS, "LOCATION": location, "KEY_PREFIX": "shop"}


class Writers:
    """Write through all nodes, one writer for each, as long as the block lasts."""

    def __init__(
        self, nodes: Sequence[Node], write: Callable[[Node, int], None], pause: float
    ) -> None:
        self._has_ended = threading.Event()
        self._failures: list[BaseException] = []
        self.written = 0
        self._threads = [
            threading.Thread(target=self._run, args=(node, write, pause), daemon=True)
            for node in nodes
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._has_ended.set()
        for thread in self._threads:
            thread.join(20)
        assert not self._failures

    def _run(self, node: Node, write: Callable[[Node, int], None], pause: float) -> None:
        due = time.monotonic()
        while not self._has_ended.is_set():
            try:
                write(node, self.written)
            except BaseException as exc:  # noqa: BLE001 - told by the test's own thread
                self._failures.append(exc)
                return
            self.written += 1
            due += pause
            self._has_ended.wait(max(0.0, due - time.monotonic()))


def change_ten(node: Node, turn: int) -> None:
    """Change ten values, and with them when they expire."""
    keys = [(turn * BATCH + number) * 7 % KEYS for number in range(BATCH)]
    values = {f"product:{key}": {"turn": turn, "by": node.name} for key in keys}
    node.app("set_many", value=values, timeout=300 + turn)


@pytest.fixture(scope="module")
def busy(launch: Launch) -> tuple[Node, ...]:
    store = launch.redis(users=[NOTHING_TOLD])
    told = {"caches": {"default": on(store)}}
    untold = {"caches": {"default": on(store, db=1, user="site:password@")}}
    nodes = launch.nodes(told, told, untold, untold, workers=2)
    for node in (nodes[0], nodes[2]):
        values = {f"product:{number}": number for number in range(KEYS)}
        node.app("set_many", value=values, timeout=300)
    return nodes


@pytest.mark.parametrize(("is_told", "times"), [(True, 8), (False, 4)])
def test_writers_while_we_look_are_no_divergence(
    busy: tuple[Node, ...], check: Check, *, is_told: bool, times: int
) -> None:
    nodes = busy[:2] if is_told else busy[2:]
    pause = BATCH * len(nodes) / VALUES_A_SECOND
    with Writers(nodes, change_ten, pause) as writers, ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: check(nodes, "--sample", "500"), range(times)))
    assert writers.written > 50
    assert not {code for run in runs for code in run.codes} & DIVERGENCE
    assert {run.exit_code for run in runs} == {0}
    assert {run.cache()["coverage"]["keys_compared"] for run in runs} == {KEYS}


# --- stores that stopped following ---------------------------------------------------------


@pytest.fixture(scope="module")
def stores(launch: Launch) -> dict[str, tuple[RedisServer, RedisServer]]:
    """Two servers for each alias, by which the first node and the second one know it."""
    primaries = {alias: launch.redis() for alias in ("detached", "cut-off", "following", "copied")}
    followers = {
        "detached": launch.redis(replicaof=primaries["detached"]),
        "cut-off": launch.redis(),
        "following": launch.redis(replicaof=primaries["following"]),
        "copied": launch.redis(),
    }
    return {alias: (primaries[alias], followers[alias]) for alias in primaries}


@pytest.fixture(scope="module")
def pair(launch: Launch, stores: dict[str, tuple[RedisServer, RedisServer]]) -> tuple[Node, ...]:
    """Two nodes whose hash seeds differ; "default" is memory of their own."""

    def caches(number: int) -> dict[str, Any]:
        others = {alias: on(pair[number]) for alias, pair in stores.items()}
        return {"default": {"BACKEND": LOCMEM}, **others}

    return launch.nodes(
        *({"caches": caches(number), "hash_seed": number + 1} for number in range(2)),
        cachecheck={"SCOPES": {"default": "worker", "copied": "host"}},
        workers=1,
    )


@contextmanager
def written_every_second(node: Node, alias: str, store: RedisServer) -> Iterator[None]:
    def write(node: Node, turn: int) -> None:
        node.app("set", cache=alias, key="ticker", value={"turn": turn}, timeout=None)

    with Writers([node], write, 1.0):
        wait_until(lambda: holds(store, b"turn"), what="the first write")
        yield


def holds(store: RedisServer, needle: bytes) -> bool:
    with store.client() as client:
        return needle in (client.get("shop:1:ticker") or b"")


def check_three_times(check: Check, nodes: tuple[Node, ...], alias: str) -> list[Checked]:
    """Check side by side, so that three runs take no longer than one."""
    options = ("--cache", alias, "--key", "ticker", "--settle", "3")
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda _: check(nodes, *options), range(3)))


def stop_following(alias: str, primary: RedisServer, follower: RedisServer) -> None:
    """Take a replica that has the key from its primary: for good, or only its link."""
    with follower.client() as client:
        if alias == "detached":
            wait_until(lambda: holds(follower, b"before"), what="the replica's copy")
            client.replicaof("NO", "ONE")
            return
        with Balancer([primary.port]) as link:
            client.replicaof(LOOPBACK, link.port)
            wait_until(lambda: holds(follower, b"before"), what="the replica's copy")
        wait_until(
            lambda: client.info("replication")["master_link_status"] == "down", what="a cut link"
        )


@pytest.mark.parametrize("alias", ["detached", "cut-off"])
def test_replica_that_stopped_following_is_divergence_under_a_hot_key(
    stores: dict[str, tuple[RedisServer, RedisServer]],
    pair: tuple[Node, ...],
    check: Check,
    alias: str,
) -> None:
    primary, follower = stores[alias]
    pair[0].app("set", cache=alias, key="ticker", value="before", timeout=None)
    stop_following(alias, primary, follower)
    with written_every_second(pair[0], alias, primary):
        runs = check_three_times(check, pair, alias)
    for run in runs:
        assert run.exit_code == 1
        assert run.only("V001")["subject"] == "ticker"
        assert run.only("V001")["severity"] == "error"


def test_replica_that_follows_is_no_divergence_under_a_hot_key(
    stores: dict[str, tuple[RedisServer, RedisServer]], pair: tuple[Node, ...], check: Check
) -> None:
    with written_every_second(pair[0], "following", stores["following"][1]):
        runs = check_three_times(check, pair, "following")
    for run in runs:
        assert run.codes == ["B006"]  # the second node would write to a server that takes no writes
        assert "read-only" in run.only("B006")["message"]


# --- equal values in different bytes -------------------------------------------------------

TAGS = repr({f"tag-{number}" for number in range(40)})


def is_encoding_at_most(checked: Checked) -> bool:
    of_entries = {code for code in checked.codes if code[0] in "VT"}
    return checked.exit_code == 0 and of_entries <= {"V003"}


@pytest.mark.parametrize("alias", ["default", "copied"])
def test_set_written_under_two_hash_seeds_is_one_value(
    pair: tuple[Node, ...], check: Check, alias: str
) -> None:
    for node in pair:
        node.app("set", cache=alias, key="tags", literal=TAGS, timeout=None)
    checked = check(pair, "--cache", alias, "--key", "tags")
    assert is_encoding_at_most(checked)
    assert checked.only("V003")["severity"] == "info"
    assert checked.cache(alias)["coverage"]["keys_compared"] == 1


# Each is written by one line of Python in the site, so that it is pickled by that site's Django.
WRITTEN = {
    "model": "User(username='ada', is_active=True, date_joined=datetime(2026, 1, 1, tzinfo=UTC))",
    "safe": "mark_safe('<b>bold</b>')",
    "set": "{f'tag-{number}' for number in range(40)}",
    "nested": "{'when': datetime(2026, 1, 1, tzinfo=UTC), 'price': Decimal('9.90'), 'at': (1, 2)}",
}
IMPORTS = (
    "from datetime import UTC, datetime; from decimal import Decimal; "
    "from django.contrib.auth.models import User; from django.core.cache import cache; "
    "from django.utils.safestring import mark_safe; "
)


def test_value_written_by_two_djangos_is_one_value(launch: Launch, check: Check) -> None:
    ours = "{}.{}".format(*sys.version_info)
    others = {version: path for version, path in other_pythons().items() if version != ours}
    if not others:
        pytest.skip("no other Python was prepared: tests/matrix install 3.13")
    python = others[max(others, key=lambda version: tuple(map(int, version.split("."))))]
    nodes = launch.nodes(
        {"caches": {"default": on(launch.redis())}},
        {"caches": {"default": on(launch.redis())}, "python": python},
        cachecheck={"SCOPES": {"default": "host"}},
        settings={"INSTALLED_APPS": ["django.contrib.contenttypes", "django.contrib.auth"]},
        workers=1,
    )
    code = IMPORTS + "; ".join(
        f"cache.set({key!r}, {value}, None)" for key, value in WRITTEN.items()
    )
    for node in nodes:
        assert node.manage("shell", "-c", code).exit_code == 0
    named = [word for key in WRITTEN for word in ("--key", key)]
    checked = check(nodes, "--fail-on", "error", *named)
    assert is_encoding_at_most(checked), checked.findings
    assert checked.only("F005")["severity"] == "warning"  # both share what is one host's own
    assert "V003" in checked.codes
    assert checked.cache()["coverage"]["keys_compared"] == len(WRITTEN)


# --- lag -----------------------------------------------------------------------------------


def test_lag_that_heals_while_it_settles_is_only_a_note(
    pair: tuple[Node, ...], check: Check
) -> None:
    for node, value in zip(pair, ("fresh", "stale"), strict=True):
        node.app("set", key="late", value=value, timeout=None)
    looks = pair[1].log.count("read of default, 1 keys")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(check, pair, "--cache", "default", "--key", "late", "--settle", "10")
        wait_until(
            lambda: run.done() or pair[1].log.count("read of default, 1 keys") > looks,
            30.0,
            what="the first look",
        )
        pair[1].app("set", key="late", value="fresh", timeout=None)
        checked = run.result()
    assert checked.codes == []
    assert checked.exit_code == 0
    assert checked.report["run"]["duration_seconds"] < 10
    (note,) = (note for note in checked.cache()["coverage"]["notes"] if "agreed within" in note)
    assert note.startswith("1 key differed at first and agreed within")
