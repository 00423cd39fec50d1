"""Django, configured once and as little as possible, and cache backends made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from counted import Counted, Servers
from harness.memcached import start_memcached
from harness.redis import start_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.core.cache.backends.base import BaseCache

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        USE_TZ=True,
        INSTALLED_APPS=["cachecheck.agent"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def make_cache(backend: str, location: str | list[str], **params: Any) -> BaseCache:
    """Make a cache backend as ``CACHES`` would: ``params`` are the entry's other settings."""
    made: BaseCache = import_string(backend)(location, params)
    return made


@pytest.fixture(autouse=True)
def _counted_caches_are_closed() -> Iterator[None]:
    yield
    Counted.close_all()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A Redis and a memcached for the caches of all tests of one file, and a folder."""
    folder = tmp_path_factory.mktemp("servers")
    with start_redis(folder) as redis, start_memcached(folder) as memcached:
        yield Servers(folder, redis, memcached)


@pytest.fixture(name="make_cache")
def _make_cache() -> Callable[..., BaseCache]:
    return make_cache
