"""Rows: entries that are listed one by one, 20 bytes each, with the names of their keys."""

from __future__ import annotations

import struct
import zlib
from array import array
from itertools import accumulate, compress
from sys import byteorder
from typing import TYPE_CHECKING, NamedTuple

from cachecheck.errors import MalformedMessage
from cachecheck.model import MAX_KEY_CHARS, Naming, Value
from cachecheck.sums.buckets import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROW_BYTES = 20
MAX_NAMES_BYTES = 64 << 20

_ROW, _SIGNED_ROW = struct.Struct(">7s5sQ"), struct.Struct(">7s5sq")
MAX_NAME_BYTES = 4 * MAX_KEY_CHARS

_LENGTH_BITS = 16
_MAX_LENGTH = (1 << _LENGTH_BITS) - 1
_NEVER = (1 << 48) - 1
_LATEST = (1 << 47) - 1
_UNITS = ROW_BYTES // 2
_HEADS = 1 << 16


class Listed(Value, frozen=True, kw_only=True):
    """Entries of some buckets: fixed-width rows, and the names of their keys, compressed.

    A row has 7 bytes of the key's digest, 5 of the entry's, 6 of the expiry in milliseconds of the
    coordinator's clock (all ones: never), and 2 of the length of its name in bytes.
    """

    rows: bytes = b""
    names: bytes = b""
    naming: Naming = "logical"


class Row(NamedTuple):
    """One entry that was listed; ``expires_ms`` None never expires."""

    key: bytes
    entry: bytes
    expires_ms: int | None
    name: str


def pack_rows(
    keys: Iterable[bytes],
    entries: Iterable[bytes],
    expiries_ms: Sequence[int],
    names: Sequence[bytes],
) -> bytes:
    """Pack rows of whole digests; names are at most 65,535 bytes long (``ValueError``)."""
    lengths = list(map(len, names))
    if max(lengths, default=0) > _MAX_LENGTH:
        raise ValueError("a name that is too long for a row")
    if max(expiries_ms, default=0) > _LATEST or min(expiries_ms, default=0) < NEVER:
        expiries_ms = [min(max(expiry, NEVER), _LATEST) for expiry in expiries_ms]
    tails = [  # shifted as it is, -1 is all ones: never
        expiry << _LENGTH_BITS | length for expiry, length in zip(expiries_ms, lengths, strict=True)
    ]
    return b"".join(map(_SIGNED_ROW.pack, keys, entries, tails))


def rows_of(listed: Listed, within: bytes | None = None, buckets: int = _HEADS) -> Iterator[Row]:
    """Unpack what was listed; raises ``MalformedMessage`` where it does not hold together.

    ``within`` is a bitmap of so many ``buckets``: rows of others are passed over before anything
    is made of them, at some 0.1 µs each.
    """
    names = _inflated(listed.names)
    if len(listed.rows) % ROW_BYTES:
        raise MalformedMessage("rows that are cut off")
    units = array("H", listed.rows)
    if byteorder == "little":
        units.byteswap()
    lengths = units[_UNITS - 1 :: _UNITS]
    if max(lengths, default=0) > MAX_NAME_BYTES:
        raise MalformedMessage("a name that is longer than keys are")
    ends = list(accumulate(lengths))
    if ends and ends[-1] > len(names):
        raise MalformedMessage("rows without names")
    places: Iterable[int] = range(len(ends))
    if within is not None:
        is_wanted = _by_head(within, buckets)
        places = compress(places, map(is_wanted.__getitem__, units[::_UNITS]))
    for place in places:
        key, entry, tail = _ROW.unpack_from(listed.rows, place * ROW_BYTES)
        end, expiry = ends[place], tail >> _LENGTH_BITS
        try:
            name = names[end - (tail & _MAX_LENGTH) : end].decode()
        except UnicodeDecodeError as exc:
            raise MalformedMessage("a key that is no text") from exc
        yield Row(key, entry, None if expiry == _NEVER else expiry, name)


def _by_head(within: bytes, buckets: int) -> bytes:
    """Say for all 16 bits that a digest can begin with whether its bucket is wanted."""
    each = _HEADS // buckets
    bits = (byte >> bit & 1 for byte in within for bit in range(8))
    return b"".join((b"\1" if bit else b"\0") * each for bit in bits)


def _inflated(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        names = unpacker.decompress(packed, MAX_NAMES_BYTES) if packed else b""
    except zlib.error as exc:
        raise MalformedMessage("names that cannot be unpacked") from exc
    if unpacker.unconsumed_tail:
        raise MalformedMessage("more names than are accepted")
    return names
