"""From a cache alias to the backend that looks at it, by base class: sites subclass theirs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from django.core.cache import caches

from cachecheck.errors import StoreError

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.backends.base import Backend

_PACKAGE = "cachecheck.agent.backends"
_UNKNOWN = "unsupported:UnsupportedBackend"
_BY_BASE_CLASS = {
    "diskcache.djangocache.DjangoCache": "diskcache:DiskCacheBackend",
    "django.core.cache.backends.db.DatabaseCache": "database:DatabaseBackend",
    "django.core.cache.backends.dummy.DummyCache": "dummy:DummyBackend",
    "django.core.cache.backends.filebased.FileBasedCache": "filebased:FileBasedBackend",
    "django.core.cache.backends.locmem.LocMemCache": "locmem:LocMemBackend",
    "django.core.cache.backends.memcached.PyLibMCCache": "pylibmc:PyLibMCBackend",
    "django.core.cache.backends.memcached.PyMemcacheCache": "pymemcache:PyMemcacheBackend",
    "django.core.cache.backends.redis.RedisCache": "redis:RedisBackend",
    "django_redis.cache.RedisCache": "django_redis:DjangoRedisBackend",
    "django_valkey.cache.ValkeyCache": "django_valkey:DjangoValkeyBackend",
}


def backend_for(alias: str) -> Backend:
    """Look at the cache ``alias`` of this process.

    Raises ``StoreError`` where Django cannot make its backend.
    """
    return backend_of(alias, cache_for(alias))


def backend_of(alias: str, cache: BaseCache) -> Backend:
    """Look at a backend object, by the first of its base classes that is known.

    Only then is the module for it imported, and with it the client library.
    """
    names = (f"{cls.__module__}.{cls.__qualname__}" for cls in type(cache).__mro__)
    found = next((_BY_BASE_CLASS[name] for name in names if name in _BY_BASE_CLASS), _UNKNOWN)
    module, _, name = found.partition(":")
    backend: type[Backend] = getattr(import_module(f"{_PACKAGE}.{module}"), name)
    return backend(alias, cache)


def cache_for(alias: str) -> BaseCache:
    """Give the application's own backend object of this thread or task.

    Raises ``StoreError`` where Django cannot make it.
    """
    try:
        return caches[alias]
    except Exception as exc:  # a site's constructor may raise anything
        raise StoreError(f"the backend cannot be made: {type(exc).__name__}") from exc
