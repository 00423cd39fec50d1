from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.model import Counters, ServerCounters
from cachecheck.rules.hit_ratio import check
from cachecheck.rules.ratios import told
from observed import (
    HOUR,
    NOW,
    cache,
    codes,
    fleet,
    grouped,
    healthy,
    node,
    unseen_cache,
    web,
    worker,
)

if TYPE_CHECKING:
    from cachecheck.model import CacheDescription
    from cachecheck.rules.observations import ObservedNode

ON = cache(is_counting=True)


def counted(hits: int, requests: int, *, age_seconds: float = HOUR, **changed: Any) -> Any:
    """Describe an alias that was asked so many times."""
    counters = Counters(hits=hits, misses=requests - hits, since=NOW - age_seconds)
    return cache(is_counting=True, counters=counters, **changed)


def nodes(*described: CacheDescription) -> list[ObservedNode]:
    return [web(f"web-{number}", one) for number, one in enumerate(described, start=1)]


# --- H001 ----------------------------------------------------------------------------------


def test_ratios_that_differ_on_many_requests_are_drift() -> None:
    (found,) = check(fleet(*nodes(counted(4500, 5000), counted(4000, 5000))))
    assert (found.code, found.severity, found.cache) == ("H001", "warning", "default")
    assert grouped(found) == {
        "90.0 % of 5,000": ("web-1:1",),
        "80.0 % of 5,000": ("web-2:1",),
    }
    assert "80.0 % of 5,000 on web-2; 90.0 % of 5,000 on web-1" in found.message


def test_node_that_is_alone_with_its_ratio_is_told_apart_from_the_others() -> None:
    described = [counted(4500, 5000), counted(4470, 5000), counted(2000, 5000), counted(4520, 5000)]
    (found,) = check(fleet(*nodes(*described)))
    assert [group.views for group in found.groups] == [
        ("web-1:1", "web-2:1", "web-4:1"),
        ("web-3:1",),
    ]
    assert "40.0 % of 5,000 on web-3" in found.message


@pytest.mark.parametrize(
    ("hits", "requests"),
    [(4500, 5000), (4300, 5000), (34, 40), (20, 40), (0, 0)],
    ids=["equal", "four points", "few", "few and far apart", "none"],
)
def test_alike_or_too_few_to_say_is_silent(hits: int, requests: int) -> None:
    assert check(fleet(*nodes(counted(4500, 5000), counted(hits, requests)))) == ()


def test_equal_ratios_are_never_called_different_in_two_hundred_checks() -> None:
    seeded = random.Random(4711)
    found = []
    for _ in range(200):
        drawn = [sum(seeded.random() < 0.9 for _ in range(5000)) for _ in range(2)]
        found += check(fleet(*nodes(*(counted(hits, 5000) for hits in drawn))))
    assert found == []


def test_workers_of_a_node_are_added_up() -> None:
    uneven = node(
        "web-1",
        [
            worker("web-1", 1, (counted(2400, 2500),)),
            worker("web-1", 2, (counted(2100, 2500),)),
        ],
    )
    assert check(fleet(uneven, web("web-2", counted(4500, 5000)))) == ()


def test_roles_and_applications_are_not_compared_with_each_other() -> None:
    high, low = counted(4500, 5000), counted(1000, 5000)
    celery = node("web-1", [worker("web-1", 1, (high,)), worker("web-1", 2, (low,), role="celery")])
    assert check(fleet(celery, web("web-2", high))) == ()
    assert check(fleet(web("web-1", high), web("blog-1", low, application="blog"))) == ()


@pytest.mark.parametrize("scope", ["worker", "host"])
def test_caches_that_are_meant_to_be_private_may_differ(scope: Any) -> None:
    described = [
        counted(4500, 5000, declared_scope=scope),
        counted(4000, 5000, declared_scope=scope),
    ]
    (found,) = check(fleet(*nodes(*described)))
    assert (found.code, found.severity) == ("H001", "info")


