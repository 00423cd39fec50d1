"""Buckets: how entries are summed, sums as they are sent, added up and compared."""

from __future__ import annotations

from array import array
from functools import partial, reduce
from itertools import compress, count
from operator import add, ne
from sys import byteorder
from typing import TYPE_CHECKING, Annotated, TypeAlias

from msgspec import Meta

from cachecheck.errors import MalformedMessage
from cachecheck.model import Moment, Value
from cachecheck.sums.terms import HEAD_BITS, PLACE_BITS, Kind, maker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MIN_BUCKETS, MAX_BUCKETS = 16, 1 << PLACE_BITS
LANES = 4
BUCKET_BYTES = 4 + 16 + LANES * 4
NEVER = -1

_CODES = "IQQ" + "I" * LANES
_CODES_AS_PACKED = "QQI" + "I" * LANES
_MASKS = {"I": (1 << 32) - 1, "Q": (1 << 64) - 1}

_Column: TypeAlias = "array[int]"


class Summing(Value, frozen=True, kw_only=True):
    """How entries are summed: the same for all stores that are to be compared.

    ``buckets`` is a power of two, ``lane_ms`` the tolerance of expiries. ``shift_ms`` is taken
    from an expiry to bring it to the coordinator's clock, in which ``horizon`` is: entries that
    expire before it are left out. ``by`` is what tells entries apart: digests, or hashes where all
    is read by processes that share them; plain hashes where all rows come along as well.
    """

    buckets: Annotated[int, Meta(ge=MIN_BUCKETS, le=MAX_BUCKETS)]
    lane_ms: Annotated[int, Meta(ge=LANES, le=10**9)]
    shift_ms: Annotated[int, Meta(ge=-(10**14), le=10**14)] = 0
    horizon: Moment
    by: Kind = "digests"


class Sums(Value, frozen=True, kw_only=True):
    """Bucket sums, column by column, little-endian: sums (low, high), counts, four lanes."""

    buckets: int
    packed: bytes


class Buckets:
    """A set of buckets, as a bitmap: which keys are to be listed."""

    def __init__(self, seed: bytes, summing: Summing, bitmap: bytes) -> None:
        self._head = maker(summing.by, seed).head
        self._bitmap = bitmap
        self._shift = HEAD_BITS - PLACE_BITS + place_shift(summing.buckets)

    def __contains__(self, name: bytes) -> bool:
        place = self._head(name) >> self._shift
        byte = place >> 3
        return byte < len(self._bitmap) and bool(self._bitmap[byte] >> (place & 7) & 1)


def place_shift(buckets: int) -> int:
    """Give by how many bits the first 16 of a key are shifted to give the place of its bucket."""
    return PLACE_BITS + 1 - buckets.bit_length()


def bitmap_of(places: Iterable[int], buckets: int) -> bytes:
    """Write a set of buckets as a bitmap, the first in the lowest bit."""
    bits = bytearray(buckets // 8)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def bucket_count(entries: int) -> int:
    """Choose how many buckets there are for so many entries: some 48 each."""
    wanted = max(MIN_BUCKETS, min(MAX_BUCKETS, entries // 34))
    return 1 << (wanted.bit_length() - 1)


def add_up(parts: Iterable[Sums], buckets: int) -> Sums:
    """Add sums of disjoint parts up; raises ``MalformedMessage`` where they do not fit."""
    unpacked = [_unpack(part) for part in (*parts, empty(buckets))]
    if any(len(columns[0]) != buckets for columns in unpacked):
        raise MalformedMessage("sums over another number of buckets")
    return pack(buckets, _added(unpacked))


def _added(unpacked: Sequence[Sequence[_Column]]) -> Iterator[Iterable[int]]:
    """Add columns up, one after the other: lists of numbers take ten times what is packed."""
    number, low, high, *lanes = zip(*unpacked, strict=True)
    yield _total(number)
    lower = list(_total(low))
    yield lower
    yield map(add, _total(high), (total >> 64 for total in lower))
    yield from map(_total, lanes)


def _total(columns: Iterable[Iterable[int]]) -> Iterable[int]:
    return reduce(partial(map, add), columns)


def empty(buckets: int) -> Sums:
    """Give the sums of no entry."""
    return Sums(buckets=buckets, packed=bytes(buckets * BUCKET_BYTES))


def differing(stores: Sequence[Sums]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Name the buckets in which stores differ: in entries, and in expiries alone.

    Expiries agree where one lane is equal in all stores.
    """
    columns = [_unpack(sums) for sums in stores]
    first, *others = columns
    pairs = ((mine, its) for other in others for mine, its in zip(first, other, strict=True))
    unequal = {place for mine, its in pairs for place in compress(count(), map(ne, mine, its))}
    entries, expiries = [], []
    for place in sorted(unequal):
        rows = [[column[place] for column in one] for one in columns]
        if any(row[:3] != rows[0][:3] for row in rows):
            entries.append(place)
        elif not any(len(set(lane)) == 1 for lane in zip(*(row[3:] for row in rows), strict=True)):
            expiries.append(place)
    return tuple(entries), tuple(expiries)


def counts(sums: Sums) -> tuple[int, ...]:
    """Give the number of entries in each bucket."""
    return tuple(_unpack(sums)[0])


def pack(buckets: int, columns: Iterable[Iterable[int]]) -> Sums:
    """Pack columns of sums; what is more than fits into a field is cut off: they are residues."""
    number, low, high, *lanes = map(_packed, _CODES, columns)
    return Sums(buckets=buckets, packed=b"".join((low, high, number, *lanes)))


def _packed(code: str, column: Iterable[int]) -> bytes:
    mask = _MASKS[code]
    return _little(array(code, [total & mask for total in column])).tobytes()


def _unpack(sums: Sums) -> list[_Column]:
    """Give counts, sums (low, high) and lanes."""
    if len(sums.packed) != sums.buckets * BUCKET_BYTES:
        raise MalformedMessage("sums that do not fit their number of buckets")
    packed = memoryview(sums.packed)
    columns, begins = [], 0
    for code in _CODES_AS_PACKED:
        column = array(code)
        ends = begins + sums.buckets * column.itemsize
        column.frombytes(packed[begins:ends])
        columns.append(_little(column))
        begins = ends
    low, high, number, *lanes = columns
    return [number, low, high, *lanes]


def _little(column: _Column) -> _Column:
    """Turn numbers round where this machine has their bytes in another order."""
    if byteorder == "big":
        column.byteswap()
    return column
