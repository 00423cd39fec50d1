"""What each entry adds to the sums of its bucket: made of digests, or of this process's hashes.

A **term** is a number of some 128 bits, plus a weight for the key times what its expiry counts as
in lanes. Plain hashes have empty lanes: an expiry is hashed with the rest, as the number of its
lane, and it is for rows to say of expiries across an edge how far they are apart.

All kinds give columns: what can be done for a whole column is done by loops in C.
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

    from cachecheck.sums.lanes import Lanes

Kind: TypeAlias = Literal["digests", "hashes", "plain-hashes"]

HEAD_BITS, PLACE_BITS = 64, 16
"""Of each key 64 bits are known; the first 16 of them choose its bucket."""

_PERSISTS, _EXPIRES = b"\0", b"\1"
_UNFLAGGED = bytes(8)
_PERSON = b"cachecheck sum"
_JOINED = b"".join
_MASK = (1 << HEAD_BITS) - 1


class Terms(Protocol):
    """A batch of entries, in order; in rows, ``width`` bytes tell keys and entries apart."""

    width: int

    def heads(self) -> Sequence[int]:
        """Give the first ``PLACE_BITS`` of each key."""
        ...

    def packed(self) -> tuple[bytes, bytes]:
        """Give what tells keys and entries apart, of all of them one after the other."""
        ...

    def with_expiries(self, expiries_ms: Sequence[int], lanes: Lanes) -> Iterable[int]:
        """Give the terms of all entries; none of them is negative, or none counts in lanes."""
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
        self._keys, self._entries = keys, entries

    def heads(self) -> Sequence[int]:
        units = array("H", b"".join(self._keys))[::8]
        if sys.byteorder == "little":
            units.byteswap()
        return units

    def packed(self) -> tuple[bytes, bytes]:
        return b"".join(self._keys), b"".join(self._entries)

    def with_expiries(self, expiries_ms: Sequence[int], lanes: Lanes) -> Iterable[int]:
        lows = struct.unpack(f">{2 * len(self._keys)}Q", b"".join(self._keys))[1::2]
        weights = [low | 1 for low in lows]
        weighed = map(mul, weights, lanes.factors(expiries_ms))
        return map(add, map(int.from_bytes, self._entries), weighed)


class Hashes:
    """What ``hash`` gives of bytes: SipHash with a secret of this process and all it forked.

    Quicker by far than digests, and of use to nobody else.
    """

    def __init__(self, *, are_plain: bool) -> None:
        self._kind = _PlainlyHashed if are_plain else _Hashed

    def head(self, name: bytes) -> int:
        return hash(name) & _MASK

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
        return self._kind(list(map(hash, names)), list(map(hash, stored)))


class _Hashed:
    """Hashes of keys and of values, 64 bits each.

    A key's hash times its value's is what an entry counts as, which one multiplication adds up
    with what its expiry counts as.
    """

    width = 8

    def __init__(self, keys: Sequence[int], values: Sequence[int]) -> None:
        self._keys, self._values = keys, values
        self._packed_keys = array("q", keys)

    def heads(self) -> Sequence[int]:
        first = 3 if sys.byteorder == "little" else 0
        return array("H", self._packed_keys.tobytes())[first::4]

    def packed(self) -> tuple[bytes, bytes]:
        return _big(self._packed_keys), _big(array("q", self._values))

    def with_expiries(self, expiries_ms: Sequence[int], lanes: Lanes) -> Iterable[int]:
        keys = [key & _MASK | 1 for key in self._keys]  # odd: it forgets no bit of an expiry
        values = [value & _MASK for value in self._values]
        return map(mul, keys, map(add, values, lanes.factors(expiries_ms)))


class _PlainlyHashed(_Hashed):
    """The same in rows; in sums, 64 bits for key, value and the lane of the expiry."""

    def with_expiries(self, expiries_ms: Sequence[int], lanes: Lanes) -> Iterable[int]:
        lane_ms = lanes.lane_ms
        numbers = [expiry_ms // lane_ms for expiry_ms in expiries_ms]
        return map(hash, zip(self._keys, self._values, numbers, strict=True))


def _big(hashes: array[int]) -> bytes:
    if sys.byteorder == "big":
        return hashes.tobytes()
    turned = hashes[:]
    turned.byteswap()
    return turned.tobytes()


def maker(kind: Kind, seed: bytes) -> Maker:
    """Give what makes terms of a kind; hashes know no seed."""
    if kind == "digests":
        return Digests(seed)
    return Hashes(are_plain=kind == "plain-hashes")


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
