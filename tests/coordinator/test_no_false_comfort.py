"""What was not compared never passes for consistent, and what is meant never for a fault."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.model import Failed, Key, Missing, Present, Reading, StoreIdentity
from observed import cache
from simulated import SimulatedNode, check, present

if TYPE_CHECKING:
    import pytest

    from cachecheck import wire
    from cachecheck.model import Report

SHARED = StoreIdentity(grade="observed", token="redis:one/0")
HIDDEN = StoreIdentity(grade="unobserved", reason="INFO is denied")
TOGETHER = StoreIdentity(grade="suggested", token="memcached:1:1")
HOST = {"declared_scope": "host"}


def codes(report: Report) -> set[str]:
    return {one.code for one in report.findings}


class Numbered(SimulatedNode):
    """A memcached: entries carry the number of their write, the same for what is equal."""

    def _reading(self, key: Key, request: wire.Read) -> Reading:
        reading = super()._reading(key, request)
        if not isinstance(reading, Present):
            return reading
        return msgspec.structs.replace(reading, cas=int(reading.digest[:6], 16), expires_at=None)


def test_a_few_equal_entries_do_not_make_two_memcacheds_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two containers started together have equal identities, and share what both warm up with."""
    seen = {"identity": TOGETHER, "kind": "memcached"}
    warm = {f"warm{number}": "w" for number in range(3)}
    nodes: list[SimulatedNode] = [
        Numbered(name, {**warm, **{f"k{n}": name for n in range(12)}}, seen=seen) for name in "ab"
    ]
    report = check(nodes, monkeypatch)
    assert "B003" in codes(report)
    assert report.verdict == "divergent"


def test_a_prefix_that_shows_in_no_key_divides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = msgspec.structs.replace(cache().namespace, stored_probe="app:probe", form=None)
    nodes = [
        SimulatedNode(
            name,
            {"k": name},
            seen={**HOST, "namespace": msgspec.structs.replace(namespace, prefix=name)},
        )
        for name in "ab"
    ]
    assert "V001" in codes(check(nodes, monkeypatch, keys=("k",)))


def prefixed(name: str) -> SimulatedNode:
    namespace = cache().namespace
    own = msgspec.structs.replace(namespace, prefix=name, stored_probe=f"{name}:1:probe", form=None)
    return SimulatedNode(name, {"k": name}, seen={"identity": SHARED, "namespace": own})


def test_a_hidden_finding_still_leaves_a_note_that_entries_were_compared_in_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [prefixed("a"), prefixed("b")]
    assert codes(check(nodes, monkeypatch, keys=("k",))) == {"N001"}
    hidden = check(nodes, monkeypatch, keys=("k",), select=("V",))
    assert any("2 groups of views" in note for note in hidden.caches[0].coverage.notes)


def test_a_store_of_which_nothing_may_be_read_is_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    denied = dict.fromkeys("xyz", Failed(reason="denied"))
    nodes = [SimulatedNode(name, denied, seen={"identity": SHARED}) for name in "ab"]
    assert check(nodes, monkeypatch).verdict == "undecided"


class Forgetful(SimulatedNode):
    """A node that can name its store once."""

    def _describe(self, request: wire.Describe, said: dict[str, Any]) -> wire.Message:
        answer = super()._describe(request, said)
        self.seen["identity"] = HIDDEN
        return answer


def test_two_stores_that_a_second_look_did_not_confirm_are_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [SimulatedNode("a", {}), Forgetful("b", {})]
    report = check(nodes, monkeypatch, keys=("absent",))
    assert report.verdict == "undecided"
    assert any("second look" in sentence for sentence in report.undecided)


def test_a_named_key_that_is_about_to_expire_never_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = SimulatedNode("a", {})
    expires_at = time.time() + 3

    def reading(_key: object, request: Any) -> Reading:
        return present("1", bytes.fromhex(request.seed), expires_at)

    soon._reading = reading  # type: ignore[method-assign]  # noqa: SLF001
    gone = SimulatedNode("b", {"k": Missing()}, seen=HOST)
    soon.seen.update(HOST)
    report = check([soon, gone], monkeypatch, keys=("k",))
    assert report.verdict == "undecided"
    assert report.caches[0].agreement.agreeing == 0


def test_stores_that_are_declared_apart_are_only_summed_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where nothing could be found out of their identity."""
    seen = {**HOST, "identity": HIDDEN}
    nodes = [
        SimulatedNode(name, {f"{name}{n}": name for n in range(9)}, seen=seen) for name in "ab"
    ]
    report = check(nodes, monkeypatch)
    assert report.verdict == "consistent"
    assert {one.severity for one in report.findings} == {"info"}


def test_a_declaration_of_one_node_speaks_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        SimulatedNode("a", {}, seen={"identity": HIDDEN}),
        SimulatedNode("b", {}, seen={"identity": HIDDEN, **HOST}),
    ]
    assert check(nodes, monkeypatch).verdict == "undecided"


def test_a_shared_store_is_read_through_another_node_where_one_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = SimulatedNode("a", {"k": "1"}, seen={"identity": SHARED}, pause_seconds=30.0)
    others = [SimulatedNode(name, {"k": "1"}, seen={"identity": SHARED}) for name in "bc"]
    report = check([hanging, *others], monkeypatch, keys=("k",), timeout=0.5)
    assert report.verdict == "undecided"
    (sentence,) = report.undecided
    assert "a:" in sentence
    assert "b:" not in sentence
    assert report.caches[0].agreement.agreeing == 1
    assert report.caches[0].coverage.views_compared == 2


def test_a_fleet_of_which_no_node_answered_is_undecided_whatever_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = SimulatedNode("a", {}, born_at=1e300)
    assert check([lost], monkeypatch, require_coverage=0.0).verdict == "undecided"


def test_a_named_key_says_nothing_of_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {f"k{n}": "1" for n in range(40)}
    nodes = [SimulatedNode(name, {**values, "bad": name}, seen=HOST) for name in "ab"]
    report = check(nodes, monkeypatch, keys=("bad",), sample=30, match="k*")
    assert report.caches[0].agreement.diverging == 1
    assert report.caches[0].agreement.rate == 1.0
