"""V006: entries that are not what the source of truth gives."""

from __future__ import annotations

from typing import Any

from cachecheck.model import Key
from cachecheck.rules.observations import StaleOutcome, View
from cachecheck.rules.staleness import check
from observed import NOW, codes, fleet, grouped, web

FLEET = fleet(web("web-1", workers=2), web("web-2"))


def view(node: str, pid: int) -> View:
    return View(node=node, worker=f"{node}:{pid}", cache="default")


def old(*views: View, **changed: Any) -> StaleOutcome:
    fields: dict[str, Any] = {
        "cache": "default",
        "key": Key(name="article:1"),
        "views": views or (view("web-1", 1), view("web-1", 2)),
        "digest": "abcdef0123",
        "size_bytes": 80,
        "kind": "dict",
        "true_kind": "dict",
        "expires_at": NOW + 100,
        "expires_in_seconds": 100.0,
        "timeout": 300.0,
        "looked": 3,
        "persisted_seconds": 10.0,
    }
    return StaleOutcome(**fields | changed)


def test_nothing_old_is_silent() -> None:
    assert check(FLEET, (), lambda key: key.name) == ()


def test_old_entry_is_named_with_its_age_by_the_default_timeout() -> None:
    (found,) = check(FLEET, [old()], lambda key: f"<{key.name}>")
    assert (found.code, found.severity, found.subject) == ("V006", "error", "<article:1>")
    assert found.message == (
        "the source of truth gives another value; the entry is 200 s old, if it was set with the "
        "TIMEOUT of 300 s: web-1"
    )
    assert found.evidence["age_by_timeout_seconds"] == 200
    assert found.evidence["persisted_seconds"] == 10


def test_age_that_the_timeout_does_not_tell_is_what_was_seen() -> None:
    for unknown in (
        old(timeout=None),
        old(expires_in_seconds=None, expires_at=None),
        old(expires_in_seconds=400.0),
        old(expires_in_seconds=295.0),
    ):
        (found,) = check(FLEET, [unknown], lambda key: key.name)
        assert "has been old for 10.0 s at least" in found.message


def test_object_that_is_gone_is_told_as_such() -> None:
    (found,) = check(FLEET, [old(is_gone=True, true_kind=None)], lambda key: key.name)
    assert found.message.startswith("there is no such object; ")
    assert found.evidence["true_value"] == "none"


def test_views_with_old_entries_of_their_own_are_one_finding_in_groups() -> None:
    one = old(view("web-1", 1))
    same = old(view("web-1", 2))
    other = old(view("web-2", 1), digest="0123456789")
    found = check(FLEET, [other, one, same], lambda key: key.name)
    assert codes(found) == ["V006"]
    assert grouped(found[0]) == {
        "dict #abcdef": ("web-1:1", "web-1:2"),
        "dict #012345": ("web-2:1",),
    }
    assert len(check(FLEET, [one, old(key=Key(name="article:2"))], lambda key: key.name)) == 2
