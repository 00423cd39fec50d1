"""``get()``, by a sentinel default: a cached None, 0 or False is a hit."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.counting.ways import Way

    Method = Callable[..., Any]

_MISS = object()
_HARMLESS = frozenset({"client", "retry"})
"""What django-redis and diskcache take besides, and what does not change the kind of answer."""


def counted_get(way: Way, inner: Method) -> Method:
    """Make a ``get()`` that counts; raises ``TypeError`` where it takes no default."""
    inspect.signature(inner).bind(None, "key", _MISS)
    if inspect.iscoroutinefunction(inner):
        return _general_aget(way, inner)
    return _general_get(way, inner)


def _general_get(way: Way, inner: Method) -> Method:
    """Count a call as ``BaseCache.get()`` takes it.

    One with other arguments may return the default inside of something else, so it is handed on as
    it is, and not counted.
    """

    @functools.wraps(inner)
    def get(
        self: Any, key: Any, default: Any = None, version: Any = None, *more: Any, **others: Any
    ) -> Any:
        if more or not others.keys() <= _HARMLESS:
            return inner(self, key, default, version, *more, **others)
        try:
            value = inner(way.begin(self), key, _MISS, version, **others)
        except Exception as exc:
            way.failed(exc)
            raise
        return _found(way, key, value, default)

    return get


def _general_aget(way: Way, inner: Method) -> Method:
    @functools.wraps(inner)
    async def get(
        self: Any, key: Any, default: Any = None, version: Any = None, *more: Any, **others: Any
    ) -> Any:
        if more or not others.keys() <= _HARMLESS:
            return await inner(self, key, default, version, *more, **others)
        try:
            value = await inner(way.begin(self), key, _MISS, version, **others)
        except Exception as exc:
            way.failed(exc)
            raise
        return _found(way, key, value, default)

    return get


def _found(way: Way, key: Any, value: Any, default: Any) -> Any:
    if value is not _MISS:
        way.tally.found(key)
        return value
    if not way.was_error_hidden():
        way.tally.missed(key)
    return default
