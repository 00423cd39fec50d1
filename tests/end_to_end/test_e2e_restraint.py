"""`check --all` goes no faster than it may, no longer than it may, and says what it left."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from harness.planting import Faults, fill_redis, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conftest import RunCli
    from harness.redis import RedisServer
    from harness.scenarios import Check, Checked, Launch

COUNT = 8_000
ALL = ("--all", "--settle", "0")


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
def servers(launch: Launch, faults: Faults) -> list[RedisServer]:
    """Two servers with the same entries but for 160 faults; the tests here only read them."""
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(COUNT, faults))
    return servers


def named(checked: Checked) -> set[str]:
    """Name the keys of all findings that are about keys."""
    return {one["subject"] for one in checked.findings if one["code"][0] in "VT"}


def reads(servers: Sequence[RedisServer]) -> int:
    """Count how many values servers were asked for, each key once."""
    found = 0
    for server in servers:
        with server.client() as client:
            told = client.info("commandstats")
        found += sum(
            told.get(f"cmdstat_{command}", {"calls": 0})["calls"] for command in ("getrange", "get")
        )
    return found


class Watch:
    """Looks several times a second how much servers were read, until the block ends."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self.seen: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.seen.append((time.monotonic(), self._look()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def fastest(self, window_seconds: float) -> float:
        """Give the most reads a second over any span that is at least so long."""
        return max(
            (later - earlier) / (end - start)
            for start, earlier in self.seen
            for end, later in self.seen
            if end - start >= window_seconds
        )


def test_a_rate_is_kept_over_all_stores_at_every_moment(
    servers: list[RedisServer], faults: Faults, check: Check
) -> None:
    rate = 4000
    with Watch(lambda: reads(servers)) as watch:
        checked = check([server.url for server in servers], *ALL, "--rate", str(rate))
    assert named(checked) == set().union(*faults.named.values())
    assert watch.fastest(window_seconds=1.5) <= 1.3 * rate
    assert watch.fastest(window_seconds=1.5) >= 0.5 * rate, "it does not dawdle either"


def test_a_deadline_ends_it_in_order_with_what_is_known(
    servers: list[RedisServer], faults: Faults, check: Check
) -> None:
    known = sorted(faults.named["changed"])[:2]
    checked = check(
        [server.url for server in servers],
        *(*ALL, "--rate", "1000", "--deadline", "8"),
        *(word for key in known for word in ("--key", key)),
    )
    assert checked.exit_code == 1, "what is known is known"
    assert set(known) <= named(checked)
    assert any("raise --deadline" in line for line in checked.report["undecided"])
    assert checked.cache()["coverage"]["mode"] == "sample"


def test_a_deadline_that_leaves_everything_open_is_undecided(launch: Launch, check: Check) -> None:
    servers = [launch.redis() for _ in range(2)]
    fill_redis(*servers, pairs(COUNT, None))
    checked = check([server.url for server in servers], *ALL, "--rate", "2000", "--deadline", "2")
    assert checked.exit_code == 3
    assert any("raise --deadline" in line for line in checked.report["undecided"])
    coverage = checked.cache()["coverage"]
    assert coverage["keys_compared"] < COUNT


def test_one_store_alone_has_nothing_to_differ_from(
    servers: list[RedisServer], check: Check
) -> None:
    checked = check([servers[0].url], *ALL)
    assert named(checked) == set()
    assert checked.exit_code in {0, 3}
    assert checked.cache()["agreement"] is None or checked.cache()["agreement"]["diverging"] == 0


def test_a_store_that_cannot_be_listed_is_named_and_the_others_are_audited(
    launch: Launch, servers: list[RedisServer], faults: Faults, check: Check
) -> None:
    locked = launch.redis(users=["user default on nopass ~* +@all -scan"])
    addresses = [*(server.url for server in servers), locked.url]
    checked = check(addresses, *ALL, "--max-findings", "5000")
    assert named(checked) >= set().union(*faults.named.values())
    assert any(locked.address in line for line in checked.report["undecided"]), checked
    assert not any("far more" in note for note in checked.cache()["coverage"]["notes"])


def test_caches_that_nobody_can_list_are_undecided(launch: Launch, check: Check) -> None:
    users = ["user default on nopass ~* +@all -scan"]
    locked = [launch.redis(users=users) for _ in range(2)]
    for number, server in enumerate(locked):
        with server.client() as client:
            client.set("greeting", f"hello {number}")
    checked = check([server.url for server in locked], *ALL)
    assert checked.exit_code == 3
    assert any("forbid SCAN" in line for line in checked.report["undecided"]), checked
    named_too = check([server.url for server in locked], *ALL, "--key", "greeting")
    assert named_too.exit_code == 1
    assert named(named_too) == {"greeting"}


def test_keys_that_are_named_beside_it_are_compared_once(
    servers: list[RedisServer], faults: Faults, check: Check
) -> None:
    everything = set().union(*faults.named.values())
    agreeing = next(
        name for one, _ in pairs(COUNT, None) if one and (name := one.name) not in everything
    )
    words = [word for key in (min(everything), agreeing) for word in ("--key", key)]
    checked = check([server.url for server in servers], *ALL, *words)
    subjects = [one["subject"] for one in checked.findings if one["code"][0] in "VT"]
    assert sorted(subjects) == sorted(everything)
    cache = checked.cache()
    assert cache["coverage"]["mode"] == "all"
    assert cache["agreement"]["diverging"] == len(subjects)
    assert cache["agreement"]["agreeing"] == COUNT - len(subjects)
    assert cache["coverage"]["keys_compared"] == COUNT


def test_a_pattern_narrows_it(servers: list[RedisServer], faults: Faults, check: Check) -> None:
    checked = check([server.url for server in servers], *ALL, "--match", "catalogue:item:0001*")
    everything = set().union(*faults.named.values())
    assert named(checked) == {key for key in everything if key.startswith("catalogue:item:0001")}
    assert checked.cache()["coverage"]["keys_compared"] == 1000
    nothing = check([server.url for server in servers], *ALL, "--match", "no such key")
    assert named(nothing) == set()
    assert nothing.cache()["coverage"]["keys_compared"] == 0


def test_a_plan_of_it_reads_no_entry(servers: list[RedisServer], run_cli: RunCli) -> None:
    before = reads(servers)  # but for one key of its own that each store is reached by
    done = run_cli("check", *(server.url for server in servers), *ALL, "--plan")
    assert (done.exit_code, done.stderr) == (0, ""), done
    assert "every key" in done.stdout, done.stdout
    assert reads(servers) <= before + len(servers)
