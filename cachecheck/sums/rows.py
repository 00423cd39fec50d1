"""Rows: entries that are listed one by one, 20 bytes each, with the names of their keys."""

from __future__ import annotations

import struct
import zlib
from array import array
from itertools import compress
from sys import byteorder
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from cachecheck.errors import MalformedMessage
from cachecheck.model import MAX_KEY_CHARS, Naming, Value

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from cachecheck.sums.terms import Terms

ROW_BYTES = 20
MAX_NAMES_BYTES = 64 << 20
MAX_ROWS = 1_000_000

_ROW = struct.Struct(">7s5sQ")
_MARKED = struct.Struct(">12sQ")
KEY_BYTES, _ENTRY_BYTES, _EXPIRY_BYTES = 7, 5, 6
_COLUMNS = 4
MAX_NAME_BYTES = 4 * MAX_KEY_CHARS

LENGTH_BITS = 16
_MAX_LENGTH = (1 << LENGTH_BITS) - 1
_NEVER = (1 << 48) - 1
_LATEST = (1 << 47) - 1
_UNITS = ROW_BYTES // 2
_HEADS = 1 << 16


class Listed(Value, frozen=True, kw_only=True):
    """Entries of some buckets: fixed-width rows, and the names of their keys, compressed.

    A row has 7 bytes of the key's digest, 5 of the entry's, 6 of the expiry in milliseconds of the
    coordinator's clock (all ones: never), and 2 of the length of its name in bytes. Rows that cross
    a network are ``by_columns``: the first bytes of all, the second bytes, and so on, compressed,
    since expiries and lengths are much alike.
    """

    rows: bytes = b""
    names: bytes = b""
    naming: Naming = "logical"
    by_columns: bool = False


class Row(NamedTuple):
    """One entry that was listed; ``expires_ms`` None never expires."""

    key: bytes
    entry: bytes
    expires_ms: int | None
    name: str


class Packing:
    """Rows in the making: their parts as columns, which are put together in the end."""

    def __init__(self) -> None:
        self._parts: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._names: list[bytes] = []
        self._width = 1

    def add(self, terms: Terms, expiries_ms: Sequence[int], names: Sequence[bytes]) -> None:
        """Add entries; names are at most 65,535 bytes long (``ValueError``)."""
        try:
            lengths = _big("H", map(len, names))
        except OverflowError as exc:
            raise ValueError("a name that is too long for a row") from exc
        if max(expiries_ms, default=0) > _LATEST:
            expiries_ms = [min(expiry, _LATEST) for expiry in expiries_ms]
        self._width = terms.width
        expiries = _big("q", expiries_ms)  # -1 is all ones: never
        self._parts.append((*terms.packed(), expiries, lengths))
        self._names.append(b"".join(names))

    def columns(self) -> list[bytes]:
        """Give the bytes of all rows so far, column by column."""
        keys, entries, expiries, lengths = (
            b"".join(part[column] for part in self._parts) for column in range(_COLUMNS)
        )
        return [
            *(keys[byte :: self._width] for byte in range(KEY_BYTES)),
            *(entries[byte :: self._width] for byte in range(_ENTRY_BYTES)),
            *(expiries[byte::8] for byte in range(8 - _EXPIRY_BYTES, 8)),
            *(lengths[byte::2] for byte in range(2)),
        ]

    def listed(self, naming: Naming, level: int) -> Listed:
        """Give all rows so far; ``level`` is how hard they are compressed, 0: not at all."""
        columns, names = self.columns(), zlib.compress(self.names(), level)
        if not level:
            return Listed(rows=_joined(columns), names=names, naming=naming)
        rows = zlib.compress(b"".join(columns), level)
        return Listed(rows=rows, names=names, naming=naming, by_columns=True)

    def names(self) -> bytes:
        """Give the names of all rows so far, one after the other."""
        return b"".join(self._names)


def _big(code: str, column: Iterable[int]) -> bytes:
    return _turned(array(code, column)).tobytes()


def _turned(numbers: array[int]) -> array[int]:
    """Turn numbers round, in place, between this machine's order of bytes and that of rows."""
    if byteorder == "little":
        numbers.byteswap()
    return numbers


