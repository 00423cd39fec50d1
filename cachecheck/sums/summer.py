"""Adding entries up."""

from __future__ import annotations

import struct
import zlib
from hashlib import blake2b
from itertools import compress
from typing import TYPE_CHECKING, TypeVar

from cachecheck.digest import DIGEST_BYTES, key_hasher
from cachecheck.sums.buckets import LANES, Summing, Sums, pack, place_bits
from cachecheck.sums.rows import Listed, pack_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.model import Naming

_PERSISTS, _EXPIRES = b"\0", b"\1"
_UNFLAGGED = bytes(8)
_PERSON = b"cachecheck sum"

_Item = TypeVar("_Item")


class Summer:
    """Adds entries up, page after page; keeps their rows as well, up to ``most_rows`` of them.

    It works column by column: what can be done for a whole column is done by loops in C.
    """

    def __init__(self, seed: bytes, summing: Summing, *, most_rows: int = 0) -> None:
        self.summing = summing
        self.entries = self.expiring = 0
        # States that are copied cost half of new ones.
        self._key_hasher = key_hasher(seed)
        self._entry_hasher = blake2b(key=seed, person=_PERSON, digest_size=DIGEST_BYTES)
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
        shift_ms = self.summing.shift_ms
        horizon_ms = int(self.summing.horizon * 1000) + shift_ms
        are_in = [expiry < 0 or expiry >= horizon_ms for expiry in expiries_ms]
        if not all(are_in):
            self.expiring += are_in.count(False)
            names, values = _picked(names, are_in), _picked(values, are_in)
            expiries_ms = _picked(expiries_ms, are_in)
            flags = None if flags is None else _picked(flags, are_in)
        marks = _marks(expiries_ms, flags)
        if shift_ms:
            expiries_ms = [expiry if expiry < 0 else expiry - shift_ms for expiry in expiries_ms]
        keys, entries = self._digests(names, values, marks)
        self.entries += len(keys)
        self._add_digests(keys, entries, expiries_ms)
        self._keep(keys, entries, expiries_ms, names)

    def sums(self) -> Sums:
        """Give the sums so far."""
        wholes, quarters = self._wholes, self._quarters
        lanes, lane = [wholes], wholes
        for rest in range(LANES - 1, 0, -1):
            lane = list(map(int.__add__, lane, quarters[rest::LANES]))
            lanes.append(lane)
        high = [total >> 64 for total in self._sums]
        return pack(self.summing.buckets, (self._counts, self._sums, high, *lanes))

    def listed(self, naming: Naming = "logical", *, level: int = 1) -> Listed | None:
        """Give the rows of all entries so far; None where they are more than were to be kept.

        ``level`` is how hard names are compressed: 0 for what crosses no network.
        """
        if self._rows is None:
            return None
        names = zlib.compress(b"".join(self._names), level)
        return Listed(rows=b"".join(self._rows), names=names, naming=naming)

    def _digests(
        self, names: Iterable[bytes], values: Iterable[bytes], marks: Iterable[bytes]
    ) -> tuple[list[bytes], list[bytes]]:
        """Digest keys, and entries; these loops are most of what summing costs."""
        keys: list[bytes] = []
        entries: list[bytes] = []
        new_key, new_entry = self._key_hasher.copy, self._entry_hasher.copy
        for name, value, mark in zip(names, values, marks, strict=True):
            hasher = new_key()
            hasher.update(name)
            key = hasher.digest()
            hasher = new_entry()
            hasher.update(key + mark)
            hasher.update(value)
            keys.append(key)
            entries.append(hasher.digest())
        return keys, entries

    def _add_digests(
        self, keys: Sequence[bytes], entries: Sequence[bytes], expiries_ms: Sequence[int]
    ) -> None:
        counts, sums, wholes, quarters = self._counts, self._sums, self._wholes, self._quarters
        shift, lane_ms = place_bits(self.summing.buckets) - 64, self.summing.lane_ms
        halves = struct.unpack(f">{2 * len(keys)}Q", b"".join(keys))
        places = [high >> shift for high in halves[::2]]
        for place, entry in zip(places, map(int.from_bytes, entries), strict=True):
            counts[place] += 1
            sums[place] += entry
        for place, weight, expiry_ms in zip(places, halves[1::2], expiries_ms, strict=True):
            if expiry_ms >= 0:
                # ⌊(e + g·lane/4) / lane⌋ is ⌊(x + g) / 4⌋ where x = ⌊4e / lane⌋: a whole part, and
                # one more in the lanes that the rest lifts over the edge
                quarter = expiry_ms * LANES // lane_ms
                wholes[place] += weight * (quarter >> 2)
                quarters[place * LANES + (quarter & 3)] += weight

    def _keep(
        self,
        keys: Sequence[bytes],
        entries: Sequence[bytes],
        expiries_ms: Sequence[int],
        names: Sequence[bytes],
    ) -> None:
        if self._rows is None:
            return
        if self.entries > self._most_rows:
            self._rows, self._names = None, []
            return
        self._rows.append(pack_rows(keys, entries, expiries_ms, names))
        self._names.append(b"".join(names))


def _picked(column: Iterable[_Item], are_in: Iterable[bool]) -> list[_Item]:
    return list(compress(column, are_in))


def _marks(expiries_ms: Sequence[int], flags: Sequence[int] | None) -> list[bytes]:
    """Give what is digested of each entry beside key and value: whether it expires, and flags."""
    if flags is None:
        expires, persists = _EXPIRES + _UNFLAGGED, _PERSISTS + _UNFLAGGED
        return [persists if expiry < 0 else expires for expiry in expiries_ms]
    return [
        (_PERSISTS if expiry < 0 else _EXPIRES) + flag.to_bytes(8)
        for expiry, flag in zip(expiries_ms, flags, strict=True)
    ]
