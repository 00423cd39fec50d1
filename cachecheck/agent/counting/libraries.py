"""The libraries whose backends can be counted, and what is known of each."""

from __future__ import annotations

from typing import Any

from cachecheck.agent.backends.shown import dotted
from cachecheck.agent.counting.ways import Traits

_NEVER_ITSELF = Traits(calls_itself=False)
_HIDES_ERRORS = Traits(calls_itself=False, hides_errors_by="_ignore_exceptions")
_KNOWN = {
    "diskcache.djangocache.DjangoCache": Traits(),
    "django.core.cache.backends.db.DatabaseCache": Traits(),
    "django.core.cache.backends.dummy.DummyCache": _NEVER_ITSELF,
    "django.core.cache.backends.filebased.FileBasedCache": Traits(),
    "django.core.cache.backends.locmem.LocMemCache": Traits(
        calls_itself=False, looks_per_grouped=64, is_quick=True
    ),
    "django.core.cache.backends.memcached.BaseMemcachedCache": _NEVER_ITSELF,
    "django.core.cache.backends.redis.RedisCache": _NEVER_ITSELF,
    "django_redis.cache.RedisCache": _HIDES_ERRORS,
    "django_valkey.cache.ValkeyCache": _HIDES_ERRORS,
}


class UnknownLibrary(Exception):
    """A backend derives from no class that is known here."""


def library_of(cls: Any) -> Any:
    """Find the class that talks to the store, by name; raises ``UnknownLibrary``."""
    for base in cls.__mro__:
        if dotted(base) in _KNOWN:
            return base
    raise UnknownLibrary


def traits_of(library: Any) -> Traits:
    """Say what is known of a class that ``library_of`` found."""
    return _KNOWN[dotted(library)]
