"""``get_or_set()`` is one look, whether it finds a value or makes it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from cachecheck.agent.counting.quick import UNCOUNTED
from cachecheck.agent.counting.ways import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    Method = Callable[..., Any]

_MARK = "_cachecheck_looks_once"


def counted_get_or_set(inner: Method) -> Method:
    """Make a method that looks, and then does as ``inner`` does after it has found nothing."""

    @functools.wraps(inner)
    def get_or_set(
        self: Any, key: Any, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        value = self.get(key, self._missing_key, version=version)
        if value is not self._missing_key:
            return value
        return inner(_Missed(self), key, default, timeout=timeout, version=version)

    setattr(get_or_set, _MARK, True)
    return get_or_set


def counted_aget_or_set(inner: Method) -> Method:
    """Make the asynchronous one."""

    @functools.wraps(inner)
    async def aget_or_set(
        self: Any,
        key: Any,
        default: Any,
        timeout: Any = DEFAULT_TIMEOUT,  # noqa: ASYNC109  Django's signature
        version: Any = None,
    ) -> Any:
        if not hasattr(type(self).get_or_set, _MARK):  # Django 6.1 hands over to a site's own
            return await inner(self, key, default, timeout=timeout, version=version)
        value = await self.aget(key, self._missing_key, version=version)
        if value is not self._missing_key:
            return value
        return await inner(_Missed(self), key, default, timeout=timeout, version=version)

    return aget_or_set


class _Missed:
    """A backend as ``get_or_set`` sees it after a miss that is counted.

    Its first look is known to miss; the second, after it has added the value, is not counted. What
    a callable default looks up in between goes to the backend itself, and is.
    """

    get_or_set = BaseCache.get_or_set  # Django 6.1 asks whether it is this one

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._is_first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def get(self, key: Any, default: Any = None, **options: Any) -> Any:
        if self._take_first():
            return default
        uncounted = getattr(type(self._cache).get, UNCOUNTED, None)
        if uncounted is not None:  # a twin would take the object's attributes out of their slots
            return uncounted(self._cache, key, default, **options)
        return plain(self._cache).get(key, default, **options)

    async def aget(self, key: Any, default: Any = None, **options: Any) -> Any:
        if self._take_first():
            return default
        return await plain(self._cache).aget(key, default, **options)

    def _take_first(self) -> bool:
        is_first, self._is_first = self._is_first, False
        return is_first
