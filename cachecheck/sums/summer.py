"""Adding entries up."""

from __future__ import annotations

import struct
import zlib
from hashlib import blake2b
from itertools import compress, repeat
from typing import TYPE_CHECKING, TypeVar

from cachecheck.digest import hasher, key_hasher
from cachecheck.sums.buckets import LANES, Summing, Sums, pack, place_bits
from cachecheck.sums.rows import Listed, pack_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.model import Naming

_PERSISTS, _EXPIRES = b"\0", b"\1"
_UNFLAGGED = bytes(8)
_MASK = (1 << 64) - 1
_PERSON = b"cachecheck sum"
_JOINED = b"".join

# Where the parts of a bucket's total begin, in bits, with room for 2^40 entries: sums of entries,
# their number, sums of whole parts of expiries, and what lifts them over the edge, by the rest.
_COUNTS, _WHOLES = 160, 200
_LIFTS = (0, 400, 504, 608)
_LIFTED = (0, *(1 << bits for bits in _LIFTS[1:]))
_COUNTED = (1 << (_COUNTS - 128)).to_bytes(5)  # ahead of a digest: one more

_Item = TypeVar("_Item")


class Summer:
    """Adds entries up, page after page; keeps their rows as well, up to ``most_rows`` of them.

    It works column by column: what can be done for a whole column is done by loops in C.
    ``entries`` were added, ``lasting`` of them without an expiry; ``expiring`` were left out.
    """

    def __init__(self, seed: bytes, summing: Summing, *, most_rows: int = 0) -> None:
        self.summing = summing
        self.entries = self.expiring = self.lasting = 0
        self._key_hasher = key_hasher(seed)
        self._entry_hasher = hasher(seed, _PERSON)
        self._totals = [0] * summing.buckets
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
        self.lasting += sum(expiry < 0 for expiry in expiries_ms)
        marks = _marks(expiries_ms, flags)
        if shift_ms:
            expiries_ms = [expiry if expiry < 0 else expiry - shift_ms for expiry in expiries_ms]
        keys, entries = self._digests(names, values, marks)
        self.entries += len(keys)
        self._add_digests(keys, entries, expiries_ms)
        self._keep(keys, entries, expiries_ms, names)

    def sums(self) -> Sums:
        """Give the sums so far."""
        totals = self._totals
        lanes = [_field(totals, _WHOLES)]
        for rest in range(LANES - 1, 0, -1):
            lanes.append(list(map(int.__add__, lanes[-1], _field(totals, _LIFTS[rest]))))
        sums = (_field(totals, 0), _field(totals, 64))
        return pack(self.summing.buckets, (_field(totals, _COUNTS), *sums, *lanes))

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
        """Digest keys, and entries: most of what summing costs."""
        keys = _digested(self._key_hasher, names)
        return keys, _digested(
            self._entry_hasher, map(_JOINED, zip(keys, marks, values, strict=True))
        )

    def _add_digests(
        self, keys: Sequence[bytes], entries: Sequence[bytes], expiries_ms: Sequence[int]
    ) -> None:
        """Add each entry to the total of its bucket, in one addition: totals lie far apart.

        ⌊(e + g·lane/4) / lane⌋ is ⌊(x + g) / 4⌋ where x = ⌊4e / lane⌋: a whole part, and one more
        in the lanes that the rest lifts over the edge.
        """
        totals, lifted = self._totals, _LIFTED
        shift, lane_ms = place_bits(self.summing.buckets) - 64, self.summing.lane_ms
        halves = struct.unpack(f">{2 * len(keys)}Q", b"".join(keys))
        rows = zip(
            [high >> shift for high in halves[::2]],
            [low | 1 for low in halves[1::2]],
            map(int.from_bytes, map(_COUNTED.__add__, entries)),
            [expiry_ms * LANES // lane_ms for expiry_ms in expiries_ms],
            strict=True,
        )
        for place, weight, entry, quarter in rows:
            if quarter >= 0:
                entry += weight * (lifted[quarter & 3] + (quarter >> 2 << _WHOLES))  # noqa: PLW2901
            totals[place] += entry

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


def _digested(begun: blake2b, texts: Iterable[bytes]) -> list[bytes]:
    """Digest each text from where a hasher is by now: a copy costs half of a new one."""
    texts = list(texts)
    hashers = list(map(blake2b.copy, repeat(begun, len(texts))))
    for _ in map(blake2b.update, hashers, texts):
        pass
    return list(map(blake2b.digest, hashers))


def _field(totals: Iterable[int], begins: int) -> list[int]:
    """Give 64 bits of each total; all that is sent of a part are residues of it."""
    return [total >> begins & _MASK for total in totals]


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
