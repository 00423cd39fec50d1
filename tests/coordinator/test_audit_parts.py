"""The parts of an audit: what is chosen, which keys differ, how it is paced, what is noted."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest

from cachecheck.coordinator.audit import scheme
from cachecheck.coordinator.audit.ledger import (
    SECONDS_BETWEEN_SAVES,
    Collection,
    Ledger,
    State,
    Summed,
    decode,
    encode,
)
from cachecheck.coordinator.audit.listing import differing_keys
from cachecheck.coordinator.audit.pacing import (
    FIRST_PAUSE_SECONDS,
    FIRST_RELIEF_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SLACK_SECONDS,
    SLOWER,
    Pauses,
    Relief,
    Terms,
    Walk,
    demand,
    pages_of,
)
from cachecheck.coordinator.audit.scheme import choose, lane_shift_ms
from cachecheck.coordinator.deadline import Deadline
from cachecheck.coordinator.direct import OUR_CLOCK
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.coordinator.probing import MOST_PAGE_KEYS, PAGE_SECONDS, Prober, Rate, Unit
from cachecheck.errors import UsageError
from cachecheck.model import Key
from cachecheck.rules.observations import View
from cachecheck.sums import (
    NEVER,
    Kind,
    Listed,
    Listing,
    Summer,
    Summing,
    Sums,
    bitmap_of,
    bucket_count,
)
from cachecheck.survey import Summary
from cachecheck.wire import Surveyed
from observed import worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEED = b"0" * 16
SOON_MS = 1_900_000_000_000

WORKER = worker("web-1", 1).worker

Held = dict[str, tuple[bytes, int]]
"""What a store holds: value and expiry in milliseconds, by key."""


def held(count: int) -> Held:
    return {f"item-{number}": (b"value %d" % number, SOON_MS) for number in range(count)}


def summing(entries: int = 10_000) -> Summing:
    return Summing(buckets=bucket_count(entries), lane_ms=2000, horizon=0.0)


def summer_of(store: Mapping[str, tuple[bytes, int]], how: Summing) -> Summer:
    summer = Summer(SEED, how, most_rows=1_000_000)
    summer.add(
        [name.encode() for name in store],
        [value for value, _ in store.values()],
        [expiry for _, expiry in store.values()],
    )
    return summer


def sums_of(*stores: Held, how: Summing | None = None) -> list[Sums]:
    return [summer_of(store, how or summing()).sums() for store in stores]


# --- what is chosen ------------------------------------------------------------------------


def test_nothing_is_chosen_where_stores_agree() -> None:
    choice = choose(sums_of(held(10_000), held(10_000)))
    assert (choice.places, choice.agreeing, choice.is_whole) == ((), 10_000, True)


def test_all_that_differs_is_chosen_where_that_is_few() -> None:
    other = held(10_000)
    other["item-7"] = (b"other", SOON_MS)
    del other["item-8"]
    other["item-9"] = (other["item-9"][0], SOON_MS + 60_000)
    choice = choose(sums_of(held(10_000), other))
    assert 1 <= len(choice.places) <= 3
    assert choice.is_whole
    assert not choice.is_jitter
    assert 10_000 - 3 * 100 < choice.agreeing < 10_000


def test_entries_that_agree_are_counted_the_same_whatever_the_order_of_stores() -> None:
    other = {**held(10_000), "item-one-more": (b"value", SOON_MS)}
    one, two = sums_of(held(10_000), other)
    assert choose([one, two]) == choose([two, one])


def test_far_more_than_can_be_listed_gives_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheme, "FEW_ROWS", 1_000)
    monkeypatch.setattr(scheme, "MOST_DIFFERENCES", 500)
    other = {name: (value + b"!", expiry) for name, (value, expiry) in held(10_000).items()}
    choice = choose(sums_of(held(10_000), other))
    assert not choice.is_whole
    assert choice.agreeing == 0
    assert len(choice.places) * (10_000 // summing().buckets) <= 1.5 * scheme.EXAMPLE_ROWS
    assert choice.places


def test_several_rows_are_listed_where_few_of_them_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the estimate of how many differ, not that their buckets hold many rows."""
    monkeypatch.setattr(scheme, "FEW_ROWS", 100)
    monkeypatch.setattr(scheme, "MOST_DIFFERENCES", 100)
    other = held(10_000)
    for number in range(50):
        other[f"item-{number}"] = (b"other", SOON_MS)
    choice = choose(sums_of(held(10_000), other))
    assert choice.is_whole
    monkeypatch.setattr(scheme, "MOST_DIFFERENCES", 20)
    assert not choose(sums_of(held(10_000), other)).is_whole