def by_rows(listed: Listed) -> Listed:
    """Give what was listed with its rows one after the other; raises ``MalformedMessage``."""
    if not listed.by_columns:
        return listed
    columns = _inflated(listed.rows, MAX_ROWS * ROW_BYTES, "rows")
    count, rest = divmod(len(columns), ROW_BYTES)
    if rest:
        raise MalformedMessage("rows that are cut off")
    rows = _joined([columns[start : start + count] for start in range(0, len(columns), count or 1)])
    return structs.replace(listed, rows=rows, by_columns=False)


def _joined(columns: Sequence[bytes]) -> bytes:
    rows = bytearray(sum(map(len, columns)))
    for place, column in enumerate(columns):
        rows[place::ROW_BYTES] = column
    return bytes(rows)


def rows_of(listed: Listed) -> Iterator[Row]:
    """Unpack what was listed; raises ``MalformedMessage`` where it does not hold together."""
    return (row_of(packed, name) for packed, name in Listing([listed]).rows())


class Listing:
    """What was listed of one store, looked through without unpacking row after row.

    ``within`` is a bitmap of so many ``buckets``: rows of others are passed over before anything
    is made of them, at some 0.1 µs each. Raises ``MalformedMessage`` as ``rows_of`` does.
    """

    def __init__(
        self, listed: Iterable[Listed], within: bytes | None = None, buckets: int = _HEADS
    ) -> None:
        is_wanted = None if within is None else _by_head(within, buckets)
        self._parts = [_Part(part, is_wanted) for part in listed]

    def tails(self) -> dict[bytes, int]:
        """Give, by key and entry, a row's expiry and length as they are packed; the last counts."""
        return {mark: tail for part in self._parts for mark, tail in part.marked()}

    def rows(self, besides: Container[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
        """Give rows as they are packed, each with its name, but those with such key and entry."""
        return (row for part in self._parts for row in part.rows(besides))


class _Part:
    def __init__(self, listed: Listed, is_wanted: bytes | None) -> None:
        self._rows = by_rows(listed).rows
        if len(self._rows) % ROW_BYTES:
            raise MalformedMessage("rows that are cut off")
        self._listed = listed
        units = array("H", self._rows)
        self._lengths = _turned(units[_UNITS - 1 :: _UNITS])
        self._places: Sequence[int] = range(len(self._lengths))
        if is_wanted is not None:
            heads = _turned(units[::_UNITS])
            self._places = list(compress(self._places, map(is_wanted.__getitem__, heads)))

    def marked(self) -> Iterator[tuple[bytes, int]]:
        is_whole = len(self._places) == len(self._lengths)
        rows = self._rows if is_whole else b"".join(map(self._row, self._places))
        return _MARKED.iter_unpack(rows)

    def rows(self, besides: Container[bytes]) -> Iterator[tuple[bytes, bytes]]:
        names = _inflated(self._listed.names, MAX_NAMES_BYTES, "names")
        marked = zip(self._places, self.marked(), strict=True)
        following = ends = 0
        for place in [place for place, (mark, _) in marked if mark not in besides]:
            ends += sum(self._lengths[following : place + 1])
            following = place + 1
            length = self._lengths[place]
            if length > MAX_NAME_BYTES:
                raise MalformedMessage("a name that is longer than keys are")
            if ends > len(names):
                raise MalformedMessage("rows without names")
            yield self._row(place), names[ends - length : ends]

    def _row(self, place: int) -> bytes:
        return self._rows[place * ROW_BYTES : (place + 1) * ROW_BYTES]


def row_of(packed: bytes, name: bytes) -> Row:
    """Unpack one row; raises ``MalformedMessage`` where its key is no text."""
    key, entry, tail = _ROW.unpack(packed)
    expiry = tail >> LENGTH_BITS
    try:
        return Row(key, entry, None if expiry == _NEVER else expiry, name.decode())
    except UnicodeDecodeError as exc:
        raise MalformedMessage("a key that is no text") from exc


def _by_head(within: bytes, buckets: int) -> bytes:
    """Say for all 16 bits that a digest can begin with whether its bucket is wanted."""
    each = _HEADS // buckets
    bits = (byte >> bit & 1 for byte in within for bit in range(8))
    return b"".join((b"\1" if bit else b"\0") * each for bit in bits)


def _inflated(packed: bytes, most_bytes: int, what: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(packed, most_bytes) if packed else b""
    except zlib.error as exc:
        raise MalformedMessage(f"{what} that cannot be unpacked") from exc
    if unpacker.unconsumed_tail:
        raise MalformedMessage(f"more {what} than are accepted")
    return found
