"""Adding entries up."""

from __future__ import annotations

import struct
import zlib
from hashlib import blake2b
from itertools import compress, repeat
from operator import add, mul
from typing import TYPE_CHECKING, TypeVar

from cachecheck.digest import hasher, key_hasher
from cachecheck.sums.buckets import LANES, NEVER, Summing, Sums, pack, place_bits
from cachecheck.sums.rows import Listed, pack_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
_MOST_FACTORS = 10_000
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
        self._factors = _Factors()
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
        soonest_ms = min(expiries_ms, default=NEVER)
        if soonest_ms < horizon_ms:
            are_in = [expiry < 0 or expiry >= horizon_ms for expiry in expiries_ms]
            self.expiring += are_in.count(False)
            names, values = _picked(names, are_in), _picked(values, are_in)
            expiries_ms = _picked(expiries_ms, are_in)
            flags = None if flags is None else _picked(flags, are_in)
        lasting = sum(expiry < 0 for expiry in expiries_ms) if soonest_ms < 0 else 0
        self.lasting += lasting
        marks = _marks(expiries_ms, flags, lasting)
        if shift_ms:
            expiries_ms = [expiry if expiry < 0 else expiry - shift_ms for expiry in expiries_ms]
        keys, entries = self._digests(names, values, marks)
        self.entries += len(keys)
        self._add_digests(keys, entries, expiries_ms)
        self._keep(keys, entries, expiries_ms, names)

    def sums(self) -> Sums:
        """Give the sums so far."""
        return pack(self.summing.buckets, self._columns())

    def _columns(self) -> Iterator[list[int]]:
        totals = self._totals
        yield from (_field(totals, begins) for begins in (_COUNTS, 0, 64))
        lane = _field(totals, _WHOLES)
        yield lane
        for rest in range(LANES - 1, 0, -1):
            lane = list(map(add, lane, _field(totals, _LIFTS[rest])))
            yield lane

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
        totals, factors = self._totals, self._factors
        if len(factors) > _MOST_FACTORS:
            factors.clear()
        shift, lane_ms = place_bits(self.summing.buckets) - 64, self.summing.lane_ms
        halves = struct.unpack(f">{2 * len(keys)}Q", b"".join(keys))
        weights = [low | 1 for low in halves[1::2]]
        quarters = [expiry_ms * LANES // lane_ms for expiry_ms in expiries_ms]
        parts = map(mul, weights, map(factors.__getitem__, quarters))
        numbers = map(int.from_bytes, map(_COUNTED.__add__, entries))
        places = [high >> shift for high in halves[::2]]
        for place, part in zip(places, map(add, numbers, parts), strict=True):
            totals[place] += part

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


class _Factors(dict[int, int]):
    """By quarters of a lane, from the epoch on: what an expiry adds for each of its key's weight.

    Most expiries fall into few of them, and numbers of so many bits take their time to make.
    """

    def __missing__(self, quarter: int) -> int:
        """Make one; what never expires adds nothing."""
        factor = _LIFTED[quarter & 3] + (quarter >> 2 << _WHOLES) if quarter >= 0 else 0
        self[quarter] = factor
        return factor


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


def _marks(expiries_ms: Sequence[int], flags: Sequence[int] | None, lasting: int) -> list[bytes]:
    """Give what is digested of each entry beside key and value: whether it expires, and flags.

    ``lasting`` is how many of them do not.
    """
    if flags is None:
        expires, persists = _EXPIRES + _UNFLAGGED, _PERSISTS + _UNFLAGGED
        if not lasting:
            return [expires] * len(expiries_ms)
        return [persists if expiry < 0 else expires for expiry in expiries_ms]
    return [
        (_PERSISTS if expiry < 0 else _EXPIRES) + flag.to_bytes(8)
        for expiry, flag in zip(expiries_ms, flags, strict=True)
    ]
