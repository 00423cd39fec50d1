from __future__ import annotations

from typing import Any

import pytest

from cachecheck.coordinator.window import between
from cachecheck.model import Counters, KeyGroup, ServerCounters
from cachecheck.rules.observations import Fleet
from observed import HOUR, NOW, cache, fleet, node, web, worker

SINCE = NOW - HOUR


def counters(hits: int, misses: int = 10, **changed: Any) -> Counters:
    return Counters(hits=hits, misses=misses, **{"since": SINCE, **changed})


def server(hits: int, **changed: Any) -> ServerCounters:
    told: dict[str, Any] = {"server": "one", "misses": 5, "since": SINCE, "evictions": 3}
    return ServerCounters(hits=hits, **{**told, **changed})


def looked(*, seconds_later: float = 0.0, **changed: Any) -> Fleet:
    return Fleet(nodes=fleet(web("web-1", cache(**changed))).nodes, now=NOW + seconds_later)


def only(seen: Fleet) -> Any:
    return seen.workers[0].caches[0]


def test_counters_are_what_was_counted_between_two_looks() -> None:
    first = looked(counters=counters(100, sets=7, evictions=1))
    second = looked(seconds_later=10, counters=counters(160, 12, sets=9, evictions=4))
    counted = only(between(first, second)).counters
    assert (counted.hits, counted.misses, counted.sets, counted.evictions) == (60, 2, 2, 3)
    assert counted.since == pytest.approx(NOW, abs=1)
    assert between(first, second).now == NOW + 10


def test_groups_of_keys_are_subtracted_one_by_one() -> None:
    def grouped(*groups: tuple[str | None, int]) -> Counters:
        made = (KeyGroup(name=name, hits=hits, misses=0) for name, hits in groups)
        return counters(0, groups=tuple(made))

    first = looked(counters=grouped(("user", 5), (None, 2)))
    second = looked(counters=grouped(("user", 9), (None, 2), ("page", 1)))
    groups = only(between(first, second)).counters.groups
    assert [(group.name, group.hits) for group in groups] == [("user", 4), (None, 0), ("page", 1)]


@pytest.mark.parametrize(
    "second",
    [counters(50), counters(160, since=NOW), None],
    ids=["fewer hits", "counted from another moment", "not counted any more"],
)
def test_counters_that_began_anew_are_not_known(second: Counters | None) -> None:
    assert only(between(looked(counters=counters(100)), looked(counters=second))).counters is None


def test_worker_that_was_not_heard_again_counted_nothing_that_is_known() -> None:
    first = looked(counters=counters(100))
    another = worker("web-1", 2, (cache(counters=counters(900)),))
    second = fleet(node("web-1", [another]))
    found = between(first, second)
    assert only(found).counters is None
    assert [one.label for one in found.workers] == ["web-1:1"]


def test_server_counters_are_subtracted() -> None:
    first = looked(server_counters=server(100, own_hits=10, evicted=(("64 bytes", 2),)))
    later = server(150, own_hits=25, evictions=9, evicted=(("64 bytes", 6),), since=SINCE + 0.4)
    found = only(between(first, looked(server_counters=later))).server_counters
    assert (found.hits, found.misses, found.evictions, found.own_hits) == (50, 0, 6, 15)
    assert found.evicted == (("64 bytes", 4),)


@pytest.mark.parametrize(
    "second",
    [server(150, server="two"), server(20), server(150, since=NOW - 5)],
    ids=["another server", "fewer hits", "restarted"],
)
def test_server_that_began_anew_is_not_known(second: ServerCounters) -> None:
    first = looked(server_counters=server(100))
    assert only(between(first, looked(server_counters=second))).server_counters is None
