"""Counts the hits and misses of each cache alias in this process, from inside its backends.

``CacheHandler.create_connection`` is the one place where Django makes backends; each made there
becomes an instance of a subclass of its class that counts. The counting methods stand in the method
resolution order between the site's own classes and the library's (Django's, say), hence a site's
``get()`` is called as ever, and only the library's ever sees the sentinel by which a miss is told
from a cached None. A library that is not known here is left alone. Backends are made per thread and
per task; counts are kept per process.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import threading
import time
import types
from typing import TYPE_CHECKING, Any

from django.core.cache import CacheHandler, caches

from cachecheck.agent import live
from cachecheck.agent.backends.shown import dotted
from cachecheck.agent.counting import TALLY, counting_methods
from cachecheck.model import Counters

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

log = logging.getLogger("cachecheck.agent")

_MARK = "_cachecheck_counts"
_KNOWN_LIBRARY_CLASSES = frozenset(
    {
        "django.core.cache.backends.db.DatabaseCache",
        "django.core.cache.backends.dummy.DummyCache",
        "django.core.cache.backends.filebased.FileBasedCache",
        "django.core.cache.backends.locmem.LocMemCache",
        "django.core.cache.backends.memcached.BaseMemcachedCache",
        "django.core.cache.backends.redis.RedisCache",
        "django_redis.cache.RedisCache",
    }
)


class _Count:
    """A number that threads can add to without a lock: ``add()`` is one call into C.

    An ``itertools.count`` shows its number only by counting on, so looks are counted as well.
    """

    def __init__(self) -> None:
        self._count = itertools.count()
        self.add = self._count.__next__
        self._looks = itertools.count()
        self._lock = threading.Lock()

    def look(self) -> int:
        with self._lock:
            return next(self._count) - next(self._looks)


class _Tally:
    """Hits and misses of one alias in this process."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._hits, self._misses = _Count(), _Count()
        self.hit, self.miss = self._hits.add, self._misses.add

    def totals(self) -> tuple[int, int]:
        return self._hits.look(), self._misses.look()


class _State:
    """What this process counts and since when, and which aliases it cannot count."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.tallies: dict[str, _Tally] = {}
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
            live.remember(alias, cache)
            _count_in(alias, cache)
        return cache

    setattr(create_connection, _MARK, True)
    connections = caches._connections  # type: ignore[attr-defined]  # noqa: SLF001
    made = [(alias, getattr(connections, alias, None)) for alias in caches]
    _state.begin()
    CacheHandler.create_connection = create_connection  # type: ignore[method-assign]
    for alias, cache in made:
        if cache is not None:
            live.remember(alias, cache)
            _count_in(alias, cache)


def snapshot(alias: str) -> Counters | None:
    """Give what was counted for ``alias`` in this process; None where nothing is counted."""
    if _state.since is None or alias in _state.refused:
        return None
    tally = _state.tallies.get(alias)
    hits, misses = tally.totals() if tally else (0, 0)
    return Counters(hits=hits, misses=misses, since=_state.since)


def _after_fork() -> None:
    if _state.since is not None:
        _state.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# --- making the classes --------------------------------------------------------------------


def _count_in(alias: str, cache: BaseCache) -> None:
    """Turn a backend into one that counts; where that cannot be done, leave it as it is."""
    cls: Any = type(cache)
    if _library_class(cls) is None:
        _state.refused.add(alias)
        return
    try:
        cache.__class__ = _counting_class(alias, cls)
        _state.refused.discard(alias)
    except Exception as exc:  # noqa: BLE001  a site's metaclass may refuse, and must not suffer
        _state.refused.add(alias)
        log.warning("hits of cache %s cannot be counted: %s", alias, type(exc).__name__)


@functools.cache
def _counting_class(alias: str, cls: Any) -> Any:
    tally = _state.tallies.setdefault(alias, _Tally())
    library = _library_class(cls)
    counting: type = _counting_library_class(library)
    bases = (counting,) if cls is library else (cls, counting)
    plain = {"__class__": property(lambda _self: cls), "__reduce_ex__": _reducer(cls)}
    return _subclass(cls, bases, {TALLY: tally, **plain})


@functools.cache
def _counting_library_class(library: Any) -> type:
    return _subclass(library, (library,), counting_methods(library))


def _library_class(cls: Any) -> Any:
    """Find the class that talks to the store, by name; None: none that is known."""
    return next((base for base in cls.__mro__ if dotted(base) in _KNOWN_LIBRARY_CLASSES), None)


def _subclass(like: type, bases: tuple[type, ...], body: dict[str, Any]) -> type:
    """Make a class that shows itself as the one it is ``like``."""
    shown = {name: getattr(like, name) for name in ("__module__", "__qualname__", "__doc__")}
    return types.new_class(like.__name__, bases, exec_body=lambda space: space.update(shown | body))


def _reducer(cls: type[BaseCache]) -> Callable[[BaseCache, Any], Any]:
    """Copy and pickle as an instance of ``cls``, the class that can be imported."""

    def __reduce_ex__(self: BaseCache, protocol: Any) -> Any:  # noqa: N807  it becomes that method
        reduced = super(type(self), self).__reduce_ex__(protocol)
        if not isinstance(reduced, tuple):
            return reduced
        make, arguments, *rest = reduced
        plain = [cls if argument is type(self) else argument for argument in arguments]
        return (cls if make is type(self) else make, tuple(plain), *rest)

    return __reduce_ex__