def test_expiries_that_differ_everywhere_are_jitter() -> None:
    """Less than a lane apart, one by one, and yet no lane of most buckets agrees."""
    one = {
        name: (value, expiry + 137 * number)
        for number, (name, (value, expiry)) in enumerate(held(10_000).items())
    }
    other = {
        name: (value, expiry + 900 * (number % 3 - 1))
        for number, (name, (value, expiry)) in enumerate(one.items())
    }
    choice = choose(sums_of(one, other))
    assert choice.is_jitter
    assert choice.places


def test_shifts_of_a_store_that_keeps_whole_seconds_are_whole() -> None:
    assert lane_shift_ms(0.4, 1.0, 0.0) == 0
    assert lane_shift_ms(-0.9, 1.0, 0.0) == 0  # its second begins later, that is all
    assert lane_shift_ms(600.4, 1.0, 0.0) == 600_000
    assert lane_shift_ms(-600.6, 1.0, 0.0) == -601_000
    assert lane_shift_ms(0.4, 0.001, 0.0) == 400


def test_a_clock_that_cannot_be_told_from_ours_shifts_nothing() -> None:
    assert lane_shift_ms(0.08, 0.001, 0.1) == 0
    assert lane_shift_ms(-0.08, 0.001, 0.1) == 0
    assert lane_shift_ms(0.2, 0.001, 0.1) == 200


# --- which keys differ ---------------------------------------------------------------------


def row(
    name: str, entry: str = "e", expires_ms: int | None = SOON_MS, by: Kind = "digests"
) -> tuple[bytes, bytes]:
    """Give an entry as it is listed: a packed row, and its name."""
    how = msgspec.structs.replace(summing(), by=by)
    summer = Summer(SEED, how, most_rows=1)
    expiry = NEVER if expires_ms is None else expires_ms
    summer.add([name.encode()], [entry.encode()], [expiry])
    ((packed, named),) = Listing([summer.listed() or Listed()]).rows()
    return packed, named


def listing(rows: Iterable[tuple[bytes, bytes]]) -> Listing:
    packed, names = zip(*rows, strict=True)
    return Listing([Listed(rows=b"".join(packed), names=zlib.compress(b"".join(names)))])


def differing(*stores: Iterable[tuple[bytes, bytes]], tolerance_ms: int = 2000) -> set[str]:
    found, _ = differing_keys([listing(store) for store in stores], "logical", tolerance_ms)
    return {key.name for key in found}


def test_keys_differ_that_one_store_has_alone_or_otherwise() -> None:
    one = [row("same"), row("gone"), row("changed", "a"), row("later"), row("forever")]
    other = [
        *(row("same"), row("new"), row("changed", "b")),
        *(row("later", expires_ms=SOON_MS + 2001), row("forever", "f", None)),
    ]
    assert differing(one, other) == {"gone", "new", "changed", "later", "forever"}


@pytest.mark.parametrize("by", get_args(Kind))
def test_what_expires_in_one_store_alone_differs(by: Kind) -> None:
    assert differing([row("key", by=by)], [row("key", expires_ms=None, by=by)]) == {"key"}


def test_expiries_within_the_tolerance_and_none_at_all_agree() -> None:
    one = [row("close"), row("forever", expires_ms=None)]
    other = [row("close", expires_ms=SOON_MS + 2000), row("forever", expires_ms=None)]
    assert differing(one, other) == set()


def test_the_expiries_of_many_stores_are_compared_from_the_first_to_the_last() -> None:
    stores = [[row("key", expires_ms=SOON_MS + 1500 * number)] for number in range(3)]
    assert differing(*stores[:2]) == set()
    assert differing(*stores) == {"key"}


def test_stores_of_which_none_was_listed_have_no_keys() -> None:
    assert differing_keys([], "logical", 2000) == ((), 0)
    assert differing_keys([listing([row("a")])], "logical", 2000) == ((), 1)


