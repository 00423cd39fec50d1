"""The backend objects of this process that are in use: one for each thread, or each request.

What a client remembers, such as a server that it has given up, it remembers in its own thread. So
who asks for the state of a process has to look at all of them. They are known where hits are
counted, since then Django makes them under our eyes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache

MOST = 256

_live: dict[str, WeakValueDictionary[int, BaseCache]] = {}


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
