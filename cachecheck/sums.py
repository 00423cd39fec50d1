"""Sums over every entry of a store, in keyed buckets, and the rows of buckets that differ.

A bucket is chosen by the first bits of a key's keyed digest. It holds how many entries there are,
the sum modulo 2^128 of keyed digests over key, stored bytes, flags and whether the entry expires,
and for expiries e four lanes, the sums modulo 2^64 of h64(key) · ⌊(e + g·lane/4) / lane⌋ for
g = 0…3. Two stores agree in a bucket when counts and sums agree and at least one lane does: their
expiries are then less than a lane apart, one by one. A plain sum of expiries would let +600 s and
-600 s cancel. Sums are added up in any order and grouping.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import chain, repeat
from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta

from cachecheck.digest import DIGEST_BYTES, key_hasher
from cachecheck.errors import MalformedMessage
from cachecheck.model import Moment, Naming, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MIN_BUCKETS, MAX_BUCKETS = 16, 1 << 16
LANES = 4
BUCKET_BYTES = 4 + 16 + LANES * 8
ROW_BYTES = 24
MAX_NAMES_BYTES = 64 << 20

_PERSISTS, _EXPIRES = b"\0", b"\1"
_MASK32, _MASK64 = (1 << 32) - 1, (1 << 64) - 1
_ROW = struct.Struct(">8s8s6sH")
_NEVER_IN_ROW = (1 << 48) - 1
_PERSON = b"cachecheck sum"
NEVER = -1

from_bytes = partial(int.from_bytes, byteorder="big")


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
    """Bucket sums: column by column, little-endian: counts, sums (low, high), four lanes."""

    buckets: int
    packed: bytes


class Listed(Value, frozen=True, kw_only=True):
    """Entries of some buckets: fixed-width rows, and the names of their keys, compressed.

    A row has 8 bytes of the key's digest, 8 of the entry's, 6 of the expiry in milliseconds of the
    coordinator's clock (0: never), and 2 of the length of its name in bytes.
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


class Summer:
    """Adds entries up, page after page; keeps their rows as well, up to ``most_rows`` of them."""

    def __init__(self, seed: bytes, summing: Summing, *, most_rows: int = 0) -> None:
        self.summing = summing
        self.entries = self.expiring = 0
        self._digests = _Digests(seed)
        self._place_bits = 128 - (summing.buckets.bit_length() - 1)
        self._counts = [0] * summing.buckets
        self._sums = [0] * summing.buckets
        self._wholes = [0] * summing.buckets
        self._quarters = [0] * (summing.buckets * LANES)
        self._most_rows = most_rows
        self._rows: list[bytes] | None = [] if most_rows else None
        self._names: list[bytes] = []

    def add(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        expiries_ms: Sequence[int],
        flags: Sequence[int] | None = None,
    ) -> None:
        """Add entries, column by column; an expiry of ``NEVER`` is none, flags None are all 0."""
        shift_ms, lane_ms = self.summing.shift_ms, self.summing.lane_ms
        horizon_ms = int(self.summing.horizon * 1000)
        digest_key, digest_entry = self._digests.key, self._digests.entry
        counts, sums, wholes, quarters = self._counts, self._sums, self._wholes, self._quarters
        place_bits, rows, kept = self._place_bits, self._rows, self._names
        left_out = 0
        for name, value, expiry_ms, flag in zip(
            names, values, expiries_ms, flags or repeat(0), strict=False
        ):
            expires = expiry_ms >= 0
            if expires:
                expiry_ms -= shift_ms  # noqa: PLW2901  in the coordinator's clock from here on
                if expiry_ms < horizon_ms:
                    left_out += 1
                    continue
            key = digest_key(name)
            number = from_bytes(key)
            entry = digest_entry(key, value, flag, expires=expires)
            bucket = number >> place_bits
            counts[bucket] += 1
            sums[bucket] += from_bytes(entry)
            if expires:
                # ⌊(e + g·lane/4) / lane⌋ is ⌊(x + g) / 4⌋ where x = ⌊4e / lane⌋: a whole part, and
                # one more in the lanes that the rest lifts over the edge
                quarter = expiry_ms * LANES // lane_ms
                weight = number & _MASK64
                wholes[bucket] += weight * (quarter >> 2)
                quarters[bucket * LANES + (quarter & 3)] += weight
            if rows is not None:
                rows.append(_row(key, entry, expiry_ms, len(name)))
                kept.append(name)
        self.expiring += left_out
        self.entries += len(names) - left_out
        if rows is not None and len(rows) > self._most_rows:
            self._rows, self._names = None, []

    def sums(self) -> Sums:
        """Give the sums so far."""
        quarters = self._quarters
        lanes = [
            [
                (whole + sum(quarters[place * LANES + LANES - lane : (place + 1) * LANES])) & _MASK64
                for place, whole in enumerate(self._wholes)
            ]
            for lane in range(LANES)
        ]
        columns = (
            [count & _MASK32 for count in self._counts],
            [total & _MASK64 for total in self._sums],
            [total >> 64 & _MASK64 for total in self._sums],
            *lanes,
        )
        return _pack(self.summing.buckets, columns)

    def listed(self, naming: Naming = "logical", *, level: int = 1) -> Listed | None:
        """Give the rows of all entries so far; None where they are more than were to be kept.

        ``level`` is how hard names are compressed: 0 for what crosses no network.
        """
        if self._rows is None:
            return None
        names = zlib.compress(b"".join(self._names), level)
        return Listed(rows=b"".join(self._rows), names=names, naming=naming)


