"""``get()`` and ``set()`` of a backend that answers in microseconds, counted at the least cost.

What a call needs stands in the cells of a closure, and what is not needed each time comes last.
``tests/benchmarks/bench_counting.py`` says what it costs.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, InvalidCacheKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.counting.tally import Tally

    Method = Callable[..., Any]

UNCOUNTED = "_cachecheck_uncounted"
"""The attribute of a quick method under which the one below it is found."""

_MISS = object()


def quick_methods(library: Any, tally: Tally) -> dict[str, Any]:
    """Make those methods of a library's class that have the arguments of Django's and no others."""
    return {
        name: make(tally, getattr(library, name))
        for name, (make, arguments) in _QUICK.items()
        if list(inspect.signature(getattr(library, name)).parameters) == arguments
    }


def _get(tally: Tally, inner: Method) -> Method:
    hit, miss, error = tally.hits.add, tally.misses.add, tally.errors.add
    due, sample = tally.due, tally.sample
    absent = _MISS

    @functools.wraps(inner)
    def get(self: Any, key: Any, default: Any = None, version: Any = None) -> Any:
        try:
            value = inner(self, key, absent, version)
        except InvalidCacheKey:
            raise
        except Exception:
            error()
            raise
        if value is absent:
            number = miss()
            if number >= due[0]:
                sample(number, key, is_hit=False)
            return default
        number = hit()
        if number >= due[1]:
            sample(number, key, is_hit=True)
        return value

    setattr(get, UNCOUNTED, inner)
    return get


def _set(tally: Tally, inner: Method) -> Method:
    count, error = tally.sets.add, tally.errors.add

    @functools.wraps(inner)
    def set(  # noqa: A001  it becomes that method
        self: Any, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> Any:
        try:
            result = inner(self, key, value, timeout, version)
        except InvalidCacheKey:
            raise
        except Exception:
            error()
            raise
        count()
        return result

    return set


_QUICK = {
    "get": (_get, ["self", "key", "default", "version"]),
    "set": (_set, ["self", "key", "value", "timeout", "version"]),
}
