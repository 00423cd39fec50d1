"""What each entry adds to the sums of its bucket: made of digests, or of this process's hashes.

A **term** is a number of some 128 bits, plus a weight for the key times what its expiry counts as.
Both kinds give columns: what can be done for a whole column is done by loops in C.
"""

from __future__ import annotations

import struct
import sys
from array import array
from hashlib import blake2b
from itertools import repeat
from operator import add, mul
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from cachecheck.digest import hasher, key_hasher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind: TypeAlias = Literal["digests", "hashes"]

HEAD_BITS = 64

_PERSISTS, _EXPIRES = b"\0", b"\1"
_UNFLAGGED = bytes(8)
_PERSON = b"cachecheck sum"
_JOINED = b"".join
_MASK = (1 << HEAD_BITS) - 1


class Terms(Protocol):
    """A batch of entries, in order.

    ``heads`` are 64 bits of each key, the first of which choose its bucket. ``keys`` and
    ``entries`` tell keys and entries apart in rows: so many bytes of each, one after the other.
    """

    heads: Sequence[int]
    keys: bytes
    entries: bytes
    width: int

    def with_expiries(self, factors: Iterable[int]) -> Iterable[int]:
        """Give the terms of all entries, where their expiries count as much as these factors."""
        ...


class Maker(Protocol):
    """Makes terms in one of the two ways."""

    def head(self, name: bytes) -> int:
        """Give 64 bits of a key."""
        ...

    def terms(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        persists: Sequence[bool] | None,
        flags: Sequence[int] | None,
    ) -> Terms:
        """Make those of a batch; ``persists`` None: all expire; ``flags`` None: all are 0."""
        ...


class Digests:
    """Keyed digests, the same wherever the seed of the run is known."""

    def __init__(self, seed: bytes) -> None:
        self._key_hasher = key_hasher(seed)
        self._entry_hasher = hasher(seed, _PERSON)

    def head(self, name: bytes) -> int:
        hashing = self._key_hasher.copy()
        hashing.update(name)
        return int.from_bytes(hashing.digest()) >> HEAD_BITS

    def terms(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        persists: Sequence[bool] | None,
        flags: Sequence[int] | None,
    ) -> Terms:
        keys = _digested(self._key_hasher, names)
        marks = _marks(len(names), persists, flags)
        return _Digested(
            keys, _digested(self._entry_hasher, map(_JOINED, zip(keys, marks, values, strict=True)))
        )


class _Digested:
    """Digests of keys and of entries, 128 bits each."""

    width = 16

    def __init__(self, keys: Sequence[bytes], entries: Sequence[bytes]) -> None:
        self.keys, self.entries = b"".join(keys), b"".join(entries)
        halves = struct.unpack(f">{2 * len(keys)}Q", self.keys)
        self.heads: Sequence[int] = halves[::2]
        self._weights = [low | 1 for low in halves[1::2]]
        self._numbers = map(int.from_bytes, entries)

    def with_expiries(self, factors: Iterable[int]) -> Iterable[int]:
        return map(add, self._numbers, map(mul, self._weights, factors))


class Hashes:
    """What ``hash`` gives of bytes: SipHash with a secret of this process and all it forked.

    Quicker by far than digests, and of use to nobody else. A key's hash times its value's is
    what an entry counts as, which one multiplication adds up with what its expiry counts as.
    """

    def head(self, name: bytes) -> int:
        return hash(name) & _MASK | 1

    def terms(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        persists: Sequence[bool] | None,
        flags: Sequence[int] | None,
    ) -> Terms:
        stored: Iterable[object] = values
        if persists is not None or flags is not None:
            marks = zip(persists or repeat(0), flags or repeat(0), values, strict=False)
            stored = [mark if mark[0] or mark[1] else mark[2] for mark in marks]
        return _Hashed(list(map(hash, names)), list(map(hash, stored)))


class _Hashed:
    """Hashes of keys and of values, 64 bits each; an odd weight forgets no bit of an expiry."""

    width = 8

    def __init__(self, keys: Sequence[int], values: Sequence[int]) -> None:
        self.heads: Sequence[int] = [key | 1 for key in _unsigned(keys)]
        self._values = _unsigned(values)
        self.keys, self.entries = _big(self.heads), _big(self._values)

    def with_expiries(self, factors: Iterable[int]) -> Iterable[int]:
        return map(mul, self.heads, map(add, self._values, factors))


def _unsigned(hashes: Sequence[int]) -> array[int]:
    return array("Q", array("q", hashes).tobytes())


def _big(numbers: Iterable[int]) -> bytes:
    packed = array("Q", numbers)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def maker(kind: Kind, seed: bytes) -> Maker:
    """Give what makes terms of a kind; hashes know no seed."""
    return Hashes() if kind == "hashes" else Digests(seed)


def _digested(begun: blake2b, texts: Iterable[bytes]) -> list[bytes]:
    """Digest each text from where a hasher is by now: a copy costs half of a new one."""
    texts = list(texts)
    hashers = list(map(blake2b.copy, repeat(begun, len(texts))))
    for _ in map(blake2b.update, hashers, texts):
        pass
    return list(map(blake2b.digest, hashers))


def _marks(
    count: int, persists: Sequence[bool] | None, flags: Sequence[int] | None
) -> Iterable[bytes]:
    """Give what is digested of each entry beside key and value: whether it expires, and flags."""
    if persists is None and flags is None:
        return repeat(_EXPIRES + _UNFLAGGED, count)
    lasting = (
        repeat(_EXPIRES, count)
        if persists is None
        else map((_EXPIRES, _PERSISTS).__getitem__, persists)
    )
    flagged = repeat(_UNFLAGGED, count) if flags is None else map(int.to_bytes, flags, repeat(8))
    return map(add, lasting, flagged)
