"""The namespaces that lie in a store beside a view's own, told by the heads of stored keys.

Django makes ``PREFIX:VERSION:KEY`` of a key (``default_key_func``, django/core/cache/backends/
base.py). What stands before the key there is a head; it is told and counted, the key never is. Keys
of other programs can look the same (``user:42:name``): before what are no versions stand many
numbers, so a prefix with more than ``MOST_VERSIONS`` of them counts as none.

What is kept is bounded and can be added up in any order and grouping: of all prefixes those whose
checksums are smallest, and of these every entry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeAlias
from zlib import crc32

from msgspec import Meta

from cachecheck.model import Count, Moment, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MOST_PREFIXES = 100
MOST_PREFIX_CHARS = 100
MOST_VERSIONS = 5
WEIGHED_KEYS = 16
"""How many keys of a namespace are weighed on a page at most."""

WEIGHED_NAMESPACES = 8
"""How many namespaces are weighed on a page at most, beside the view's own."""

_HEAD = re.compile(rf"(.{{0,{MOST_PREFIX_CHARS}}}?):(0|[1-9][0-9]{{0,8}}):.", re.DOTALL)

Prefix: TypeAlias = Annotated[str, Meta(max_length=MOST_PREFIX_CHARS)]


class Weighed(Value, frozen=True, kw_only=True):
    """What some entries of a namespace weigh, and how long they live.

    ``keys`` were weighed, which have ``weight_bytes`` together; ``lasting`` of them never expire,
    and of the others the last expires at ``newest_expiry``, in the store's clock. ``untold`` are
    those that were asked for in vain: gone, not to be read, or no cache values.
    """

    keys: Count = 0
    untold: Count = 0
    weight_bytes: Count = 0
    lasting: Count = 0
    newest_expiry: Moment | None = None


class SeenVersion(Value, frozen=True, kw_only=True):
    """The entries of one prefix and version, some of them weighed."""

    version: Count
    entries: Count
    weighed: Weighed = Weighed()


class SeenPrefix(Value, frozen=True, kw_only=True):
    """A prefix that a view does not use, with its versions.

    None are given where they are too many to be versions.
    """

    prefix: Prefix
    versions: Annotated[tuple[SeenVersion, ...], Meta(max_length=MOST_VERSIONS)]


class Heads:
    """Counts the heads of stored keys, and keeps some of the keys to be weighed.

    ``hides`` is asked about a stored key and the length of its head: whether what is secret begins
    within the head, which then is not told.
    """

    def __init__(self, hides: Callable[[str, int], bool]) -> None:
        self._hides = hides
        self._found: dict[str, dict[int, _Keys]] = {}
        self._ceiling = (1 << 32, "")
        self.own: list[str] = []

    def add(self, stored: str) -> None:
        """Take a key of another namespace, or of none."""
        found = _HEAD.match(stored)
        if found is None:
            return
        prefix, version = found[1], found[2]
        if not prefix.isprintable() or self._hides(stored, found.end() - 1):
            return
        if prefix not in self._found and not self._makes_room(prefix):
            return
        versions = self._found[prefix]
        if len(versions) <= MOST_VERSIONS:
            versions.setdefault(int(version), _Keys()).add(stored)

    def add_own(self, stored: str) -> None:
        """Take a key of the view's own namespace, while some are still wanted to be weighed."""
        if len(self.own) < WEIGHED_KEYS:
            self.own.append(stored)

    def to_weigh(self) -> Iterator[tuple[str, int, list[str]]]:
        """Give keys of some namespaces, the largest ones first."""
        versions = [
            (prefix, version, keys)
            for prefix, found in self._found.items()
            if len(found) <= MOST_VERSIONS
            for version, keys in found.items()
        ]
        versions.sort(key=lambda one: -one[2].count)
        for prefix, version, keys in versions[:WEIGHED_NAMESPACES]:
            yield prefix, version, keys.some

    def prefixes(self, weighed: Mapping[tuple[str, int], Weighed]) -> tuple[SeenPrefix, ...]:
        """Give what was counted, with what was weighed of it by prefix and version."""
        return _fewest(
            SeenPrefix(
                prefix=prefix,
                versions=_bounded(
                    SeenVersion(
                        version=version,
                        entries=keys.count,
                        weighed=weighed.get((prefix, version), Weighed()),
                    )
                    for version, keys in versions.items()
                ),
            )
            for prefix, versions in self._found.items()
        )

    def _makes_room(self, prefix: str) -> bool:
        """Begin a prefix, unless there are enough of smaller checksums."""
        if _rank(prefix) > self._ceiling:
            return False
        self._found[prefix] = {}
        if len(self._found) >= 2 * MOST_PREFIXES:
            kept = sorted(self._found, key=_rank)[:MOST_PREFIXES]
            self._ceiling = _rank(kept[-1])
            self._found = {one: self._found[one] for one in kept}
        return prefix in self._found


class _Keys:
    """How many keys a namespace has, and some of them."""

    def __init__(self) -> None:
        self.count = 0
        self.some: list[str] = []

    def add(self, stored: str) -> None:
        self.count += 1
        if self.count <= WEIGHED_KEYS:
            self.some.append(stored)


def added(parts: Iterable[Weighed]) -> Weighed:
    """Add up what was weighed of disjoint parts."""
    some = tuple(parts)
    expiries = [one.newest_expiry for one in some if one.newest_expiry is not None]
    return Weighed(
        keys=sum(one.keys for one in some),
        untold=sum(one.untold for one in some),
        weight_bytes=sum(one.weight_bytes for one in some),
        lasting=sum(one.lasting for one in some),
        newest_expiry=max(expiries, default=None),
    )


def united(parts: Iterable[Iterable[SeenPrefix]]) -> tuple[SeenPrefix, ...]:
    """Add up what was counted in disjoint parts."""
    found: dict[str, list[SeenPrefix]] = {}
    for one in (one for part in parts for one in part):
        found.setdefault(one.prefix, []).append(one)
    return _fewest(
        SeenPrefix(prefix=prefix, versions=_versions(seen)) for prefix, seen in found.items()
    )


def _versions(seen: Iterable[SeenPrefix]) -> tuple[SeenVersion, ...]:
    found: dict[int, list[SeenVersion]] = {}
    for one in seen:
        if not one.versions:
            return ()
        for version in one.versions:
            found.setdefault(version.version, []).append(version)
    return _bounded(
        SeenVersion(
            version=version,
            entries=sum(one.entries for one in each),
            weighed=added(one.weighed for one in each),
        )
        for version, each in found.items()
    )


def _bounded(versions: Iterable[SeenVersion]) -> tuple[SeenVersion, ...]:
    ordered = tuple(sorted(versions, key=lambda one: one.version))
    return ordered if len(ordered) <= MOST_VERSIONS else ()


def _fewest(prefixes: Iterable[SeenPrefix]) -> tuple[SeenPrefix, ...]:
    return tuple(sorted(prefixes, key=lambda one: _rank(one.prefix))[:MOST_PREFIXES])


def _rank(prefix: str) -> tuple[int, str]:
    """Order prefixes in a way that favours none, the same everywhere."""
    return crc32(prefix.encode("utf-8", "surrogatepass")), prefix
