"""Judging suspects: every rule, and simulated deployments with known truth."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.coordinator.compare import Tolerance, differences, is_kept, is_unread
from cachecheck.coordinator.confirm import Look, judge
from cachecheck.model import Expired, Failed, Missing, Present, Reading

FAR = 1e6
TOLERANCE = Tolerance(seconds=2.0, horizon=1000.0)
GONE = Missing()
DOWN = Failed(reason="unreachable", detail="")
DENIED = Failed(reason="denied", detail="")
WITHHELD = Failed(reason="withheld", detail="")


def there(digest: str, expires_at: float | None = FAR, structure: str | None = None) -> Present:
    return Present(digest=digest, size_bytes=1, expires_at=expires_at, structure=structure)


def value(digest: str) -> Present:
    """A reading whose structure could be told, as looks after the first have it."""
    return there(digest, structure=f"structure of {digest}")


def looks(*rows: tuple[Reading, ...], every: float = 4.0) -> tuple[Look, ...]:
    return tuple(Look(at=number * every, readings=readings) for number, readings in enumerate(rows))


def judged(*rows: tuple[Reading, ...], settle: float = 10.0) -> str:
    return judge(looks(*rows), settle_seconds=settle, tolerance=TOLERANCE)


A, B, C, D = value("a"), value("b"), value("c"), value("d")


# --- comparing one look --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "found"),
    [
        ((A, A, A), ()),
        ((A, B), ("value",)),
        ((A, GONE), ("missing",)),
        ((A, Expired(expires_at=1.0)), ("missing",)),
        ((GONE, Expired(expires_at=1.0)), ()),
        ((there("a"), there("b")), ("unknown-structure",)),
        ((there("a", structure="s"), there("b", structure="s")), ("encoding",)),
        ((there("a", 5000.0), there("a", 5001.9)), ()),
        ((there("a", 5000.0), there("a", 5002.1)), ("expiry",)),
        ((there("a", None), there("a", 5000.0)), ("persistence",)),
        ((there("a", None), there("a", None)), ()),
        ((A, DOWN), ()),
    ],
)
def test_readings_differ_in_what_can_be_said(
    readings: tuple[Reading, ...], found: tuple[str, ...]
) -> None:
    assert differences(readings, TOLERANCE) == found


def test_an_entry_about_to_expire_is_neither_missing_nor_drifted() -> None:
    soon = there("a", TOLERANCE.horizon - 1)
    assert differences((soon, GONE), TOLERANCE) == ()
    assert differences((soon, there("a", FAR)), TOLERANCE) == ()


def test_what_one_view_cannot_say_of_an_entry_is_unread() -> None:
    assert is_unread((A, DOWN))
    assert is_unread((A, DENIED))
    assert is_unread((GONE, DENIED))
    assert is_unread((A, Failed(reason="foreign")))


def test_what_is_no_entry_for_any_view_is_kept_from_comparing() -> None:
    foreign = Failed(reason="foreign")
    assert is_kept((DENIED, DENIED))
    assert is_kept((foreign, DENIED))
    assert not is_unread((foreign, DENIED))
    assert not is_kept((DENIED, DOWN))
    assert not is_kept(())


def test_what_any_view_withholds_is_kept_from_comparing() -> None:
    assert is_kept((A, WITHHELD))
    assert not is_unread((A, WITHHELD))
    assert is_unread((A, WITHHELD, DOWN))


# --- the rules -----------------------------------------------------------------------------


def test_one_look_is_never_enough() -> None:
    assert judged((A, B), settle=0) == "open"


def test_two_looks_are_enough_where_settling_is_not_asked_for() -> None:
    assert judged((A, B), (A, B), settle=0) == "divergent"


def test_a_difference_is_open_until_the_settle_time_has_passed() -> None:
    assert judged((A, B), (A, B), (A, B)) == "open"
    assert judged((A, B), (A, B), (A, B), (A, B)) == "divergent"


def test_agreement_in_any_look_heals() -> None:
    assert judged((A, B), (B, B)) == "healed"
    assert judged((A, B), (B, B), (B, C), (C, D)) == "healed"


def test_a_view_that_failed_does_not_heal_the_others() -> None:
    """Leaving a failed view out must not make the rest of a look agree."""
    assert judged((A, B), (A, DOWN), (A, B), (A, B)) != "healed"


def test_a_difference_between_two_is_told_though_a_third_is_down() -> None:
    row = (A, B, DOWN)
    assert judged(row, row, row, row) == "divergent"


def test_agreement_of_all_but_a_failed_view_is_unread() -> None:
    row = (A, A, DOWN)
    assert judged((A, B, A), row, row, row) == "unread"


def test_agreement_of_all_but_a_view_that_withholds_is_kept() -> None:
    row = (A, A, WITHHELD)
    assert judged((A, B, WITHHELD), row, row, row) == "kept"
    apart = (A, B, WITHHELD)
    assert judged(apart, apart, apart, apart) == "divergent"


def test_a_view_that_stood_still_while_others_moved_has_stopped_following() -> None:
    assert judged((A, B), (A, C), (A, D), (A, value("e"))) == "divergent"


def test_a_key_that_moved_in_every_view_is_flapping() -> None:
    assert judged((A, B), (B, C), (C, D), (D, A)) == "flapping"


def test_a_view_that_held_what_the_other_holds_is_no_divergence() -> None:
    assert judged((A, B), (A, C), (A, B), (A, C), settle=12) == "divergent"
    assert judged((A, B, A), (A, A, B), (A, C, B), (A, B, C), settle=12) == "closed"


def test_a_missing_entry_must_stay_missing() -> None:
    assert judged((A, GONE), (A, GONE), (A, GONE), (A, GONE)) == "missing"
    assert judged((A, GONE), (A, GONE), (A, A)) == "healed"
    assert judged((A, GONE), (A, GONE), (GONE, GONE)) == "healed"


def test_an_entry_evicted_meanwhile_is_closed() -> None:
    assert judged((A, B, A), (A, B, A), (A, GONE, A), (A, GONE, A)) == "closed"


def test_different_values_outrank_a_missing_one() -> None:
    row = (A, B, GONE)
    assert judged(row, row, row, row) == "divergent"


def test_equal_structure_in_other_bytes_is_encoding() -> None:
    row = (there("a", structure="s"), there("b", structure="s"))
    assert judged(row, row, row, row) == "encoding"


def test_bytes_without_structure_are_not_called_divergent() -> None:
    row = (there("a"), there("b"))
    assert judged(row, row, row, row) == "unknown-structure"


def test_expiry_drift_counts_only_where_expiries_stood() -> None:
    row = (there("a", 5000.0), there("a", 5600.0))
    assert judged(row, row, row, row) == "expiry-drift"
    touched = [(there("a", 5000.0), there("a", 5600.0 + 30 * n)) for n in range(4)]
    assert judged(*touched) == "closed"


def test_persistence_drift_is_told_apart_from_expiry_drift() -> None:
    row = (there("a", None), there("a", 5600.0))
    assert judged(row, row, row, row) == "persistence-drift"


def test_drift_beside_another_encoding_is_drift() -> None:
    row = (there("a", None, "s"), there("b", 5600.0, "s"))
    assert judged(row, row, row, row) == "persistence-drift"


# --- simulated deployments -----------------------------------------------------------------


def simulate(write: object, views: int, settle: float, seed: int) -> str:
    """Look at moments of a simulated store, each view at a slightly different time."""
    chance = random.Random(seed)
    seen: list[Look] = []
    now, pause = 0.0, 0.15
    while True:
        readings = tuple(
            value(str(write(view, now + chance.uniform(0, 0.05))))  # type: ignore[operator]
            for view in range(views)
        )
        seen.append(Look(at=now, readings=readings))
        verdict = judge(seen, settle_seconds=settle, tolerance=TOLERANCE)
        if verdict != "open":
            return verdict
        now += min(pause * chance.uniform(0.7, 1.3), max(settle - now, 0.01) + 0.01)
        pause *= 1.8


@given(st.integers(0, 10**6), st.floats(0.05, 5.0), st.integers(2, 5))
def test_one_store_under_writes_is_never_divergent(seed: int, period: float, views: int) -> None:
    assert simulate(lambda _view, at: int(at / period), views, 10.0, seed) in {
        "healed",
        "flapping",
        "closed",
    }


@given(st.integers(0, 10**6), st.floats(0.3, 3.0))
def test_a_detached_store_under_a_hot_key_is_always_divergent(seed: int, period: float) -> None:
    def write(view: int, at: float) -> int:
        return -1 if view == 0 else int(at / period)

    assert simulate(write, 3, 10.0, seed) == "divergent"


@given(st.integers(0, 10**6), st.floats(0.1, 8.0))
def test_lag_shorter_than_the_settle_time_heals(seed: int, lag: float) -> None:
    def write(view: int, at: float) -> int:
        return 1 if view == 0 or at > lag else 0

    assert simulate(write, 2, 10.0, seed) == "healed"


@given(st.lists(st.sampled_from([A, B, C, GONE, DOWN]), min_size=2, max_size=4), st.data())
def test_a_verdict_is_always_reached(first: list[Reading], data: st.DataObject) -> None:
    choices = st.sampled_from([A, B, C, GONE, DOWN])
    rows = [tuple(first)]
    rows += [tuple(data.draw(choices) for _ in first) for _ in range(3)]
    assert judged(*rows) != "open"
