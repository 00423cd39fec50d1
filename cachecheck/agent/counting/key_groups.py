"""Hits and misses by what a key begins with, up to its first separator: ``user:17`` is a ``user``.

A name leaves the node, so only what looks like a word that a program chose makes a group: letters,
with one digit at the end at most, and no key that ``WITHHOLD`` names. All other keys are counted
together, and so are those of groups past a number, so that no key can make the table grow.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from cachecheck.agent import conf
from cachecheck.agent.counting.atomic import Count
from cachecheck.model import MAX_KEY_CHARS, MAX_KEY_GROUPS, Key, KeyGroup

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_NAMED = MAX_KEY_GROUPS - 1
_MOST_HIDDEN = 200
MOST_KNOWN = 1000
_LONGEST_HEAD = 100
_FIRST_PART = re.compile(r"([A-Za-z_](?:[A-Za-z_-]{0,29}[A-Za-z])?[0-9]?)[:./|]")


class _Pair:
    """The hits and misses of one group."""

    def __init__(self) -> None:
        self._hits, self._misses = Count(), Count()
        self._add = self._misses.add, self._hits.add

    def add(self, *, is_hit: bool) -> None:
        self._add[is_hit]()

    def counted(self) -> tuple[int, int]:
        return self._hits.look(), self._misses.look()


class KeyGroups:
    """The groups of one cache's keys, at most ``MOST_NAMED`` and the rest.

    The site's settings are asked outside of the lock, and its own thread may take it once more: a
    site may have settings that look into a cache, and so may a handler of signals, or a finalizer.
    """

    def __init__(self) -> None:
        self._rest = _Pair()
        self._named: dict[str, _Pair] = {}
        self._hidden: set[str] = set()
        self._known: dict[str, _Pair] = {}
        self._lock = threading.RLock()

    def add(self, key: Any, *, is_hit: bool) -> None:
        """Count one look; what stands before a colon decides where it has been seen before."""
        pair = self._rest
        if isinstance(key, str):
            head, colon, _ = str.partition(key, ":")  # a subclass may do otherwise, or raise
            pair = (self._known.get(head) if colon else None) or self._learned(key, head, colon)
        pair.add(is_hit=is_hit)

    def told(self, withholds: Callable[[Key], bool]) -> tuple[KeyGroup, ...]:
        """Give the groups with the most looks first, and the rest last.

        A group is in the rest as well where its name is withheld by now.
        """
        with self._lock:
            rest = [self._rest.counted()]
            named = {name: pair.counted() for name, pair in self._named.items()}
        shown = []
        for name, (hits, misses) in named.items():
            if withholds(Key(name=name)):
                rest.append((hits, misses))
            else:
                shown.append(KeyGroup(name=name, hits=hits, misses=misses))
        shown.sort(key=lambda group: (-group.hits - group.misses, group.name))
        hits, misses = map(sum, zip(*rest, strict=True))
        if hits or misses:
            shown.append(KeyGroup(name=None, hits=hits, misses=misses))
        return tuple(shown)

    def _learned(self, key: str, head: str, colon: str) -> _Pair:
        found = _FIRST_PART.match(key)
        name = None if found is None else found[1]
        hides = name is not None and self._is_new(name) and _is_withheld(name, key)
        with self._lock:
            pair = self._rest if name is None else self._pair(name, hides=hides)
            if colon and len(head) <= _LONGEST_HEAD and len(self._known) < MOST_KNOWN:
                self._known[head] = pair
        return pair

    def _is_new(self, name: str) -> bool:
        """Whether a name may become a group's, or hidden; asking for each key would be dear."""
        is_known = name in self._named or name in self._hidden
        is_full = len(self._named) >= MOST_NAMED or len(self._hidden) >= _MOST_HIDDEN
        return not is_known and not is_full

    def _pair(self, name: str, *, hides: bool) -> _Pair:
        if not self._is_new(name):
            return self._named.get(name, self._rest)
        if hides:
            self._hidden.add(name)
            return self._rest
        return self._named.setdefault(name, _Pair())


def _is_withheld(name: str, key: str) -> bool:
    """Say whether the key that would make a group, or the group's name, must not leave the node."""
    try:
        withholds = conf.load().withholds
        return withholds(Key(name=name)) or len(key) > MAX_KEY_CHARS or withholds(Key(name=key))
    except Exception:  # noqa: BLE001  this runs within a call of the application's
        return True
