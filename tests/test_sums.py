from __future__ import annotations

import struct
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.digest import entry_digest, key_digest
from cachecheck.errors import MalformedMessage
from cachecheck.sums import (
    BUCKET_BYTES,
    MAX_BUCKETS,
    MAX_NAMES_BYTES,
    MIN_BUCKETS,
    NEVER,
    ROW_BYTES,
    Buckets,
    Kind,
    Listed,
    Listing,
    Row,
    Summer,
    Summing,
    Sums,
    add_up,
    bitmap_of,
    bucket_count,
    by_rows,
    counts,
    differing,
    empty,
    row_of,
    rows_of,
)

SEED = b"seed of this run"
LANE_MS = 1000
FAR_MS = 10**13

Entry = tuple[bytes, bytes, int, int]

names = st.text(max_size=12).map(str.encode)
expiries = st.one_of(st.just(NEVER), st.integers(FAR_MS, FAR_MS + 10**9))
entries = st.tuples(names, st.binary(max_size=40), expiries, st.integers(0, 2**32 - 1))
IN_LANES: list[Kind] = [kind for kind in get_args(Kind) if kind != "plain-hashes"]
kinds = st.sampled_from(get_args(Kind))
in_lanes = st.sampled_from(IN_LANES)
stores = st.lists(entries, max_size=30, unique_by=lambda entry: entry[0])


def summing(**options: Any) -> Summing:
    return Summing(**{"buckets": 32, "lane_ms": LANE_MS, "horizon": 0.0, **options})


def summed(store: list[Entry], *, flagged: bool = True, **options: Any) -> Summer:
    summer = Summer(SEED, summing(**options), most_rows=100)
    add(summer, store, flagged=flagged)
    return summer


def add(summer: Summer, store: list[Entry], *, flagged: bool = True) -> None:
    columns = [[entry[column] for entry in store] for column in range(4)]
    names, values, expiries_ms, flags = columns
    summer.add(names, values, expiries_ms, flags if flagged else None)  # type: ignore[arg-type]  # columns of one list


def difference(one: list[Entry], other: list[Entry], by: Kind = "digests") -> tuple[int, int]:
    entries, expiries = differing([summed(one, by=by).sums(), summed(other, by=by).sums()])
    return len(entries), len(expiries)


def one(name: bytes = b"key", **changed: Any) -> Entry:
    entry = {"value": b"value", "expiry": FAR_MS, "flags": 0, **changed}
    return name, entry["value"], entry["expiry"], entry["flags"]


# --- summing -------------------------------------------------------------------------------


@given(kinds, stores, st.integers(0, 30), st.integers(0, 30), st.randoms())
def test_parts_in_any_order_and_grouping_add_up_to_the_whole(
    by: Kind, store: list[Entry], one_cut: int, other_cut: int, random: Any
) -> None:
    whole = summed(store, by=by).sums()
    shuffled = store.copy()
    random.shuffle(shuffled)
    first, second = sorted((one_cut, other_cut))
    parts = [shuffled[:first], shuffled[first:second], shuffled[second:]]
    together = Summer(SEED, summing(by=by))
    for part in parts:
        add(together, part)
    apart = [summed(part, by=by).sums() for part in parts]
    assert together.sums() == whole
    assert add_up(apart, 32) == whole
    assert add_up([apart[2], add_up(apart[:2], 32)], 32) == whole
    assert sum(counts(whole)) == len(store)


@given(kinds, stores, st.data())
def test_any_change_of_one_entry_changes_its_bucket_and_no_other(
    by: Kind, store: list[Entry], data: st.DataObject
) -> None:
    name, value, expiry, flags = data.draw(entries)
    others = [entry for entry in store if entry[0] != name]
    changed = data.draw(
        st.sampled_from(
            [
                [(name, value + b"!", expiry, flags)],
                [(name, value, expiry, flags ^ 1)],
                [(name, value, FAR_MS if expiry == NEVER else NEVER, flags)],
                [],
            ]
        )
    )
    before = summed([*others, (name, value, expiry, flags)], by=by).sums()
    after = summed([*others, *changed], by=by).sums()
    (place,), expiries = differing([before, after])
    assert expiries == ()
    assert name in Buckets(SEED, summing(by=by), bitmap_of([place], 32))


