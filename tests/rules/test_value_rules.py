"""Findings on single keys: who differs, who is blamed, and what is only summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.model import Key, Missing, Present
from cachecheck.rules.observations import KeyOutcome, View
from cachecheck.rules.value import check
from observed import fleet, web

if TYPE_CHECKING:
    from cachecheck.model import Finding, Reading

NODES = 3
FLEET = fleet(*(web(f"web-{number}") for number in range(1, NODES + 1)))


def there(digest: str, expires_at: float | None = 100.0, **changed: Any) -> Present:
    structure = f"structure of {digest}"
    return Present(
        digest=digest,
        size_bytes=7,
        expires_at=expires_at,
        **{"structure": structure, "value_kind": "dict", **changed},
    )


def outcome(verdict: str, *readings: Reading, **changed: Any) -> KeyOutcome:
    views = [
        View(node=worker.node, worker=worker.label, cache="default") for worker in FLEET.workers
    ]
    return KeyOutcome(
        **{
            "cache": "default",
            "key": Key(name="user:1"),
            "verdict": verdict,
            "is_named": True,
            "is_apart": False,
            "are_stores_distinct": True,
            "readings": tuple(zip(views, readings, strict=True)),
            "stand_for": tuple((view,) for view in views),
            "looked": 4,
            "persisted_seconds": 10.04,
            "tolerance_seconds": 2.0,
            **changed,
        }
    )


def found(*outcomes: KeyOutcome, compared: int = 100) -> tuple[Finding, ...]:
    return check(FLEET, outcomes, {"default": compared}, lambda key: key.name)


def test_a_divergent_value_names_the_view_that_is_alone() -> None:
    (one,) = found(outcome("divergent", there("a"), there("a"), there("b")))
    assert (one.code, one.severity, one.subject) == ("V001", "error", "user:1")
    assert "web-3" in one.message
    assert "web-1" not in one.message
    assert [len(group.views) for group in one.groups] == [2, 1]
    assert one.evidence == {"looked": 4, "persisted_seconds": 10.0}


def test_without_a_majority_nobody_is_blamed() -> None:
    (one,) = found(outcome("divergent", there("a"), there("b"), there("c")))
    assert "split" in one.message
    assert all(f"web-{number}" in one.message for number in (1, 2, 3))


def test_nothing_found_says_nothing() -> None:
    assert found() == ()


def test_unknown_structure_is_a_warning_that_says_why() -> None:
    unknown = {"structure": None, "structure_unknown": "too large"}
    (one,) = found(outcome("unknown-structure", there("a"), there("a"), there("b", **unknown)))
    assert (one.code, one.severity) == ("V001", "warning")
    assert one.evidence["structure"] == "unknown: too large"


def test_a_missing_entry_says_where_it_is_missing() -> None:
    (one,) = found(outcome("missing", there("a"), there("a"), Missing()))
    assert (one.code, one.severity) == ("V002", "error")
    assert "present on 2 views, missing on 1" in one.message
    assert {group.state for group in one.groups} == {"present", "missing"}


def test_another_encoding_is_information() -> None:
    same = {"structure": "s"}
    (one,) = found(outcome("encoding", there("a", **same), there("b", **same), there("a", **same)))
    assert (one.code, one.severity) == ("V003", "info")


def test_drift_of_expiry_says_how_far_and_groups_by_expiry() -> None:
    (one,) = found(outcome("expiry-drift", there("a"), there("a"), there("a", 700.0)))
    assert (one.code, one.severity) == ("T001", "warning")
    assert "600.0 s apart" in one.message
    assert [group.expires_at for group in one.groups] == [100.0, 700.0]


def test_expiries_within_the_tolerance_are_one_group() -> None:
    """Half a second apart, and yet in different whole seconds."""
    read = (there("a", 600.3), there("a", 600.8), there("a", 1200.0))
    (one,) = found(outcome("expiry-drift", *read))
    assert [len(group.views) for group in one.groups] == [2, 1]
    assert "web-3" in one.message
    (strict,) = found(outcome("expiry-drift", *read, tolerance_seconds=0.1))
    assert [len(group.views) for group in strict.groups] == [1, 1, 1]


def test_entries_that_expire_are_one_group_against_those_that_never_do() -> None:
    read = (there("a", 600.0), there("a", 900.0), there("a", None))
    (one,) = found(outcome("persistence-drift", *read))
    assert [len(group.views) for group in one.groups] == [2, 1]


def test_drift_of_persistence_is_an_error() -> None:
    (one,) = found(outcome("persistence-drift", there("a"), there("a"), there("a", None)))
    assert (one.code, one.severity) == ("T002", "error")


@pytest.mark.parametrize("are_stores_distinct", [True, False])
def test_flapping_is_undecided_only_over_different_stores(*, are_stores_distinct: bool) -> None:
    (one,) = found(
        outcome(
            "flapping",
            there("a"),
            there("b"),
            there("c"),
            are_stores_distinct=are_stores_distinct,
        )
    )
    assert (one.code, one.severity) == ("V005", "info")
    assert ("undecided" in one.evidence) is are_stores_distinct


def test_sampled_keys_of_stores_apart_are_one_summary_with_rates() -> None:
    sampled = {"is_named": False, "is_apart": True}
    (one,) = found(
        outcome("missing", there("a"), Missing(), Missing(), **sampled),
        outcome("missing", there("a"), there("a"), Missing(), **sampled),
        outcome("expiry-drift", there("a"), there("a"), there("a", 900.0), **sampled),
    )
    assert (one.code, one.severity, one.subject) == ("V002", "info", "sampled keys")
    assert one.evidence == {"keys_compared": 100, "rates": {"V002": 0.02, "T001": 0.01}}


def test_named_keys_of_stores_apart_keep_their_severity() -> None:
    (one,) = found(outcome("missing", there("a"), there("a"), Missing(), is_apart=True))
    assert (one.code, one.severity) == ("V002", "error")


def test_a_reading_that_speaks_for_many_views_weighs_as_many() -> None:
    views = [
        View(node=worker.node, worker=worker.label, cache="default") for worker in FLEET.workers
    ]
    two = outcome("divergent", there("a"), there("b"), there("b"))
    (one,) = found(
        msgspec.structs.replace(
            two,
            readings=two.readings[:2],
            stand_for=((views[0],), (views[1], views[2])),
        )
    )
    assert "web-1" in one.message
    assert "the other 2 of 3 views agree" in one.message


def test_a_whole_node_that_differs_is_one_node() -> None:
    seen = fleet(*(web(f"web-{number}", workers=2) for number in range(1, NODES + 1)))
    views = [View(node=one.node, worker=one.label, cache="default") for one in seen.workers]
    readings = [there("b" if view.node == "web-3" else "a") for view in views]
    one = outcome("divergent", there("a"), there("a"), there("b"))
    whole = msgspec.structs.replace(
        one,
        readings=tuple(zip(views, readings, strict=True)),
        stand_for=tuple((view,) for view in views),
    )
    (told,) = check(seen, [whole], {}, lambda key: key.name)
    assert "web-3 differs, the other 4 of 6 views agree" in told.message
