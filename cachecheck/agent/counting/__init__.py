"""The methods of a backend that count: each does what the one below it does, and tells the tally.

They are put upon the library's class (Django's, say). A method that calls another one of them, as
``FileBasedCache.add()`` calls ``has_key()``, counts by itself and runs the inner ones on a twin of
the backend: an object of a class that does not count, with the same attributes. So nothing has to
be remembered, or asked of the context, while a call runs. A call that raises counts as an error,
except that of ``incr()`` for a key that is not there, which is a miss, and that for a key which the
backend refuses, which no store ever saw.

  atomic ──► key_groups ──► tally     numbers, by what keys begin with, and all of one cache's
  ways ────► gets, calls, or_set      what the methods share, and the methods
  quick                               two of them for backends that answer in microseconds
  culling                             what a backend throws out by itself
  libraries, classes                  where they are put, and how
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.cache.backends.base import BaseCache

from cachecheck.agent.counting.calls import TOLD, counted_call
from cachecheck.agent.counting.gets import counted_get
from cachecheck.agent.counting.or_set import counted_aget_or_set, counted_get_or_set
from cachecheck.agent.counting.quick import quick_methods
from cachecheck.agent.counting.ways import PLAIN, Traits, Way, uncounted

if TYPE_CHECKING:
    from cachecheck.agent.counting.tally import Tally

__all__ = ["PLAIN", "Traits", "counting_methods", "uncounted"]


def counting_methods(library: Any, tally: Tally, traits: Traits) -> dict[str, Any]:
    """Make the counting methods for a class that talks to a store.

    What it leaves to ``BaseCache`` ends in the methods that it does have, and is counted there.
    Objects that count need a class for their twins, in the attribute ``PLAIN`` of their own class.
    Raises ``TypeError`` where the library's ``get()`` takes no default.
    """
    way = Way(tally, traits)
    methods: dict[str, Any] = {}
    for name in ("get", "aget"):
        if _has(library, name):
            methods[name] = counted_get(way, getattr(library, name))
    for name, tell in TOLD.items():
        if _has(library, name):
            methods[name] = counted_call(way, getattr(library, name), tell)
    if not traits.calls_itself and traits.hides_errors_by is None:
        methods |= quick_methods(library, tally)
    for name, make in (("get_or_set", counted_get_or_set), ("aget_or_set", counted_aget_or_set)):
        if hasattr(library, name):  # django-valkey's has nothing of BaseCache
            methods[name] = make(getattr(library, name))
    if traits.hides_errors_by is not None:
        methods[traits.hides_errors_by] = way.hiding(traits.hides_errors_by)
    return methods


def _has(library: Any, name: str) -> bool:
    """Say whether a class has a method of its own, and not that of ``BaseCache``."""
    mine, base = (getattr(cls, name, None) for cls in (library, BaseCache))
    return mine is not None and mine is not base
