from __future__ import annotations

from typing import Any

import pytest

from cachecheck.model import CacheDescription, Counters, ServerCounters
from cachecheck.rules.pressure import check
from observed import HOUR, NOW, cache, fleet, grouped, healthy, web


def local(max_entries: int = 300, *, sets: int = 10, evictions: int | None = 0) -> CacheDescription:
    counters = Counters(hits=0, misses=0, since=NOW - HOUR, sets=sets, evictions=evictions)
    settings = (("max_entries", str(max_entries)), ("cull_frequency", "3"))
    return cache(kind="locmem", settings=settings, counters=counters, is_counting=True)


def served(server: str = "one", *, evictions: int = 0, **limits: Any) -> CacheDescription:
    limits = {"maxmemory": "0", "maxmemory_policy": "noeviction"} | limits
    counters = ServerCounters(
        server=server,
        hits=0,
        misses=0,
        since=NOW - HOUR,
        evictions=evictions,
        limits=tuple(limits.items()),
    )
    return cache(server_counters=counters)


def test_culling_is_named_with_its_bound() -> None:
    seen = fleet(web("web-1", local(sets=1000, evictions=812)), web("web-2", local()))
    (found,) = check(seen, None)
    assert (found.code, found.severity, found.cache) == ("B008", "info", "default")
    assert found.message == (
        "812 entries were culled to make room for 1,000 that were set, on web-1: MAX_ENTRIES is 300"
    )


def test_culling_by_what_the_application_did_not_set_is_told_as_such() -> None:
    (found,) = check(fleet(web("web-1", local(sets=0, evictions=32)), web("web-2", local())), 2.0)
    assert found.message == "32 entries were culled, on web-1: MAX_ENTRIES is 300"


@pytest.mark.parametrize("evictions", [0, None])
def test_cache_with_room_is_silent(evictions: int | None) -> None:
    assert check(fleet(web("web-1", local(evictions=evictions))), None) == ()
    assert check(healthy(), 60.0) == ()


def test_limits_that_differ_are_a_warning() -> None:
    (found,) = check(fleet(web("web-1", local(300)), web("web-2", local(1000))), None)
    assert (found.code, found.severity) == ("B008", "warning")
    assert grouped(found) == {
        "max_entries=300": ("web-1:1",),
        "max_entries=1000": ("web-2:1",),
    }


def test_eviction_policies_of_servers_that_differ_are_a_warning() -> None:
    other = served("two", maxmemory_policy="allkeys-lru")
    (found,) = check(fleet(web("web-1", served()), web("web-2", other)), None)
    assert (found.code, found.severity) == ("B008", "warning")
    assert found.evidence["differs"] == ["maxmemory_policy"]


def test_server_that_does_not_say_its_limits_is_no_difference() -> None:
    silent = cache(server_counters=ServerCounters(server="two", hits=0, misses=0, since=NOW))
    assert check(fleet(web("web-1", served()), web("web-2", silent)), None) == ()


def test_server_that_evicts_between_two_looks_is_named_once() -> None:
    seen = fleet(web("web-1", served(evictions=40), workers=2), web("web-2", served(evictions=40)))
    (found,) = check(seen, 10.0)
    assert (found.code, found.severity) == ("B008", "info")
    assert found.message == "40 entries were evicted in 10 s by 1 server"


def test_what_a_server_evicted_before_the_run_is_silent() -> None:
    assert check(fleet(web("web-1", served(evictions=40))), None) == ()
