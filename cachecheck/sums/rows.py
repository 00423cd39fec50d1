"""Rows: entries that are listed one by one, 20 bytes each, with the names of their keys.

Those of a store that is read directly are kept column by column, and only what is wanted of them is
ever put together.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from itertools import repeat
from sys import byteorder
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from cachecheck.errors import MalformedMessage
from cachecheck.model import MAX_KEY_CHARS, Naming, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.sums.terms import Terms

ROW_BYTES = 20
MAX_NAMES_BYTES = 64 << 20
MAX_ROWS = 1_000_000

_ROW = struct.Struct(">7s5sQ")
KEY_BYTES, _ENTRY_BYTES, _EXPIRY_BYTES = 7, 5, 6
WIDE, _LENGTH_BYTES = 8, 2
MAX_NAME_BYTES = 4 * MAX_KEY_CHARS

LENGTH_BITS = 16
_NEVER = (1 << 48) - 1
_LATEST = (1 << 47) - 1


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


class Kept(Value, frozen=True, kw_only=True):
    """All entries of a page of a store that is read directly, column after column.

    Digests of keys and of entries have 8 bytes each, expiries 8 (-1: never), the lengths of names
    2, the first byte first; ``names`` are not compressed.
    """

    keys: bytes
    entries: bytes
    expiries: bytes
    lengths: bytes
    names: bytes
    naming: Naming

    def packed(self, places: Sequence[int] | None = None) -> bytes:
        """Put rows together: those at some places, or all of them."""
        columns = [self.keys, self.entries, self.expiries, self.lengths]
        if places is not None:
            columns = [*map(_picked, "QQQH", columns, repeat(places))]
        return _joined(_byte_columns(*columns))


class Row(NamedTuple):
    """One entry that was listed; ``expires_ms`` None never expires."""

    key: bytes
    entry: bytes
    expires_ms: int | None
    name: str


class Packing:
    """Rows in the making: their parts as columns, which are put together in the end."""

    def __init__(self) -> None:
        self.names_bytes = 0
        self._parts: list[tuple[bytes, bytes, bytes, bytes, bytes]] = []

    def add(self, terms: Terms, expiries_ms: Sequence[int], names: Sequence[bytes]) -> None:
        """Add entries; names are at most 65,535 bytes long (``ValueError``).

        What expires later than a row can tell expires at the latest that it can.
        """
        try:
            lengths = _big("H", list(map(len, names)))
        except OverflowError as exc:
            raise ValueError("a name that is too long for a row") from exc
        if max(expiries_ms, default=0) > _LATEST:
            expiries_ms = [min(expiry, _LATEST) for expiry in expiries_ms]
        keys, entries = (_narrowed(column, terms.width) for column in terms.packed())
        joined = b"".join(names)
        self.names_bytes += len(joined)
        self._parts.append((keys, entries, _big("q", expiries_ms), lengths, joined))

    def kept(self, naming: Naming) -> Kept:
        """Give all rows so far as they are."""
        keys, entries, expiries, lengths, names = (
            b"".join(part[column] for part in self._parts) for column in range(5)
        )
        return Kept(
            keys=keys,
            entries=entries,
            expiries=expiries,
            lengths=lengths,
            names=names,
            naming=naming,
        )

    def listed(self, naming: Naming, level: int) -> Listed:
        """Give all rows so far; ``level`` is how hard they are compressed, 0: not at all."""
        kept = self.kept(naming)
        names = zlib.compress(kept.names, level)
        if not level:
            return Listed(rows=kept.packed(), names=names, naming=naming)
        columns = _byte_columns(kept.keys, kept.entries, kept.expiries, kept.lengths)
        rows = zlib.compress(b"".join(columns), level)
        return Listed(rows=rows, names=names, naming=naming, by_columns=True)


def _big(code: str, column: Sequence[int]) -> bytes:
    return turned(array(code, column)).tobytes()


def turned(numbers: array[int]) -> array[int]:
    """Turn numbers round, in place, between this machine's order of bytes and that of rows."""
    if byteorder == "little":
        numbers.byteswap()
    return numbers


def _narrowed(column: bytes, width: int) -> bytes:
    """Cut digests to what is kept of each."""
    return column if width == WIDE else array("Q", column)[:: width // WIDE].tobytes()


def _picked(code: str, column: bytes, places: Sequence[int]) -> bytes:
    return array(code, [*map(array(code, column).__getitem__, places)]).tobytes()


def _byte_columns(keys: bytes, entries: bytes, expiries: bytes, lengths: bytes) -> list[bytes]:
    """Give the first bytes of all rows, the second bytes, and so on."""
    return [
        *(keys[byte::WIDE] for byte in range(KEY_BYTES)),
        *(entries[byte::WIDE] for byte in range(_ENTRY_BYTES)),
        *(expiries[byte::WIDE] for byte in range(WIDE - _EXPIRY_BYTES, WIDE)),
        *(lengths[byte::_LENGTH_BYTES] for byte in range(_LENGTH_BYTES)),
    ]


def _joined(columns: Sequence[bytes]) -> bytes:
    rows = bytearray(sum(map(len, columns)))
    for place, column in enumerate(columns):
        rows[place::ROW_BYTES] = column
    return bytes(rows)


def by_rows(listed: Listed) -> Listed:
    """Give what was listed with its rows one after the other; raises ``MalformedMessage``."""
    if not listed.by_columns:
        return listed
    columns = inflated(listed.rows, MAX_ROWS * ROW_BYTES, "rows")
    count, rest = divmod(len(columns), ROW_BYTES)
    if rest:
        raise MalformedMessage("rows that are cut off")
    rows = _joined([columns[start : start + count] for start in range(0, len(columns), count or 1)])
    return structs.replace(listed, rows=rows, by_columns=False)


def row_of(packed: bytes, name: bytes) -> Row:
    """Unpack one row; raises ``MalformedMessage`` where its key is no text."""
    key, entry, tail = _ROW.unpack(packed)
    expiry = tail >> LENGTH_BITS
    try:
        return Row(key, entry, None if expiry == _NEVER else expiry, name.decode())
    except UnicodeDecodeError as exc:
        raise MalformedMessage("a key that is no text") from exc


def inflated(packed: bytes, most_bytes: int, what: str) -> bytes:
    """Unpack no more than so much; raises ``MalformedMessage`` where that is not all of it."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(packed, most_bytes) if packed else b""
    except zlib.error as exc:
        raise MalformedMessage(f"{what} that cannot be unpacked") from exc
    if unpacker.unconsumed_tail:
        raise MalformedMessage(f"more {what} than are accepted")
    return found
