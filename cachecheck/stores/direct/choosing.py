"""Which stored keys are meant, by what logical names they go, and the sample of them.

This runs once for every key of a store, so it works on pages of bytes: one comprehension, and one
decoding of all names joined, which falls back to single names where it fails.
"""

from __future__ import annotations

import re
from fnmatch import translate
from itertools import islice
from typing import TYPE_CHECKING

from cachecheck.digest import key_hasher
from cachecheck.heads import WEIGHED_KEYS, Heads
from cachecheck.model import MAX_KEY_CHARS, Key
from cachecheck.stores.namespaces import KEY
from cachecheck.survey import SampledKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cachecheck.sums import Buckets


class Chooser:
    """Implements ``stores.base.Choose``: keys within a form that match a glob, in some buckets.

    ``outside`` counts those that are not of the namespace or no text that a message could hold,
    ``unmatched`` those that the glob leaves out; ``heads`` are those of what is outside.
    """

    def __init__(self, form: str | None, match: str = "*", buckets: Buckets | None = None) -> None:
        head, _, tail = (form or KEY).partition(KEY)
        self._head, self._tail = head.encode(), tail.encode()
        self._matches = None if match == "*" else re.compile(translate(match)).match
        self._buckets = buckets
        self.outside = 0
        self.unmatched = 0
        self.heads = Heads(lambda _stored, _length: False)

    def __call__(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Choose of these stored keys."""
        named = _tellable(self._within(keys))
        if len(named) < len(keys):
            self.outside += len(keys) - len(named)
            self._look_outside(keys, named)
        matching = named if self._matches is None else self._matching(named)
        self.unmatched += len(named) - len(matching)
        return matching if self._buckets is None else _in_buckets(matching, self._buckets)

    def _look_outside(self, keys: Sequence[bytes], named: Mapping[bytes, bytes]) -> None:
        for key in keys:
            if key not in named:
                self.heads.add(key.decode("utf-8", "surrogateescape"))
        for key in islice(named, WEIGHED_KEYS):
            self.heads.add_own(key.decode())

    def _within(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        head, tail = self._head, self._tail
        start = len(head)
        if tail:
            named = {
                key: key[start : -len(tail)]
                for key in keys
                if key[:start] == head and key.endswith(tail)
            }
            # head and tail may overlap in a short key; an empty logical key is another's
            return {key: name for key, name in named.items() if name}
        if head:
            named = {key: key[start:] for key in keys if key[:start] == head}
        else:
            named = dict(zip(keys, keys, strict=True))
        named.pop(head, None)
        return named

    def _matching(self, named: dict[bytes, bytes]) -> dict[bytes, bytes]:
        matches = self._matches
        return {
            key: name
            for key, name in named.items()
            if matches is not None and matches(name.decode())
        }


class Sampling:
    """The ``size`` names with the smallest keyed digests, of those ``below`` one."""

    def __init__(self, seed: bytes, size: int, below: str | None) -> None:
        self._hasher = key_hasher(seed)
        self._size = size
        self._below = b"\xff" * 17 if below is None else bytes.fromhex(below)
        self._names: dict[bytes, bytes] = {}

    def add(self, names: Iterable[bytes]) -> None:
        """Take the names that belong to the sample so far."""
        if not self._size:
            return
        new, below, kept = self._hasher.copy, self._below, self._names
        for name in names:
            hasher = new()
            hasher.update(name)
            digest = hasher.digest()
            if digest < below:
                kept[digest] = name
        if len(kept) > 2 * self._size:
            self._keep_smallest()

    def in_order(self) -> tuple[SampledKey, ...]:
        """Give the sample by digest."""
        self._keep_smallest()
        return tuple(
            SampledKey(digest=digest.hex(), key=Key(name=name.decode()))
            for digest, name in self._names.items()
        )

    def _keep_smallest(self) -> None:
        self._names = dict(islice(sorted(self._names.items()), self._size))
        if len(self._names) == self._size and self._size:
            self._below = next(reversed(self._names))


def _tellable(named: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Leave out names that are no text or too long; a line end keeps halves from joining."""
    try:
        b"\n".join(named.values()).decode()
    except UnicodeDecodeError:
        return {key: name for key, name in named.items() if _can_be_told(name)}
    if max(map(len, named.values()), default=0) <= MAX_KEY_CHARS:
        return named
    return {key: name for key, name in named.items() if _can_be_told(name)}


def _can_be_told(name: bytes) -> bool:
    try:
        return len(name.decode()) <= MAX_KEY_CHARS
    except UnicodeDecodeError:
        return False


def _in_buckets(named: Mapping[bytes, bytes], buckets: Buckets) -> dict[bytes, bytes]:
    return {key: name for key, name in named.items() if name in buckets}
