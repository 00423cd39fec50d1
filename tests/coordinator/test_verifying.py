"""Looking again at old entries, and what is left open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.coordinator.deadline import Deadline
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.coordinator.probing import Prober, Rate, Unit
from cachecheck.coordinator.verifying import Verification, Verifier
from cachecheck.model import Fresh, Key, Moving, Present, Stale, Untold
from cachecheck.rules.observations import Clock, View
from cachecheck.wire import MAX_VERIFIED, Verified
from observed import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import TruthCheck
    from cachecheck.wire import AnyRequest, Verify

VIEW = View(node="web-1", worker="web-1:1", cache="default")
UNIT = Unit(
    node="web-1",
    cache="default",
    workers=frozenset({"w"}),
    stands_for=(VIEW,),
    shift_seconds=0.0,
)
FRESH, GONE = Fresh(is_present=True), Untold(reason="failed", detail="x")


def stale(digest: str = "d") -> Stale:
    entry = Present(digest=digest, size_bytes=1, expires_at=None, structure=digest)
    return Stale(entry=entry, structure="true", kind="dict")


class Node:
    """Answers look after look with what a test gives it."""

    is_direct = False
    shares_hashes = False

    def __init__(self, looks: Sequence[Callable[[str], TruthCheck]], **limits: int) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._looks = list(looks)
        self._per_answer = limits.get("per_answer", MAX_VERIFIED)
        self._allowance = limits.get("allowance", 10_000)

    async def ask(
        self,
        wanted: Mapping[Any, frozenset[str]],
        request_for: Callable[[tuple[str, ...]], AnyRequest],
    ) -> dict[Any, Outcome]:
        request: Verify = request_for(())  # type: ignore[assignment]
        self.asked.append(request.keys)
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        keys = request.keys[: min(self._per_answer, self._allowance)]
        self._allowance -= len(keys)
        answer = Verified(
            worker=worker().worker,
            received_at=0.0,
            sent_at=0.0,
            checks=tuple(look(key) for key in keys),
            unread=len(request.keys) - len(keys),
            is_spent=not self._allowance,
        )
        clock = Clock(offset_seconds=0.0, uncertainty_seconds=0.0, rtt_seconds=0.0)
        return dict.fromkeys(wanted, Answered(answer=answer, clock=clock, answer_bytes=1))


class Silent(Node):
    async def ask(self, wanted: Any, request_for: Any) -> dict[Any, Outcome]:
        del request_for
        return dict.fromkeys(wanted, NoAnswer(state="unreachable", detail="nobody there"))


def run(node: Node, count: int = 3, settle_seconds: float = 0.3) -> Verification:
    keys = [Key(name=f"k{number}") for number in range(count)]

    async def verified() -> tuple[Verification, ...]:
        prober = Prober(
            {"web-1": node}, run="r", seed="00" * 16, rate=Rate(None), deadline=Deadline(20.0)
        )
        return await Verifier(prober, settle_seconds).verify({UNIT: keys})

    (found,) = asyncio.run(verified())
    return found


def test_fresh_entries_are_looked_at_once() -> None:
    node = Node([lambda _key: FRESH])
    found = run(node)
    assert (found.checked, found.fresh, len(node.asked)) == (3, 3, 1)
    assert (found.old, found.unsettled) == ((), ())


def test_old_entry_is_told_once_it_has_stood_through_the_settle_time() -> None:
    node = Node([lambda key: stale() if key == "k1" else FRESH])
    found = run(node)
    (old,) = found.old
    assert (old.key.name, found.fresh) == ("k1", 2)
    assert old.looked >= 2
    assert old.persisted_seconds >= 0.3
    assert node.asked[1] == ("k1",)


def test_two_looks_are_taken_also_without_settling() -> None:
    node = Node([lambda _key: stale()])
    assert run(node, settle_seconds=0.0).old[0].looked == 2


@pytest.mark.parametrize(
    ("then", "field"), [(FRESH, "fresh"), (Moving(), "moving"), (stale("other"), "moving")]
)
def test_entry_that_was_written_meanwhile_is_not_old(then: TruthCheck, field: str) -> None:
    found = run(Node([lambda _key: stale(), lambda _key: then]), count=1)
    assert (found.old, found.unsettled) == ((), ())
    assert getattr(found, field) == 1


def test_what_cannot_be_told_is_kept_with_its_reason() -> None:
    found = run(Node([lambda _key: GONE]), count=1)
    assert found.untold == ((Key(name="k0"), GONE),)


def test_rest_of_the_keys_is_asked_again() -> None:
    node = Node([lambda _key: FRESH], per_answer=2)
    assert run(node, count=5).checked == 5
    assert [len(keys) for keys in node.asked] == [5, 3, 1]


def test_no_more_keys_are_asked_than_a_node_is_asked_for_at_most() -> None:
    found = run(Node([lambda _key: FRESH]), count=MAX_VERIFIED + 7)
    assert (found.matching, found.checked) == (MAX_VERIFIED + 7, MAX_VERIFIED)


def test_allowance_that_ends_leaves_suspects_unsettled() -> None:
    found = run(Node([lambda _key: stale()], allowance=2), count=3)
    assert (found.checked, found.is_spent, found.old) == (2, True, ())
    assert [key.name for key in found.unsettled] == ["k0", "k1"]


def test_node_that_is_silent_is_a_failure_and_no_comfort() -> None:
    found = run(Silent([lambda _key: FRESH]))
    assert (found.checked, found.failure) == (0, "nobody there")


def test_node_that_looks_at_nothing_is_a_failure() -> None:
    found = run(Node([lambda _key: FRESH], per_answer=0))
    assert found.failure == "it answered without having looked at anything"
