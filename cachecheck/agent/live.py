"""The backend objects of this process that are in use: one for each thread, or each request.

What a client remembers, such as a server that it has given up, it remembers in its own thread, and
probes are answered in others. So who asks for the state of a process has to look at all of them.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from django.core.cache import CacheHandler, caches

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache

MOST = 256

_MARK = "_cachecheck_knows"

_live: dict[str, WeakValueDictionary[int, BaseCache]] = {}


def install() -> None:
    """Know what Django makes from now on; a second call changes nothing.

    Backends that this thread has made before are known as well, those of other threads are not.
    """
    original = CacheHandler.create_connection
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def create_connection(self: CacheHandler, alias: str) -> BaseCache:
        cache = original(self, alias)
        if self is caches:
            remember(alias, cache)
        return cache

    setattr(create_connection, _MARK, True)
    CacheHandler.create_connection = create_connection  # type: ignore[method-assign]
    connections = caches._connections  # type: ignore[attr-defined]  # noqa: SLF001
    for alias in caches:
        cache = getattr(connections, alias, None)
        if cache is not None:
            remember(alias, cache)


def remember(alias: str, cache: BaseCache) -> None:
    """Know a backend for as long as its thread, or its request, keeps it; ``MOST`` at a time."""
    known = _live.setdefault(alias, WeakValueDictionary())
    with suppress(TypeError):  # a site's class may not allow weak references
        if len(known) < MOST:
            known[id(cache)] = cache


def backends(alias: str) -> tuple[BaseCache, ...]:
    """Give the backends of an alias that are known to be in use."""
    references = _live[alias].valuerefs() if alias in _live else ()
    found = (reference() for reference in references)
    return tuple(cache for cache in found if cache is not None)