def test_many_that_drift_within_the_tolerance_hide_none_that_drifts_further() -> None:
    one = held(5_000)
    other = {
        name: (value, expiry + 1 + int(name.removeprefix("item-")) % 1999)
        for name, (value, expiry) in one.items()
    }
    other["item-7"] = (b"value 7", SOON_MS + 2001)
    other["item-8"] = (b"value 8", SOON_MS - 2001)
    del other["item-9"]
    how = msgspec.structs.replace(summing(), by="plain-hashes")
    stores = [summer_of(store, how) for store in (one, other)]
    choice = choose([store.sums() for store in stores], are_listed=True)
    wanted = bitmap_of(choice.places, how.buckets)
    listings = [Listing([store.listed() or Listed()], wanted, how.buckets) for store in stores]
    found, union = differing_keys(listings, "logical", 2000)
    assert {key.name for key in found} == {"item-7", "item-8", "item-9"}
    assert choice.agreeing + union == 5_000


def test_keys_are_counted_over_all_stores_and_named_as_they_are() -> None:
    found, union = differing_keys(
        [listing([row("a"), row("b")]), listing([row("b"), row("c")])], "file", 1
    )
    assert union == 3
    assert set(found) == {Key(name="a", naming="file"), Key(name="c", naming="file")}


def test_an_entry_that_was_listed_twice_counts_once_and_only_wanted_buckets_do() -> None:
    how = summing()
    listed = summer_of(held(500), how).listed() or Listed()
    twice = Listing([listed, listed])
    assert differing_keys([twice, Listing([listed])], "logical", 2000) == ((), 500)
    half = bitmap_of(range(how.buckets // 2), how.buckets)
    assert 150 < len(list(Listing([listed], half, how.buckets).rows())) < 350
    assert list(Listing([listed], bytes(how.buckets // 8), how.buckets).rows()) == []


# --- how it is paced -----------------------------------------------------------------------


def test_pauses_grow_where_a_node_becomes_slower_and_shrink_after() -> None:
    pauses = Pauses()
    pauses.learn(0.01)
    assert pauses.seconds == FIRST_PAUSE_SECONDS
    slow = SLOWER * 0.01 + SLACK_SECONDS + 0.001
    for factor in (2, 4, 8):
        pauses.learn(slow)
        assert pauses.seconds == pytest.approx(factor * FIRST_PAUSE_SECONDS)
    for _ in range(20):
        pauses.learn(slow)
    assert pauses.seconds == LONGEST_PAUSE_SECONDS
    for _ in range(20):
        pauses.learn(0.01)
    assert pauses.seconds == FIRST_PAUSE_SECONDS


def test_pauses_stay_short_where_a_node_is_far_away_all_the_time() -> None:
    pauses = Pauses()
    for _ in range(20):
        pauses.learn(0.5)
    assert pauses.seconds == FIRST_PAUSE_SECONDS


def test_a_store_that_becomes_slow_is_given_pauses_that_grow_and_are_bounded() -> None:
    relief = Relief()
    relief.learn(2.0, 200_000)
    relief.learn(2.0, 100_000)
    assert relief.seconds == 0.0, "half as quick is no trouble"
    pauses = []
    for _ in range(8):
        relief.learn(2.0, 20_000)
        pauses.append(relief.seconds)
    assert pauses[0] == FIRST_RELIEF_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    relief.learn(2.0, 10)
    assert relief.seconds == LONGEST_PAUSE_SECONDS, "so few keys say little"
    relief.learn(2.0, 150_000)
    assert relief.seconds == 0.0


def a_unit(node: str, instead: Unit | None = None) -> Unit:
    view = View(node=node, worker=f"{node}:1", cache="default")
    return Unit(
        node=node,
        cache="default",
        workers=frozenset({f"{node}:1"}),
        stands_for=(view,),
        shift_seconds=0.0,
        instead=instead,
    )


class Store:
    """A store of which every page that is asked for has ``scans`` keys."""

    is_direct = True
    shares_hashes = False

    def __init__(self, scans: int) -> None:
        self._scans = scans

    async def ask(self, wanted: Any, _request_for: Any) -> Any:
        page = Surveyed(
            worker=WORKER,
            received_at=0.0,
            sent_at=0.0,
            summary=Summary(scanned=self._scans),
            cursor=None,
        )
        return dict.fromkeys(wanted, Answered(answer=page, clock=OUR_CLOCK, answer_bytes=0))


def a_walk(rate: float | None = None, scans: int = 0, reserved_seconds: float = 1.0) -> Walk:
    terms = Terms(name="a", summing=summing(), match="*", reserved_seconds=reserved_seconds)
    nodes = {"web-1": Store(scans)}
    prober = Prober(nodes, run="run", seed="0" * 32, rate=Rate(rate), deadline=Deadline(9.5))
    return Walk(prober, a_unit("web-1"), terms)


@pytest.mark.parametrize(
    ("rate", "keys"),
    [
        (None, None),
        (1000.0, int(1000 * PAGE_SECONDS)),
        (0.5, 1),
        (1e9, MOST_PAGE_KEYS),
    ],
)
def test_pages_are_as_large_as_the_rate_allows_for_a_moment(
    rate: float | None, keys: int | None
) -> None:
    assert a_walk(rate).most_keys == keys


def test_what_a_page_took_beyond_the_rate_is_paid_by_those_after_it() -> None:
    walk = a_walk(rate=2000.0, scans=1000)  # twice what it may

    async def three_pages() -> float:
        started = time.monotonic()
        for _ in range(3):
            await walk.ask(lambda _audience: None)  # type: ignore[arg-type,return-value]  unread
        return time.monotonic() - started

    assert asyncio.run(three_pages()) >= 2 * 1000 / 2000.0 - 0.01


def test_time_that_is_reserved_for_what_comes_after_is_not_walked_in() -> None:
    assert a_walk(reserved_seconds=9.0).has_time
    assert not a_walk(reserved_seconds=10.0).has_time


def test_pages_go_over_all_nodes_that_see_a_store() -> None:
    unit = a_unit("web-1", a_unit("web-2", a_unit("web-3")))
    assert [one.node for one in pages_of(unit)] == ["web-1", "web-2", "web-3"]


def test_an_answer_is_what_was_wanted_or_says_why_it_is_not() -> None:
    assert demand(None, Surveyed) == "the worker was not heard again"
    assert demand(NoAnswer(state="failed", detail="it broke"), Surveyed) == "it broke"


# --- what is noted -------------------------------------------------------------------------


def a_state() -> State:
    return State(run="ab" * 8, seed="cd" * 16, started_at=1.5, question="q")


def summed(store: Held, cursor: str | None) -> Summed:
    (sums,) = sums_of(store, how=summing(600))
    return Summed(summary=Summary(scanned=len(store)), sums=sums, cursor=cursor, pages=3)


class Shelf:
    """Keeps what a ledger saves, by a clock that is set."""

    def __init__(self) -> None:
        self.saved: list[State] = []
        self.now = 100.0
        self.ledger = Ledger(a_state(), self.saved.append, lambda: self.now)


def test_what_was_noted_is_read_back_as_it_was() -> None:
    shelf = Shelf()
    listed = summer_of(held(50), summing(600)).listed() or Listed()
    shelf.ledger.note_summing("cohort", summing(600))
    shelf.ledger.note_summed("a", summed(held(100), "12"))
    shelf.ledger.note_summed("b", summed(held(200), None))
    shelf.ledger.note_collected("a", Collection(wanted=b"\xff\0", listed=(listed,), cursor="7"))
    shelf.ledger.flush()
    assert decode(encode(shelf.ledger.state)) == shelf.ledger.state == shelf.saved[-1]
    assert set(shelf.ledger.state.summed) == {"a", "b"}


def test_it_is_saved_once_a_second_and_at_the_end() -> None:
    shelf = Shelf()
    for _ in range(100):
        shelf.ledger.note_summed("a", summed(held(10), "1"))
    assert len(shelf.saved) == 1
    shelf.now += SECONDS_BETWEEN_SAVES
    shelf.ledger.note_summed("a", summed(held(20), "2"))
    shelf.ledger.note_summed("a", summed(held(30), None))
    assert shelf.saved[-1].summed["a"].cursor == "2"
    shelf.ledger.flush()
    shelf.ledger.flush()
    assert len(shelf.saved) == 3
    assert shelf.saved[-1] == shelf.ledger.state


def test_a_ledger_that_nobody_keeps_saves_nothing() -> None:
    ledger = Ledger(a_state())
    ledger.note_summed("a", summed(held(10), "1"))
    ledger.flush()
    assert not ledger.is_kept
    assert "a" in ledger.state.summed


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'{"run":"x"}', b"\xff", b"[" * 100_000])
def test_what_is_no_state_is_a_usage_error(data: bytes) -> None:
    with pytest.raises(UsageError, match="it holds no state of a run"):
        decode(data)


def test_never_is_no_expiry_that_a_lane_could_tell() -> None:
    one = {"key": (b"value", NEVER)}
    other = {"key": (b"value", SOON_MS)}
    assert choose(sums_of(one, other)).places
