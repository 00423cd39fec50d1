"""What was listed of a store, looked through without unpacking row after row."""

from __future__ import annotations

import struct
from array import array
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

from cachecheck.errors import MalformedMessage
from cachecheck.sums.rows import (
    MAX_NAME_BYTES,
    MAX_NAMES_BYTES,
    ROW_BYTES,
    WIDE,
    Kept,
    Listed,
    Row,
    by_rows,
    inflated,
    row_of,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

_MARKED = struct.Struct(">12sQ")
_UNITS = ROW_BYTES // 2
_BYTE_VALUES, _BITS = 256, 8
_TOLD_BY_BYTES = _BYTE_VALUES * _BITS


def rows_of(listed: Listed | Kept) -> Iterator[Row]:
    """Unpack what was listed; raises ``MalformedMessage`` where it does not hold together."""
    return (row_of(packed, name) for packed, name in Listing([listed]).rows())


class Listing:
    """What was listed of one store.

    ``within`` is a bitmap of so many ``buckets``: rows of others are passed over before anything
    is made of them, at some 0.03 µs each. Raises ``MalformedMessage`` as ``rows_of`` does.
    """

    def __init__(
        self,
        listed: Iterable[Listed | Kept],
        within: bytes | None = None,
        buckets: int = _TOLD_BY_BYTES,
    ) -> None:
        self._parts = [_Part(part, within, buckets) for part in listed]

    def tails(self) -> dict[bytes, int]:
        """Give, by key and entry, a row's expiry and length as they are packed; the last counts."""
        return {mark: tail for part in self._parts for mark, tail in part.marked()}

    def rows(self, besides: Container[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
        """Give rows as they are packed, each with its name, but those with such key and entry."""
        return (row for part in self._parts for row in part.rows(besides))


class _Part:
    """The rows of one page that are wanted, and where among all of them they are."""

    def __init__(self, listed: Listed | Kept, within: bytes | None, buckets: int) -> None:
        self._listed = listed if isinstance(listed, Kept) else by_rows(listed)
        first, second, self._lengths = _looked_at(self._listed)
        self._places: Sequence[int] = range(len(first))
        if within is not None:
            self._places = list(compress(self._places, _wanted(first, second, within, buckets)))
        self._rows = _packed(self._listed, self._places)

    def marked(self) -> Iterator[tuple[bytes, int]]:
        return _MARKED.iter_unpack(self._rows)

    def rows(self, besides: Container[bytes]) -> Iterator[tuple[bytes, bytes]]:
        names, lengths = _names(self._listed), self._lengths
        following = ends = 0
        for number, (mark, _) in enumerate(self.marked()):
            if mark in besides:
                continue
            place = self._places[number]
            ends += sum(lengths[following : place + 1])
            following = place + 1
            length = lengths[place]
            if length > MAX_NAME_BYTES:
                raise MalformedMessage("a name that is longer than keys are")
            if ends > len(names):
                raise MalformedMessage("rows without names")
            yield _row(self._rows, number), names[ends - length : ends]


def _looked_at(listed: Listed | Kept) -> tuple[bytes, bytes, array[int]]:
    """Give the first two bytes of all keys, and the lengths of their names."""
    if isinstance(listed, Kept):
        first, second = (listed.keys[byte::WIDE] for byte in range(2))
        return first, second, turned(array("H", listed.lengths))
    rows = listed.rows
    if len(rows) % ROW_BYTES:
        raise MalformedMessage("rows that are cut off")
    first, second = (rows[byte::ROW_BYTES] for byte in range(2))
    return first, second, turned(array("H", rows)[_UNITS - 1 :: _UNITS])


def _packed(listed: Listed | Kept, places: Sequence[int]) -> bytes:
    """Give the rows at some places, one after the other."""
    is_whole = isinstance(places, range)
    if isinstance(listed, Kept):
        return listed.packed(None if is_whole else places)
    if is_whole:
        return listed.rows
    return b"".join(map(partial(_row, listed.rows), places))


def _row(rows: bytes, place: int) -> bytes:
    return rows[place * ROW_BYTES : (place + 1) * ROW_BYTES]


def _names(listed: Listed | Kept) -> bytes:
    if isinstance(listed, Kept):
        return listed.names
    return inflated(listed.names, MAX_NAMES_BYTES, "names")


def _wanted(first: bytes, second: bytes, within: bytes, buckets: int) -> bytes:
    """Say of all keys at once, by their first two bytes, whether their buckets are wanted.

    Of buckets that begin with one byte, eight are in a byte of the bitmap. So that byte is looked
    up by a key's first byte, and the bit by its second one: ``translate`` does that for all keys,
    and the two are put together as numbers that are as long as the list.
    """
    repeated = max(1, _TOLD_BY_BYTES // buckets)
    if repeated > 1:
        within, buckets = _spread(within, repeated), _TOLD_BY_BYTES
    groups = buckets // _TOLD_BY_BYTES
    each = _BYTE_VALUES // (groups * _BITS)
    found = 0
    for group in range(groups):
        places = (value // each - group * _BITS for value in range(_BYTE_VALUES))
        bits = bytes(1 << place if 0 <= place < _BITS else 0 for place in places)
        found |= _number(first.translate(within[group::groups])) & _number(second.translate(bits))
    return found.to_bytes(len(first), "little")


def _number(text: bytes) -> int:
    return int.from_bytes(text, "little")


def _spread(within: bytes, times: int) -> bytes:
    """Write a bitmap of few buckets as one of so many times more."""
    number = _number(within)
    ones = (1 << times) - 1
    spread = sum(ones << bit * times for bit in range(len(within) * _BITS) if number >> bit & 1)
    return spread.to_bytes(len(within) * times, "little")
