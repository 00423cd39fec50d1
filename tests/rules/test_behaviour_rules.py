"""C001 to C006: each fault is named with its pairs, and its healthy twin is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.rules import behaviour
from cachecheck.rules.behaviour.words import MOST_NAMED
from cachecheck.rules.observations import Fleet, View
from cachecheck.rules.trials import Counting, Lasting, Race, Sighting, Trial
from observed import codes, fleet, web

if TYPE_CHECKING:
    from cachecheck.model import Finding

A, B, C = (View(node=f"web-{n}", worker=f"web-{n}:1", cache="default") for n in (1, 2, 3))
VIEWS = (A, B, C)
FLEET: Fleet = fleet(*(web(f"web-{number}") for number in (1, 2, 3)))
WHATS = ("text", "none", "unicode", "large", "overwrite", "delete")


def sighting(writer: View, reader: View, what: str = "text", **changed: Any) -> Sighting:
    fields = {"what": what, "writer": writer, "reader": reader, "fate": "seen", "looked": 2}
    return Sighting(**{**fields, **changed})


def healthy() -> Trial:
    """A trial of three views in which nothing is wrong."""
    return Trial(
        cache="default",
        application="shop",
        views=VIEWS,
        pairs=6,
        pairs_chosen=6,
        sightings=tuple(
            sighting(writer, reader, what) for what in WHATS for writer in VIEWS for reader in VIEWS
        ),
        races=(Race(views=VIEWS, winners=((A,), (B,)), rounds=1, broken_rounds=0),),
        countings=(counting((60, 60, 60)),),
        lastings=tuple(lasting(view) for view in VIEWS),
    )


def counting(read: tuple[int | None, ...], most: int = 60) -> Counting:
    told = tuple(zip(VIEWS, read, strict=True))
    return Counting(views=VIEWS, least=60, most=most, read=told, looked=3, persisted_seconds=10.0)


def lasting(view: View, fate: str = "honoured") -> Lasting:
    return Lasting(view=view, fate=fate, asked_seconds=2.0, after_seconds=4.0, tries=2)  # type: ignore[arg-type]


def with_changed(trial: Trial, change: Any) -> Trial:
    changed = tuple(
        msgspec.structs.replace(one, **change(one)) if change(one) else one
        for one in trial.sightings
    )
    return msgspec.structs.replace(trial, sightings=changed)


def found(trial: Trial, tolerance: float = 0.5, **causes: str) -> tuple[Finding, ...]:
    return behaviour.check(FLEET, [trial], tolerance, causes)


def only(trial: Trial, **causes: str) -> Finding:
    (one,) = found(trial, **causes)
    return one


def test_a_cache_that_does_all_that_is_tried_is_silent() -> None:
    assert found(healthy()) == ()


# --- C001 and C002 ---------------------------------------------------------------------------


def unseen(what: str = "text", fate: str = "absent") -> Trial:
    """A trial in which nothing of this kind that others wrote is seen through C."""

    def change(one: Sighting) -> dict[str, Any]:
        is_it = one.what == what and one.reader == C and one.writer != C
        return {"fate": fate, "persisted_seconds": 10.04} if is_it else {}

    return with_changed(healthy(), change)


def test_c001_names_the_pairs_that_do_not_see_each_other() -> None:
    one = only(unseen())
    assert (one.code, one.severity, one.subject) == ("C001", "error", "set")
    assert "2 of 6 pairs of views" in one.message
    assert one.evidence["pairs"] == ["web-1:1 → web-3:1", "web-2:1 → web-3:1"]
    assert (one.evidence["pairs_failed"], one.evidence["pairs_tried"]) == (2, 9)
    assert one.evidence["persisted_seconds"] == 10.0


def test_c001_groups_the_views_that_see_each_other() -> None:
    def change(one: Sighting) -> dict[str, Any]:
        is_across = one.writer != one.reader and C in {one.writer, one.reader}
        return {"fate": "absent"} if is_across and one.what == "text" else {}

    apart = with_changed(healthy(), change)
    groups = only(apart).groups
    assert [group.views for group in groups] == [("web-1:1", "web-2:1"), ("web-3:1",)]


def test_c001_of_old_values_and_c002_of_deletes_are_told_apart() -> None:
    old = only(unseen("overwrite", "old"))
    assert (old.code, old.subject) == ("C001", "set anew")
    kept = only(unseen("delete", "old"))
    assert (kept.code, kept.severity) == ("C002", "error")
    assert [group.views for group in kept.groups] == [("web-1:1", "web-2:1"), ("web-3:1",)]


def test_what_a_text_does_not_reach_is_said_once() -> None:
    everything = with_changed(
        healthy(),
        lambda one: {"fate": "absent"} if one.reader == C and one.writer != C else {},
    )
    assert [one.subject for one in found(everything) if one.code == "C001"] == ["set", "set anew"]


@pytest.mark.parametrize("what", ["none", "unicode"])
def test_c001_of_a_kind_of_value_alone_is_named(what: str) -> None:
    assert only(unseen(what)).subject == {"none": "None", "unicode": "Unicode"}[what]


def test_a_view_that_could_not_be_read_is_no_finding() -> None:
    assert found(unseen(fate="unread")) == ()


def unwritten(what: str, error: str | None, writers: tuple[View, ...] = (C,)) -> Trial:
    kept = tuple(
        one for one in healthy().sightings if one.what != what or one.writer not in writers
    )
    failed = tuple(
        sighting(view, view, what, fate="unwritten", error=error, looked=0) for view in writers
    )
    return msgspec.structs.replace(healthy(), sightings=kept + failed)


def test_c001_names_the_error_of_a_write() -> None:
    one = only(unwritten("text", "ReadOnlyError"))
    assert (one.code, one.severity) == ("C001", "error")
    assert one.message == "set() raises ReadOnlyError through web-3"
    assert one.evidence["errors"] == {"ReadOnlyError": ["web-3:1"]}


def test_a_large_value_is_information_where_it_raises_and_a_warning_in_silence() -> None:
    loud = only(unwritten("large", "MemcacheServerError", VIEWS))
    assert (loud.severity, loud.subject) == ("info", "value of 1.5 MB")
    silent = with_changed(healthy(), lambda one: {"fate": "absent"} if one.what == "large" else {})
    assert only(silent).severity == "warning"
    assert "dropped in silence" in only(silent).message
    assert only(unseen("large")).severity == "error"  # some see it: that is no limit


# --- C003 to C005 ----------------------------------------------------------------------------


def raced(broken_rounds: int) -> Trial:
    race = Race(views=VIEWS, winners=((A, B), (C,)), rounds=2, broken_rounds=broken_rounds)
    return msgspec.structs.replace(healthy(), races=(race,))


def test_c003_names_who_won_one_key() -> None:
    one = only(raced(2))
    assert (one.code, one.severity) == ("C003", "error")
    assert one.evidence["pairs"] == ["web-1:1 and web-2:1"]
    assert "up to 2 times through 3 views, with 1 of 2 keys" in one.message


def test_c003_needs_to_happen_twice() -> None:
    assert found(raced(1)) == ()


def test_c004_groups_the_views_by_what_they_read() -> None:
    one = only(msgspec.structs.replace(healthy(), countings=(counting((20, 40, 20)),)))
    assert (one.code, one.severity) == ("C004", "error")
    assert one.message == "60 times incr() through 3 views made 20 to 40"
    assert {group.value: group.views for group in one.groups} == {
        "20 of 60": ("web-1:1", "web-3:1"),
        "40 of 60": ("web-2:1",),
    }


@pytest.mark.parametrize("read", [(60, 60, 75), (60, None, 60)])
def test_increments_of_which_nothing_is_known_and_numbers_not_read_are_no_c004(read: Any) -> None:
    assert found(msgspec.structs.replace(healthy(), countings=(counting(read, most=80),))) == ()


@pytest.mark.parametrize(
    ("fate", "subject"), [("early", "expiry"), ("late", "expiry"), ("untouched", "touch")]
)
def test_c005_names_the_views(fate: str, subject: str) -> None:
    lastings = (lasting(A), lasting(B), lasting(C, fate))
    one = only(msgspec.structs.replace(healthy(), lastings=lastings))
    assert (one.code, one.severity, one.subject) == ("C005", "error", subject)
    assert one.message.endswith("through web-3")
    assert one.evidence["views_failed"] == 1


# --- C006 ------------------------------------------------------------------------------------


def late(*whats: str) -> Trial:
    def change(one: Sighting) -> dict[str, Any]:
        is_it = one.what in whats and one.reader == C
        return {"lag_seconds": 0.9, "least_lag_seconds": 0.7} if is_it else {}

    return with_changed(healthy(), change)


def test_c006_says_how_late_in_milliseconds() -> None:
    one = only(late("text", "delete"))
    assert (one.code, one.severity) == ("C006", "warning")
    assert "after 700 to 900 ms, in 3 of 9 pairs of views" in one.message
    assert one.evidence["pairs"][0] == "web-1:1 → web-3:1: 900 ms"
    assert {group.value for group in one.groups} == {"late", "in time"}


def test_c006_needs_to_happen_in_two_stages() -> None:
    once = late("text", "none", "unicode")
    assert found(once) == ()
    assert len(behaviour.slow_once(once, 0.5)) == 9
    assert behaviour.slow_once(late("text", "delete"), 0.5) == ()


def test_what_is_not_surely_later_than_the_tolerance_is_in_time() -> None:
    assert found(late("text", "delete"), tolerance=0.8) == ()


# --- together --------------------------------------------------------------------------------


def test_what_keeps_views_apart_explains_what_follows_from_it() -> None:
    assert only(unseen(), default="B001").explained_by == "B001"
    assert only(raced(2), default="N001").explained_by == "N001"
    assert only(unseen(), other="B001").explained_by is None
    loud = only(unwritten("large", "MemcacheServerError", VIEWS), default="B003")
    assert loud.explained_by is None


def test_pairs_are_counted_and_the_first_are_named() -> None:
    many = tuple(View(node="web-1", worker=f"web-1:{n}", cache="default") for n in range(9))
    trial = Trial(
        cache="default",
        application="shop",
        views=many,
        pairs=72,
        pairs_chosen=72,
        sightings=tuple(
            sighting(writer, reader, fate="seen" if writer == reader else "absent")
            for writer in many
            for reader in many
        ),
    )
    one = only(trial)
    assert one.evidence["pairs_failed"] == 72
    assert len(one.evidence["pairs"]) == MOST_NAMED
    assert codes(found(trial)) == ["C001"]
