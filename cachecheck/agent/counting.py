"""The methods of a backend that count: each does what the one below it does, and tells the tally.

They are put upon the library's class (Django's, say). A method that calls another one of them, as
``get_many()`` may call ``get()``, counts by itself and has the inner one keep quiet. A call that
raises counts as nothing, except that of ``incr()`` for a key that is not there.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

if TYPE_CHECKING:
    from collections.abc import Callable

TALLY = "_cachecheck_tally"
"""The attribute of a counting class under which its methods find the tally."""

_MISS = object()
_quiet: ContextVar[bool] = ContextVar("cachecheck_quiet", default=False)


class Tally(Protocol):
    """What is told of each hit and each miss."""

    @property
    def hit(self) -> Callable[[], object]:
        """Count a hit."""
        ...

    @property
    def miss(self) -> Callable[[], object]:
        """Count a miss."""
        ...


def counting_methods(library: Any) -> dict[str, Any]:
    """Make the counting methods for a class that talks to a store.

    What it leaves to ``BaseCache`` ends in the methods that it does have, and is counted there.
    Raises ``TypeError`` where its ``get()`` takes no default.
    """
    methods: dict[str, Any] = {
        name: make(getattr(library, name))
        for name, make in _COUNTING.items()
        if getattr(library, name) is not getattr(BaseCache, name)
    }
    if library.get_or_set is BaseCache.get_or_set:
        methods.update(get_or_set=_get_or_set, aget_or_set=_aget_or_set)
    return methods


def _get(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Count by a sentinel default: a cached None, 0 or False is a hit.

    A call with more than ``BaseCache.get()`` takes may return the default inside of something else,
    so it is handed on as it is, and not counted.
    """
    inspect.signature(inner).bind(None, "key", _MISS)  # a TypeError here: it cannot be counted
    if "get_many" in inspect.unwrap(inner).__code__.co_names:
        return inner  # it hands over to get_many(), as DatabaseCache does, and is counted there
    is_quiet = _quiet.get

    @functools.wraps(inner)
    def get(
        self: Any, key: Any, default: Any = None, version: Any = None, *more: Any, **others: Any
    ) -> Any:
        if more or others or is_quiet():
            return inner(self, key, default, version, *more, **others)
        value = inner(self, key, _MISS, version)
        if value is _MISS:
            self._cachecheck_tally.miss()
            return default
        self._cachecheck_tally.hit()
        return value

    return get


def _get_many(inner: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(inner)
    def get_many(self: Any, keys: Any, *args: Any, **options: Any) -> Any:
        if _quiet.get():
            return inner(self, keys, *args, **options)
        keys, asked = itertools.tee(keys) if isinstance(keys, Iterator) else (keys, keys)
        with quietly():
            found = inner(self, keys, *args, **options)
        hits = len(found or ())
        _add(self, hits, len(set(asked or ())) - hits)
        return found

    return get_many


def _has_key(inner: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(inner)
    def has_key(self: Any, *args: Any, **options: Any) -> Any:
        if _quiet.get():
            return inner(self, *args, **options)
        with quietly():
            is_there = inner(self, *args, **options)
        _add(self, int(bool(is_there)), int(not is_there))
        return is_there

    return has_key


def _incr(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Count a ``ValueError``, by which a backend says that the key is not there, as a miss."""

    @functools.wraps(inner)
    def incr(self: Any, *args: Any, **options: Any) -> Any:
        if _quiet.get():
            return inner(self, *args, **options)
        try:
            with quietly():
                value = inner(self, *args, **options)
        except ValueError as exc:
            _add(self, 0, int(type(exc) is ValueError))
            raise
        _add(self, int(value is not None), 0)  # None: the client hides an outage
        return value

    return incr


def _uncounted(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out what a backend looks up before it writes: the application did not ask for it."""

    @functools.wraps(inner)
    def write(self: Any, *args: Any, **options: Any) -> Any:
        with quietly():
            return inner(self, *args, **options)

    return write


_COUNTING: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "get": _get,
    "get_many": _get_many,
    "has_key": _has_key,
    "__contains__": _has_key,
    "incr": _incr,
    "decr": _incr,
    "add": _uncounted,
}


@functools.wraps(BaseCache.get_or_set)
def _get_or_set(
    self: Any, key: Any, default: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
) -> Any:
    value = self.get(key, self._missing_key, version=version)
    if value is not self._missing_key:
        return value
    missed: Any = _Missed(self)
    return BaseCache.get_or_set(missed, key, default, timeout=timeout, version=version)


@functools.wraps(BaseCache.aget_or_set)
async def _aget_or_set(
    self: Any,
    key: Any,
    default: Any,
    timeout: Any = DEFAULT_TIMEOUT,  # noqa: ASYNC109  Django's signature
    version: Any = None,
) -> Any:
    if type(self).get_or_set is not _get_or_set:  # Django 6.1 hands over to a site's own
        return await BaseCache.aget_or_set(self, key, default, timeout=timeout, version=version)
    value = await self.aget(key, self._missing_key, version=version)
    if value is not self._missing_key:
        return value
    missed: Any = _Missed(self)
    return await BaseCache.aget_or_set(missed, key, default, timeout=timeout, version=version)


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
        with quietly():
            return self._cache.get(key, default, **options)

    async def aget(self, key: Any, default: Any = None, **options: Any) -> Any:
        if self._take_first():
            return default
        with quietly():
            return await self._cache.aget(key, default, **options)

    def _take_first(self) -> bool:
        is_first, self._is_first = self._is_first, False
        return is_first


@contextmanager
def quietly() -> Iterator[None]:
    """Leave out what is done in this block: it is not the application that does it."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def _add(cache: Any, hits: int, misses: int) -> None:
    tally: Tally = cache._cachecheck_tally  # noqa: SLF001  TALLY
    for _ in range(hits):
        tally.hit()
    for _ in range(misses):
        tally.miss()