def test_another_key_with_the_same_value_differs() -> None:
    assert difference([one(b"a")], [one(b"b")]) != (0, 0)


@pytest.mark.parametrize("by", get_args(Kind))
def test_no_flags_are_flags_of_zero(by: Kind) -> None:
    store = [one(b"a"), one(b"b", expiry=NEVER)]
    assert summed(store, flagged=False, by=by).sums() == summed(store, by=by).sums()


def test_hashes_and_digests_are_of_no_use_to_one_another() -> None:
    assert summed([one()], by="hashes").sums() != summed([one()]).sums()


def test_another_seed_gives_other_sums() -> None:
    other = Summer(b"another seed....", summing())
    add(other, [one()])
    assert other.sums() != summed([one()]).sums()


# --- expiries ------------------------------------------------------------------------------


far = st.integers(FAR_MS, FAR_MS + 10**7)


@given(in_lanes, far, st.integers(0, LANE_MS // 4))
def test_an_expiry_that_jitters_less_than_a_quarter_of_the_tolerance_agrees(
    by: Kind, expiry: int, jitter: int
) -> None:
    assert difference([one(expiry=expiry)], [one(expiry=expiry + jitter)], by) == (0, 0)


@given(in_lanes, far, st.integers(LANE_MS, 10**9), st.sampled_from([-1, 1]))
def test_an_expiry_that_is_the_tolerance_apart_differs_in_expiry_alone(
    by: Kind, expiry: int, apart: int, direction: int
) -> None:
    drifted = expiry + apart * direction
    assert difference([one(expiry=expiry)], [one(expiry=drifted)], by) == (0, 1)


@given(in_lanes, st.integers(1, 10**7))
def test_drifts_in_opposite_directions_do_not_cancel(by: Kind, drift_seconds: int) -> None:
    drift = drift_seconds * 1000
    one_side = [one(b"%d" % number) for number in range(40)]
    other = [
        one(b"%d" % number, expiry=FAR_MS + (drift if number % 2 else -drift))
        for number in range(40)
    ]
    sums = [summed(side, buckets=16, by=by).sums() for side in (one_side, other)]
    found, expiries = differing(sums)
    assert found == ()
    assert len(expiries) == sum(map(bool, counts(sums[0])))


def test_a_shift_brings_expiries_to_one_clock() -> None:
    here = summed([one()]).sums()
    there = summed([one(expiry=FAR_MS + 5_000)], shift_ms=5_000).sums()
    assert differing([here, there]) == ((), ())
    assert here == there


def test_what_expires_before_the_horizon_of_the_coordinators_clock_is_left_out_and_counted() -> (
    None
):
    store = [one(b"soon", expiry=9_999), one(b"later", expiry=10_001), one(b"never", expiry=NEVER)]
    summer = summed(store, horizon=10.0)
    assert (summer.entries, summer.expiring) == (2, 1)
    assert summer.sums() == summed(store[1:]).sums()
    assert summed(store, horizon=10.0, shift_ms=2).expiring == 2
    listed = summer.listed()
    assert listed is not None
    assert {row.name for row in rows_of(listed)} == {"later", "never"}


def test_three_stores_are_compared_at_once() -> None:
    same = summed([one(b"a"), one(b"b")]).sums()
    other = summed([one(b"a"), one(b"b", value=b"other")]).sums()
    assert differing([same, same, same]) == ((), ())
    assert len(differing([same, same, other])[0]) == 1


# --- buckets -------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 63)), st.lists(names, max_size=20))
def test_a_bitmap_says_which_keys_are_in_its_buckets(
    places: set[int], candidates: list[bytes]
) -> None:
    wanted = Buckets(SEED, summing(buckets=64), bitmap_of(places, 64))
    for name in candidates:
        place = int(key_digest(SEED, name.decode()), 16) >> (128 - 6)
        assert (name in wanted) is (place in places)


def test_a_bitmap_that_is_too_short_holds_nothing_beyond_its_end() -> None:
    wanted = Buckets(SEED, summing(buckets=MAX_BUCKETS), b"\xff\xff")
    assert not all(b"%d" % number in wanted for number in range(100))


@given(st.integers(0, 10**9))
def test_the_number_of_buckets_is_a_power_of_two_within_bounds(entries: int) -> None:
    buckets = bucket_count(entries)
    assert MIN_BUCKETS <= buckets <= MAX_BUCKETS
    assert buckets & (buckets - 1) == 0


def test_sums_that_do_not_fit_are_malformed() -> None:
    short = Sums(buckets=32, packed=bytes(32 * BUCKET_BYTES - 1))
    with pytest.raises(MalformedMessage):
        add_up([short], 32)
    with pytest.raises(MalformedMessage):
        add_up([empty(64)], 32)
    with pytest.raises(MalformedMessage):
        differing([empty(32), short])
    with pytest.raises(MalformedMessage):
        counts(short)


def test_sums_past_the_width_of_a_field_wrap() -> None:
    full = Sums(buckets=16, packed=b"\xff" * (16 * BUCKET_BYTES))
    twice = struct.unpack("<32Q80I", add_up([full, full], 16).packed)
    assert set(twice[:14]) == {2**64 - 2}
    assert set(twice[16:32]) == {2**64 - 1}  # with the carry of the half below
    assert set(twice[32:]) == {2**32 - 2}


@given(in_lanes, st.integers(1, 30), names)
def test_a_single_drift_is_seen_also_by_a_power_of_two_of_lanes(
    by: Kind, bits: int, name: bytes
) -> None:
    """Weights are odd: times 2^31 they are no multiple of 2^32 yet."""
    lane_ms = summing().lane_ms
    one, other = [(name, b"", FAR_MS, 0)], [(name, b"", FAR_MS + lane_ms, 0)]
    far = [(name, b"", FAR_MS + (lane_ms << bits), 0)]
    assert difference(one, far, by)[1]
    assert difference(one, other, by)[1]


def test_plain_hashes_tell_expiries_apart_by_their_lanes_alone() -> None:
    def plain(expiry_ms: int) -> Sums:
        return summed([one(expiry=expiry_ms)], by="plain-hashes").sums()

    assert differing([plain(FAR_MS), plain(FAR_MS + LANE_MS - 1)]) == ((), ())
    (place,), expiries = differing([plain(FAR_MS), plain(FAR_MS - 1)])
    assert expiries == ()
    assert b"key" in Buckets(SEED, summing(by="plain-hashes"), bitmap_of([place], 32))


# --- rows ----------------------------------------------------------------------------------


@given(stores)
def test_rows_come_back_as_they_were_listed(store: list[Entry]) -> None:
    for level in (0, 1):
        listed = summed(store).listed("stored", level=level)
        assert listed is not None
        assert listed.naming == "stored"
        assert len(by_rows(listed).rows) == len(store) * ROW_BYTES
        rows = list(rows_of(listed))
        assert [row.name.encode() for row in rows] == [name for name, _, _, _ in store]
        assert [row.expires_ms for row in rows] == [
            None if expiry == NEVER else expiry for _, _, expiry, _ in store
        ]
        assert [row.key.hex() for row in rows] == [
            key_digest(SEED, name.decode())[:14] for name, _, _, _ in store
        ]


@given(kinds, stores)
def test_what_is_kept_and_what_is_listed_are_the_same_rows(by: Kind, store: list[Entry]) -> None:
    summer = summed(store, by=by)
    kept, listed = summer.kept("stored"), summer.listed("stored")
    assert kept is not None
    assert listed is not None
    assert kept.naming == "stored"
    assert list(rows_of(kept)) == list(rows_of(listed))


@given(kinds, stores, st.integers(4, 16), st.data())
def test_rows_of_some_buckets_are_those_and_no_others(
    by: Kind, store: list[Entry], bits: int, data: st.DataObject
) -> None:
    buckets = 1 << bits
    summer = summed(store, by=by, buckets=buckets)
    held = counts(summer.sums())
    filled = [place for place in range(buckets) if held[place]]
    some_places = st.sets(st.sampled_from(filled)) if filled else st.just(set())
    wanted = bitmap_of(data.draw(some_places | st.sets(st.integers(0, buckets - 1))), buckets)
    within = Buckets(SEED, summing(buckets=buckets, by=by), wanted)
    for listed in (summer.listed(), summer.listed(level=0), summer.kept()):
        assert listed is not None
        found = Listing([listed], wanted, buckets)
        rows = [row for row in rows_of(listed) if row.name.encode() in within]
        assert [row_of(*each) for each in found.rows()] == rows
        assert len(found.tails()) == len(rows)
        some = set(list(found.tails())[::2])
        assert [row_of(*each) for each in found.rows(some)] == rows[1::2]


def test_an_expiry_that_is_later_than_fits_is_the_latest_and_never_stays_never() -> None:
    latest = 2**47 - 1
    expiries = (latest + 1, latest, NEVER, 2**63, 10**21)
    summer = summed([one(b"%d" % number, expiry=each) for number, each in enumerate(expiries)])
    for listed in (summer.listed(), summer.kept()):
        assert listed is not None
        found = [row.expires_ms for row in rows_of(listed)]
        assert found == [latest, latest, None, latest, latest]


def test_an_entry_is_digested_otherwise_than_where_it_is_read_by_itself() -> None:
    listed = summed([one()]).listed()
    assert listed is not None
    (row,) = rows_of(listed)
    assert row.entry.hex() != entry_digest(SEED, b"value")[:16]


def test_more_rows_than_were_to_be_kept_are_none() -> None:
    summer = Summer(SEED, summing(), most_rows=2)
    add(summer, [one(b"a"), one(b"b")])
    assert summer.listed() is not None
    assert summer.kept() is not None
    add(summer, [one(b"c")])
    assert summer.listed() is None
    assert summer.kept() is None
    assert Summer(SEED, summing()).listed() is None


def test_a_name_that_is_too_long_for_a_row_is_refused_and_can_be_summed() -> None:
    entry = one(b"x" * 65_536)
    with pytest.raises(ValueError, match="too long"):
        summed([entry])
    add(Summer(SEED, summing()), [entry])


@pytest.mark.parametrize(
    "listed",
    [
        Listed(rows=bytes(ROW_BYTES - 1)),
        Listed(rows=bytes(ROW_BYTES - 1) + b"\1"),
        Listed(rows=bytes(ROW_BYTES - 1) + b"\2", names=zlib.compress(b"\xff\xff")),
        Listed(rows=bytes(ROW_BYTES), names=b"no zlib"),
        Listed(rows=b"no zlib", by_columns=True),
        Listed(rows=zlib.compress(bytes(ROW_BYTES + 1)), by_columns=True),
        Listed(rows=bytes(ROW_BYTES - 2) + b"\xff\xff", names=zlib.compress(b"x" * 65_535)),
    ],
)
def test_rows_that_do_not_hold_together_are_malformed(listed: Listed) -> None:
    with pytest.raises(MalformedMessage):
        list(rows_of(listed))


packed = st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(zlib.compress))


@given(st.builds(Listed, rows=packed, names=packed, by_columns=st.booleans()))
def test_whatever_was_listed_gives_rows_or_is_malformed(listed: Listed) -> None:
    for within in (None, bitmap_of(range(16), 32)):
        with suppress(MalformedMessage):
            rows = Listing([listed], within, 32).rows()
            assert all(isinstance(row_of(*each), Row) for each in rows)


def test_what_unpacks_to_more_than_is_accepted_is_refused_in_bounded_memory() -> None:
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    bomb = b"".join(packer.compress(block) for _ in range(4 * MAX_NAMES_BYTES >> 20))
    bomb += packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(MalformedMessage, match="more names"):
            list(rows_of(Listed(names=bomb)))
        with pytest.raises(MalformedMessage, match="more rows"):
            list(rows_of(Listed(rows=bomb, by_columns=True)))
        assert tracemalloc.get_traced_memory()[1] < 2.5 * MAX_NAMES_BYTES
    finally:
        tracemalloc.stop()