@pytest.mark.parametrize("age_seconds", [60, HOUR / 3])
def test_worker_that_was_started_later_may_differ(age_seconds: float) -> None:
    young = counted(60, 200, age_seconds=age_seconds)
    (found,) = check(fleet(*nodes(counted(4500, 5000), young)))
    assert (found.code, found.severity) == ("H001", "info")
    assert "--window" in found.message


def test_rolling_restart_starts_workers_soon_enough_to_be_compared() -> None:
    later = counted(4000, 5000, age_seconds=0.9 * HOUR)
    (found,) = check(fleet(*nodes(counted(4500, 5000), later)))
    assert (found.code, found.severity) == ("H001", "warning")


def test_counts_of_a_server_are_those_of_all_its_clients_and_not_compared() -> None:
    def served(hits: int) -> CacheDescription:
        counters = ServerCounters(server="one", hits=hits, misses=5000 - hits, since=NOW - HOUR)
        return cache(server_counters=counters)

    assert check(fleet(*nodes(served(4500), served(1000)))) == ()


def test_more_caches_make_each_comparison_stricter() -> None:
    names = ("one", "two", "three")
    high = [counted(540, 600, alias=alias) for alias in names]
    low = [counted(501, 600, alias=alias) for alias in names]  # 9 in 10,000 by chance
    assert codes(check(fleet(web("web-1", high[0]), web("web-2", low[0])))) == ["H001"]
    assert check(fleet(web("web-1", *high), web("web-2", *low))) == ()


def test_sentence_says_what_was_compared_and_what_was_too_little() -> None:
    assert told(fleet(*nodes(counted(4500, 5000), counted(4500, 5000))), "default") == (
        "hit ratios compared over 2 nodes"
    )
    few = told(fleet(*nodes(counted(4500, 5000), counted(34, 40))), "default")
    assert few == "too few requests to compare hit ratios of web-2 (40 on web-2, 100 are needed)"
    assert told(healthy(), "default") is None


def test_sentence_names_workers_whose_counts_were_lost_in_a_window() -> None:
    lost = cache(is_counting=True)
    whole = counted(4500, 5000)
    assert told(fleet(*nodes(whole, whole, lost)), "default") == (
        "hit ratios compared over 2 nodes; what web-3 counted in the window is not known: "
        "restarted, or not heard twice"
    )
    nothing = told(fleet(*nodes(lost, lost)), "default")
    assert nothing is not None
    assert nothing.startswith("what web-1 and web-2 counted in the window is not known")


# --- H003 ----------------------------------------------------------------------------------


def test_counting_on_some_nodes_only_is_information() -> None:
    (found,) = check(fleet(web("web-1", ON), web("web-2", ON), web("web-3")))
    assert (found.code, found.severity) == ("H003", "info")
    assert (found.cache, found.subject) == ("default", "shop")
    assert "not counted on web-3" in found.message
    assert grouped(found) == {"counted": ("web-1:1", "web-2:1"), "not counted": ("web-3:1",)}


def test_one_setting_for_all_caches_is_one_finding() -> None:
    counted = [cache(alias, is_counting=True) for alias in ("default", "sessions")]
    uncounted = [cache("default"), cache("sessions")]
    (found,) = check(fleet(web("web-1", *counted), web("web-2", *uncounted)))
    assert found.cache is None
    assert found.evidence["caches"] == ["default", "sessions"]


@pytest.mark.parametrize("is_counting", [True, False])
def test_the_same_everywhere_is_silent(*, is_counting: bool) -> None:
    same = cache(is_counting=is_counting)
    assert check(fleet(web("web-1", same), web("web-2", same))) == ()


def test_nothing_is_said_of_applications_that_count_and_others_that_do_not() -> None:
    assert check(fleet(web("web-1", ON), web("blog-1", application="blog"))) == ()


def test_backend_that_could_not_be_looked_at_is_no_difference() -> None:
    assert check(fleet(web("web-1", ON), web("web-2", unseen_cache()))) == ()
    assert check(healthy()) == ()
