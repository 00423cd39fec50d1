"""How the calls of one library are counted, whatever they ask.

What a client such as django-redis raises it may hide from the application (IGNORE_EXCEPTIONS), and
answer as if nothing were there. It decides by an attribute that it looks at when there was an error
and at no other time, so a property in its place hears of each.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.cache.backends.base import InvalidCacheKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.counting.tally import Tally

PLAIN = "_cachecheck_plain"
"""The attribute of a counting class under which its methods find the class of the twin."""


class Traits(NamedTuple):
    """What is known of a library's class.

    ``calls_itself``: one of its methods may call another that is counted. ``hides_errors_by`` is
    the attribute that it reads after an error, and only then, to decide whether to hide it; such a
    class must not call itself. ``is_quick``: it answers in microseconds, so that counting shows.
    """

    calls_itself: bool = True
    looks_per_grouped: int = 1
    hides_errors_by: str | None = None
    is_quick: bool = False


def plain(cache: Any) -> Any:
    """Give the twin that does not count."""
    return share(getattr(cache, PLAIN), cache)


def uncounted(cache: Any) -> Any:
    """Give an object that does what the cache does and does not count; it may be the cache."""
    return plain(cache) if hasattr(type(cache), PLAIN) else cache


def share(cls: Any, cache: Any) -> Any:
    """Make an object of ``cls`` that has the attributes of ``cache``: these and no copies."""
    twin = object.__new__(cls)
    object.__setattr__(twin, "__dict__", cache.__dict__)
    return twin


class Way:
    """How the calls of one library are counted."""

    def __init__(self, tally: Tally, traits: Traits) -> None:
        self.tally = tally
        self.traits = traits
        self.begin = self._begin()
        self._hidden = threading.local()

    def failed(self, exc: Exception) -> None:
        """Count what a call raised, unless it is that the backend refuses such a key."""
        if not isinstance(exc, InvalidCacheKey):
            self.tally.errors.add()

    def _begin(self) -> Callable[[Any], Any]:
        """Give what begins a call, and gives the object on which the library's method runs."""
        if self.traits.calls_itself:
            return plain
        return _itself if self.traits.hides_errors_by is None else self._afresh

    def _afresh(self, cache: Any) -> Any:
        self._hidden.was_error = False
        return cache

    def hiding(self, name: str) -> property:
        """Count as an error each time that a client looks whether it is to hide one."""

        def look(cache: Any) -> Any:
            hides = cache.__dict__[name]
            if hides:
                self.tally.errors.add()
                self._hidden.was_error = True
            return hides

        def change(cache: Any, value: Any) -> None:
            cache.__dict__[name] = value

        return property(look, change)

    def was_error_hidden(self) -> bool:
        """Say whether the call that has just returned met an error that its client hid."""
        return self.traits.hides_errors_by is not None and self._hidden.was_error


def _itself(cache: Any) -> Any:
    return cache
