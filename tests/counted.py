"""Caches of a site that count, with every backend that can be counted."""

from __future__ import annotations

import importlib.util
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.cache import caches
from django.core.management import call_command
from django.test.utils import override_settings

from cachecheck.agent import counters

if TYPE_CHECKING:
    from pathlib import Path

    from cachecheck.model import Counters
    from harness.memcached import MemcachedServer
    from harness.redis import RedisServer

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILEBASED = "django.core.cache.backends.filebased.FileBasedCache"
DATABASE = "django.core.cache.backends.db.DatabaseCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
DJANGO_VALKEY = "django_valkey.cache.ValkeyCache"
PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache"
PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache"
DISKCACHE = "diskcache.DjangoCache"

KEEPING = [LOCMEM, FILEBASED, DATABASE, REDIS, DJANGO_REDIS, DJANGO_VALKEY, PYMEMCACHE, DISKCACHE]
if importlib.util.find_spec("pylibmc"):
    KEEPING.append(PYLIBMC)


class Servers:
    """Where the caches of a test keep their entries."""

    def __init__(self, folder: Path, redis: RedisServer, memcached: MemcachedServer) -> None:
        self._folder = folder
        self._redis = redis
        self._memcached = memcached

    def location(self, backend: str, number: int = 0) -> str:
        """Give a place for a cache; caches of another number share nothing but a memcached."""
        match backend:
            case "django.core.cache.backends.filebased.FileBasedCache" | "diskcache.DjangoCache":
                return str(self._folder / f"{backend}-{number}")
            case "django.core.cache.backends.db.DatabaseCache":
                call_command("createcachetable", f"cache_{number}", verbosity=0)
                return f"cache_{number}"
            case "django_valkey.cache.ValkeyCache":
                return f"valkey://127.0.0.1:{self._redis.port}/{number}"
            case _ if "redis" in backend:
                return f"redis://127.0.0.1:{self._redis.port}/{number}"
            case _ if "memcached" in backend:
                return self._memcached.address
            case _:
                return uuid.uuid4().hex


class Counted:
    """A cache of the site under an alias of its own; ``made`` are all that were not closed yet."""

    made: ClassVar[list[Counted]] = []

    def __init__(self, backend: str = LOCMEM, location: str = "", **params: Any) -> None:
        self.alias = uuid.uuid4().hex
        entry = {"BACKEND": backend, "LOCATION": location or self.alias, **params}
        with override_settings(CACHES={self.alias: entry}):
            self.cache: Any = caches[self.alias]
        self.made.append(self)

    @classmethod
    def close_all(cls) -> None:
        """Close what was made: a diskcache that is not closed leaves open databases."""
        while cls.made:
            cls.made.pop().cache.close()

    def counted(self, withholds: Any = lambda _key: False) -> Counters:
        counted = counters.snapshot(self.alias, withholds)
        assert counted is not None
        return counted

    def totals(self) -> tuple[int, int]:
        counted = self.counted()
        return counted.hits, counted.misses
