"""Buckets: how entries are summed, sums as they are sent, added up and compared."""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from cachecheck.digest import key_hasher
from cachecheck.errors import MalformedMessage
from cachecheck.model import Moment, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIN_BUCKETS, MAX_BUCKETS = 16, 1 << 16
LANES = 4
BUCKET_BYTES = 4 + 16 + LANES * 4
NEVER = -1

_MASK32, _MASK64 = (1 << 32) - 1, (1 << 64) - 1


class Summing(Value, frozen=True, kw_only=True):
    """How entries are summed: the same for all stores that are to be compared.

    ``buckets`` is a power of two, ``lane_ms`` the tolerance of expiries. ``shift_ms`` is taken
    from an expiry to bring it to the coordinator's clock, in which ``horizon`` is: entries that
    expire before it are left out.
    """

    buckets: Annotated[int, Meta(ge=MIN_BUCKETS, le=MAX_BUCKETS)]
    lane_ms: Annotated[int, Meta(ge=LANES, le=10**9)]
    shift_ms: Annotated[int, Meta(ge=-(10**14), le=10**14)] = 0
    horizon: Moment


class Sums(Value, frozen=True, kw_only=True):
    """Bucket sums, column by column, little-endian: sums (low, high), counts, four lanes."""

    buckets: int
    packed: bytes


class Buckets:
    """A set of buckets, as a bitmap: which keys are to be listed."""

    def __init__(self, seed: bytes, buckets: int, bitmap: bytes) -> None:
        self._hasher = key_hasher(seed)
        self._bitmap = bitmap
        self._place_bits = place_bits(buckets)

    def __contains__(self, name: bytes) -> bool:
        hasher = self._hasher.copy()
        hasher.update(name)
        place = int.from_bytes(hasher.digest()) >> self._place_bits
        byte = place >> 3
        return byte < len(self._bitmap) and bool(self._bitmap[byte] >> (place & 7) & 1)


def place_bits(buckets: int) -> int:
    """Give by how many bits a key's digest is shifted to give the place of its bucket."""
    return 128 - (buckets.bit_length() - 1)


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
    totals = [[0] * buckets for _ in range(3 + LANES)]
    for part in parts:
        if part.buckets != buckets:
            raise MalformedMessage("sums over another number of buckets")
        totals = [
            list(map(int.__add__, total, column))
            for total, column in zip(totals, _unpack(part), strict=True)
        ]
    number, low, high, *lanes = totals
    whole = [above + (below >> 64) for above, below in zip(high, low, strict=True)]
    return pack(buckets, (number, low, whole, *lanes))


def empty(buckets: int) -> Sums:
    """Give the sums of no entry."""
    return Sums(buckets=buckets, packed=bytes(buckets * BUCKET_BYTES))


def differing(stores: Sequence[Sums]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Name the buckets in which stores differ: in entries, and in expiries alone.

    Expiries agree where one lane is equal in all stores.
    """
    columns = [_unpack(sums) for sums in stores]
    entries, expiries = [], []
    for place, rows in enumerate(zip(*(zip(*one, strict=True) for one in columns), strict=True)):
        first = rows[0]
        if all(row == first for row in rows):
            continue
        if any(row[:3] != first[:3] for row in rows):
            entries.append(place)
        elif not any(len(set(lane)) == 1 for lane in zip(*(row[3:] for row in rows), strict=True)):
            expiries.append(place)
    return tuple(entries), tuple(expiries)


def counts(sums: Sums) -> tuple[int, ...]:
    """Give the number of entries in each bucket."""
    return tuple(_unpack(sums)[0])


def pack(buckets: int, columns: Sequence[Sequence[int]]) -> Sums:
    """Pack columns of sums; what is more than fits into a field is cut off: they are residues."""
    number, low, high, *lanes = columns
    cut = [[total & _MASK64 for total in column] for column in (low, high)]
    cut += [[total & _MASK32 for total in column] for column in (number, *lanes)]
    packed = _layout(buckets).pack(*chain.from_iterable(cut))
    return Sums(buckets=buckets, packed=packed)


@lru_cache(maxsize=8)
def _layout(buckets: int) -> struct.Struct:
    return struct.Struct(f"<{buckets * 2}Q{buckets * (1 + LANES)}I")


def _unpack(sums: Sums) -> list[Sequence[int]]:
    if len(sums.packed) != sums.buckets * BUCKET_BYTES:
        raise MalformedMessage("sums that do not fit their number of buckets")
    numbers = _layout(sums.buckets).unpack(sums.packed)
    low, high, *others = (
        numbers[column * sums.buckets : (column + 1) * sums.buckets] for column in range(3 + LANES)
    )
    number, *lanes = others
    return [number, low, high, *lanes]
