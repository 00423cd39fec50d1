from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cachecheck.coordinator.detail import Detail
from cachecheck.coordinator.key_rows import key_rows
from cachecheck.model import Expired, Failed, HeldRow, Key, Missing, Present
from cachecheck.rules.observations import View
from observed import NOW, fleet, web

if TYPE_CHECKING:
    from cachecheck.model import Reading


def present(digest: str = "aa" * 16, left: float | None = 100.0) -> Present:
    expires_at = None if left is None else NOW + left
    return Present(digest=digest, size_bytes=7, expires_at=expires_at)


def held(*readings: Reading, timeout: float | None = 300.0) -> tuple[HeldRow, ...]:
    views = [View(node=f"web-{at}", worker=f"web-{at}:1", cache="default") for at in range(9)]
    detail = Detail(
        cache="default",
        application="shop",
        key=Key(name="k"),
        judgement="healed",
        looked_at=NOW,
        timeout=timeout,
        tolerance_seconds=2.0,
        held=tuple(((view,), reading) for view, reading in zip(views, readings, strict=False)),
    )
    seen = fleet(*(web(f"web-{at}", release=f"r{at % 2}") for at in range(9)))
    (row,) = key_rows([detail], seen, lambda key: key.name)
    return row.held


def test_views_that_agree_are_one_row_and_the_largest_stands_first() -> None:
    other = present("bb" * 16)
    first, second = held(other, present(), present())
    assert (first.label, first.views, first.digest) == ("A", ("web-1:1", "web-2:1"), "aaaaaa")
    assert (second.label, second.views, second.digest) == ("B", ("web-0:1",), "bbbbbb")
    assert first.releases == ("r0", "r1")


def test_views_that_cannot_read_a_value_are_a_row_of_their_own() -> None:
    lacking = replace(present(), unreadable=("shop.Gone",))
    first, second = held(present(), present(), lacking)
    assert (first.views, first.unreadable) == (("web-0:1", "web-1:1"), ())
    assert (second.views, second.unreadable) == (("web-2:1",), ("shop.Gone",))


def test_a_value_is_shown_by_whoever_allows_it() -> None:
    (row,) = held(present(), replace(present(), shown="{'a': 1}"))
    assert row.shown == "{'a': 1}"


def test_expiries_within_the_tolerance_are_one_row_wherever_they_lie() -> None:
    assert len(held(present(left=99.9), present(left=100.1), present(left=101.0))) == 1
    assert len(held(present(left=100.0), present(left=110.0))) == 2
    assert len(held(present(left=100.0), present(left=None))) == 2


def test_what_is_not_there_is_told_by_how() -> None:
    rows = held(
        Missing(),
        Expired(expires_at=NOW - 5),
        Failed(reason="withheld", detail="this node's"),
        Failed(reason="error"),
    )
    told = {row.state: row.detail for row in rows if row.detail != "error"}
    assert told == {"missing": None, "expired": None, "failed": "this node's"}


@pytest.mark.parametrize(
    ("left", "timeout", "age"),
    [(100.0, 300.0, 200.0), (400.0, 300.0, None), (None, 300.0, None), (100.0, None, None)],
    ids=["default", "a longer one", "never expires", "no default"],
)
def test_age_is_told_where_the_default_timeout_may_have_been_used(
    left: float | None, timeout: float | None, age: float | None
) -> None:
    (row,) = held(present(left=left), timeout=timeout)
    assert row.age_seconds == age