class _Digests:
    """Keyed digests of keys and entries: states that are copied cost half of new ones."""

    def __init__(self, seed: bytes) -> None:
        self._key = key_hasher(seed)
        self._entry = blake2b(key=seed, person=_PERSON, digest_size=DIGEST_BYTES)
        self._marks: dict[tuple[bool, int], bytes] = {}

    def key(self, name: bytes) -> bytes:
        hasher = self._key.copy()
        hasher.update(name)
        return hasher.digest()

    def entry(self, key: bytes, value: bytes, flags: int, *, expires: bool) -> bytes:
        hasher = self._entry.copy()
        hasher.update(key + (_EXPIRES if expires else _PERSISTS) + flags.to_bytes(8, "big"))
        hasher.update(value)
        return hasher.digest()


class Buckets:
    """A set of buckets, as a bitmap: which keys are to be listed."""

    def __init__(self, seed: bytes, buckets: int, bitmap: bytes) -> None:
        self._digests = _Digests(seed)
        self._bitmap = int.from_bytes(bitmap, "little")
        self._place_bits = 128 - (buckets.bit_length() - 1)

    def __contains__(self, name: bytes) -> bool:
        place = from_bytes(self._digests.key(name)) >> self._place_bits
        return bool(self._bitmap >> place & 1)


def bitmap_of(places: Iterable[int], buckets: int) -> bytes:
    """Write a set of buckets as a bitmap, the first in the lowest bit."""
    bits = bytearray(buckets // 8)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def add_up(parts: Iterable[Sums], buckets: int) -> Sums:
    """Add sums of disjoint parts up; raises ``MalformedMessage`` where they do not fit."""
    totals = _unpack(empty(buckets))
    for part in parts:
        columns = _unpack(part)
        if part.buckets != buckets:
            raise MalformedMessage("sums over another number of buckets")
        low = [one + other for one, other in zip(totals[1], columns[1], strict=True)]
        carried = [
            (one + other + (total >> 64)) & _MASK64
            for one, other, total in zip(totals[2], columns[2], low, strict=True)
        ]
        totals = [
            [(one + other) & _MASK32 for one, other in zip(totals[0], columns[0], strict=True)],
            [total & _MASK64 for total in low],
            carried,
            *(
                [(one + other) & _MASK64 for one, other in zip(total, column, strict=True)]
                for total, column in zip(totals[3:], columns[3:], strict=True)
            ),
        ]
    return _pack(buckets, totals)


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
        if any(row[:3] != rows[0][:3] for row in rows):
            entries.append(place)
        elif not any(len({row[3 + lane] for row in rows}) == 1 for lane in range(LANES)):
            expiries.append(place)
    return tuple(entries), tuple(expiries)


def counts(sums: Sums) -> tuple[int, ...]:
    """Give the number of entries in each bucket."""
    return tuple(_unpack(sums)[0])


def rows_of(listed: Listed) -> Iterator[Row]:
    """Unpack what was listed; raises ``MalformedMessage`` where it does not hold together."""
    names = _inflated(listed.names)
    if len(listed.rows) % ROW_BYTES:
        raise MalformedMessage("rows that are cut off")
    start = 0
    for key, entry, expiry, length in _ROW.iter_unpack(listed.rows):
        end = start + length
        if end > len(names):
            raise MalformedMessage("rows without names")
        name = names[start:end]
        try:
            text = name.decode()
        except UnicodeDecodeError as exc:
            raise MalformedMessage("a key that is no text") from exc
        expires_ms = from_bytes(expiry)
        yield Row(key, entry, None if expires_ms == _NEVER_IN_ROW else expires_ms, text)
        start = end


def _row(key: bytes, entry: bytes, expiry_ms: int, length: int) -> bytes:
    expiry = _NEVER_IN_ROW if expiry_ms < 0 else min(expiry_ms, _NEVER_IN_ROW - 1)
    return _ROW.pack(key[:8], entry[:8], expiry.to_bytes(6, "big"), length)


def _inflated(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        names = unpacker.decompress(packed, MAX_NAMES_BYTES) if packed else b""
    except zlib.error as exc:
        raise MalformedMessage("names that cannot be unpacked") from exc
    if unpacker.unconsumed_tail:
        raise MalformedMessage("more names than are accepted")
    return names


@lru_cache(maxsize=8)
def _layout(buckets: int) -> struct.Struct:
    return struct.Struct(f"<{buckets}I{buckets * (2 + LANES)}Q")


def _pack(buckets: int, columns: Sequence[Sequence[int]]) -> Sums:
    packed = _layout(buckets).pack(*chain.from_iterable(columns))
    return Sums(buckets=buckets, packed=packed)


def _unpack(sums: Sums) -> list[Sequence[int]]:
    if len(sums.packed) != sums.buckets * BUCKET_BYTES:
        raise MalformedMessage("sums that do not fit their number of buckets")
    numbers = _layout(sums.buckets).unpack(sums.packed)
    return [
        numbers[column * sums.buckets : (column + 1) * sums.buckets] for column in range(3 + LANES)
    ]


def bucket_count(entries: int) -> int:
    """Choose how many buckets there are for so many entries: some 48 each."""
    wanted = max(MIN_BUCKETS, min(MAX_BUCKETS, entries // 34))
    return 1 << (wanted.bit_length() - 1)
