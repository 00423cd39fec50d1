from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.coordinator.rows import node_rows
from cachecheck.model import (
    AgreementRow,
    CacheRow,
    Counters,
    CoverageRow,
    HitRatioRow,
    Report,
    RunRow,
    ViewRow,
)
from cachecheck.moments import iso
from cachecheck.rules import hit_ratio
from cachecheck.rules.collapse import check
from cachecheck.rules.past import since
from observed import HOUR, NOW, cache, fleet, web

if TYPE_CHECKING:
    from cachecheck.rules.observations import Fleet


def counted(hits: int, requests: int, *, since: float = NOW - HOUR) -> Any:
    counters = Counters(hits=hits, misses=requests - hits, since=since)
    return cache(is_counting=True, counters=counters)


def ratio_row(node: str) -> HitRatioRow:
    return HitRatioRow(
        view=ViewRow(node=node, worker=f"{node}:1"),
        source="agent",
        since=iso(NOW - HOUR),
        hits=9000,
        misses=1000,
        ratio=0.9,
        interval95=None,
    )


EARLIER = Report(
    run=RunRow(id="r", version="0", started_at=iso(NOW - 600), duration_seconds=1.0),
    verdict="consistent",
    nodes=node_rows(fleet(web("web-1"), web("web-2"))),
    caches=(
        CacheRow(
            alias="default",
            stores=(),
            namespaces=(),
            coverage=CoverageRow(
                mode="none", keys_compared=0, keys_known=None, views_compared=2, views_expected=2
            ),
            agreement=AgreementRow(
                agreeing=0, diverging=0, flapping=0, unread=0, rate=None, interval95=None
            ),
            hit_ratios=(ratio_row("web-1"), ratio_row("web-2")),
        ),
    ),
    findings=(),
)


def now(first: Any, second: Any, **changed: Any) -> Fleet:
    return fleet(web("web-1", first, **changed), web("web-2", second))


def test_ratio_that_fell_since_the_baseline_is_a_collapse() -> None:
    (found,) = check(now(counted(9000 + 500, 11_000), counted(9900, 11_000)), EARLIER)
    assert (found.code, found.severity, found.cache) == ("H002", "warning", "default")
    assert found.message == "hits on web-1 fell from 90.0 % of 10,000 to 50.0 % of 1,000"
    assert found.groups[0].views == ("web-1:1",)


def test_ratio_that_stayed_or_rose_is_silent() -> None:
    assert check(now(counted(9900, 11_000), counted(9980, 11_000)), EARLIER) == ()


def test_too_few_requests_since_then_say_nothing() -> None:
    assert check(now(counted(9000, 10_040), counted(9000, 10_000)), EARLIER) == ()


def test_worker_that_was_restarted_is_not_compared() -> None:
    young = counted(100, 1000, since=NOW - 60)
    assert check(now(young, counted(9900, 11_000), age_seconds=60), EARLIER) == ()


def test_counters_that_began_anew_are_not_compared() -> None:
    assert check(now(counted(100, 1000), counted(9900, 11_000)), EARLIER) == ()


def test_window_of_the_same_worker_is_compared_as_it_is() -> None:
    window = counted(500, 1000, since=NOW - 60)
    (found,) = check(now(window, counted(9900, 11_000)), EARLIER)
    assert found.message == "hits on web-1 fell from 90.0 % of 10,000 to 50.0 % of 1,000"


def test_ratios_of_nodes_are_compared_by_what_was_counted_since_the_baseline() -> None:
    seen = now(counted(9000 + 500, 11_000), counted(9900, 11_000))
    assert hit_ratio.check(seen) == ()  # 86.4 and 90.0 % of all
    (found,) = hit_ratio.check(since(seen, EARLIER))
    assert (found.code, found.severity) == ("H001", "warning")
    assert found.message.startswith("hits: 90.0 % of 1,000 on web-2; 50.0 % of 1,000 on web-1")
    assert found.evidence["counted_seconds"] == {"A": 600, "B": 600}
    assert hit_ratio.check(since(now(counted(9900, 11_000), counted(9910, 11_000)), EARLIER)) == ()


def test_worker_that_began_after_the_baseline_is_compared_by_all_that_it_counted() -> None:
    young = counted(450, 1000, since=NOW - 400)
    (found,) = hit_ratio.check(since(now(young, counted(9900, 11_000)), EARLIER))
    assert found.message.startswith("hits: 90.0 % of 1,000 on web-2; 45.0 % of 1,000 on web-1")


def test_worker_that_the_baseline_does_not_know_is_compared_by_all_it_counted_as_information() -> (
    None
):
    other = fleet(web("web-1", counted(9900, 11_000)), web("web-3", counted(5000, 11_000)))
    (found,) = hit_ratio.check(since(other, EARLIER))
    assert (found.code, found.severity) == ("H001", "info")
    assert "counted over different times" in found.message


def test_baseline_whose_moment_cannot_be_read_changes_nothing() -> None:
    run = msgspec.structs.replace(EARLIER.run, started_at="yesterday")
    seen = now(counted(9500, 11_000), counted(9900, 11_000))
    assert since(seen, msgspec.structs.replace(EARLIER, run=run)) == seen


def test_without_a_baseline_nothing_is_said() -> None:
    seen = now(counted(500, 1000), counted(900, 1000))
    assert check(seen, None) == ()
    assert since(seen, None) == seen
