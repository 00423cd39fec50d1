"""Counts what is asked of each cache alias in this process, from inside its backends.

``CacheHandler.create_connection`` is the one place where Django makes backends; each made there
becomes an instance of a subclass of its class that counts. The counting methods stand in the method
resolution order between the site's own classes and the library's (Django's, say), hence a site's
``get()`` is called as ever, and only the library's ever sees the sentinel by which a miss is told
from a cached None. A library that is not known here is left alone. Backends are made per thread and
per task; counts are kept per process.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from typing import TYPE_CHECKING

from django.core.cache import CacheHandler, caches

from cachecheck.agent.counting.classes import change, replace
from cachecheck.agent.counting.libraries import UnknownLibrary, library_of, traits_of
from cachecheck.agent.counting.tally import Tally
from cachecheck.model import Counters

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

    from cachecheck.model import Key

log = logging.getLogger("cachecheck.agent")

_MARK = "_cachecheck_counts"


class _State:
    """What this process counts and since when, and which aliases it cannot count."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.tallies: dict[str, Tally] = {}
        self.refused: set[str] = set()

    def begin(self) -> None:
        """Begin at nothing, also after a fork: what the parent counted is not this process's."""
        self.since = time.time()
        for tally in tuple(self.tallies.values()):
            tally.reset()


_state = _State()


def install() -> None:
    """Count from now on; a second call changes nothing.

    Backends that this thread has made before count as well, those of other threads do not.
    """
    original = CacheHandler.create_connection
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def create_connection(self: CacheHandler, alias: str) -> BaseCache:
        cache = original(self, alias)
        if self is caches:
            cache = _counting(alias, cache, replace)
        return cache

    setattr(create_connection, _MARK, True)
    connections = caches._connections  # type: ignore[attr-defined]  # noqa: SLF001
    made = [(alias, getattr(connections, alias, None)) for alias in caches]
    _state.begin()
    CacheHandler.create_connection = create_connection  # type: ignore[method-assign]
    for alias, cache in made:
        if cache is not None:
            _counting(alias, cache, _changed)


def snapshot(alias: str, withholds: Callable[[Key], bool]) -> Counters | None:
    """Give what was counted for ``alias`` in this process; None where nothing is counted.

    Key groups whose names are withheld are in the rest.
    """
    if _state.since is None or alias in _state.refused:
        return None
    tally = _state.tallies.get(alias)
    if tally is None:
        return Counters(hits=0, misses=0, since=_state.since)
    return Counters(
        hits=tally.hits.look(),
        misses=tally.misses.look(),
        since=_state.since,
        sets=tally.sets.look(),
        deletes=tally.deletes.look(),
        errors=tally.errors.look(),
        evictions=tally.evictions.look() if tally.is_culling else None,
        looks_per_grouped=tally.looks_per_grouped,
        groups=tally.groups.told(withholds),
    )


def _after_fork() -> None:
    if _state.since is not None:
        _state.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _counting(
    alias: str, cache: BaseCache, make: Callable[[BaseCache, Tally], BaseCache]
) -> BaseCache:
    """Give a backend that counts; where that cannot be, the one that there is."""
    try:
        counting = make(cache, _tally_of(alias, type(cache)))
    except UnknownLibrary:
        _state.refused.add(alias)
        return cache
    except Exception as exc:  # noqa: BLE001  a site's metaclass may refuse, and must not suffer
        _state.refused.add(alias)
        log.warning("hits of cache %s cannot be counted: %s", alias, type(exc).__name__)
        return cache
    _state.refused.discard(alias)
    return counting


def _changed(cache: BaseCache, tally: Tally) -> BaseCache:
    """Change an object that others may hold already."""
    change(cache, tally)
    return cache


def _tally_of(alias: str, cls: type) -> Tally:
    traits = traits_of(library_of(cls))
    return _state.tallies.setdefault(alias, Tally(traits.looks_per_grouped))
