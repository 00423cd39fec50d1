from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.test.utils import override_settings
from django_redis.cache import RedisCache as DjangoRedisCache

from cachecheck.agent import counters
from cachecheck.agent.caches import backend_for, backend_of
from cachecheck.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

KINDS: dict[type[BaseCache], str] = {
    LocMemCache: "locmem:LocMemBackend",
    FileBasedCache: "filebased:FileBasedBackend",
    DatabaseCache: "database:DatabaseBackend",
    DummyCache: "dummy:DummyBackend",
    RedisCache: "redis:RedisBackend",
    DjangoRedisCache: "django_redis:DjangoRedisBackend",
    PyMemcacheCache: "pymemcache:PyMemcacheBackend",
}
LOCATIONS = {
    RedisCache: "redis://127.0.0.1:1/0",
    DjangoRedisCache: "redis://127.0.0.1:1/0",
    PyMemcacheCache: "127.0.0.1:1",
}


class Mixin:
    pass


class OfNoKnownKind(BaseCache):
    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)


class Broken(BaseCache):
    def __init__(self, *_arguments: Any) -> None:
        raise RuntimeError("hidden")


def made(cls: type[BaseCache], tmp_path: Path) -> Any:
    return cls(LOCATIONS.get(cls, str(tmp_path / "cache")), {})


def named(backend: object) -> str:
    return f"{type(backend).__module__.rpartition('.')[2]}:{type(backend).__name__}"


@pytest.mark.parametrize("cls", KINDS)
def test_every_backend_is_recognised_by_its_class(cls: type[BaseCache], tmp_path: Path) -> None:
    backend = backend_of("default", made(cls, tmp_path))
    assert named(backend) == KINDS[cls]
    assert (backend.alias, type(backend.cache)) == ("default", cls)


@pytest.mark.parametrize("cls", KINDS)
def test_what_a_site_made_of_it_is_recognised_by_its_base_class(
    cls: type[BaseCache], tmp_path: Path
) -> None:
    class Site(Mixin, cls):  # type: ignore[valid-type,misc]
        pass

    class Site2(Site):
        pass

    cache = made(cls, tmp_path)
    cache.__class__ = Site2
    assert named(backend_of("default", cache)) == KINDS[cls]


def test_any_other_is_unsupported() -> None:
    assert backend_of("default", OfNoKnownKind("", {})).kind == "unsupported"


@pytest.mark.parametrize("cls", [*KINDS, OfNoKnownKind])
def test_backends_that_count_are_recognised_all_the_same(
    cls: type[BaseCache], tmp_path: Path
) -> None:
    counters.install()
    path = f"{cls.__module__}.{cls.__qualname__}"
    location = LOCATIONS.get(cls, str(tmp_path / "cache"))
    with override_settings(CACHES={"default": {"BACKEND": path, "LOCATION": location}}):
        backend = backend_for("default")
        assert named(backend) == KINDS.get(cls, "unsupported:UnsupportedBackend")
        assert backend.cache is caches["default"]


def test_a_backend_that_cannot_be_made_is_an_error_of_the_store_that_keeps_its_text() -> None:
    entry = {"BACKEND": f"{__name__}.Broken"}
    with (
        override_settings(CACHES={"default": entry}),
        pytest.raises(StoreError, match="RuntimeError") as caught,
    ):
        backend_for("default")
    assert "hidden" not in caught.value.reason


def test_an_alias_that_there_is_not_is_an_error_of_the_store() -> None:
    with pytest.raises(StoreError):
        backend_for("nowhere")


def test_client_libraries_are_imported_only_where_they_are_used() -> None:
    code = (
        "import sys\n"
        "from django.conf import settings\n"
        "settings.configure()\n"
        "from cachecheck.agent.caches import backend_for\n"
        "assert backend_for('default').kind == 'locmem'\n"
        "unwanted = {'redis', 'pymemcache', 'django_redis', 'cryptography', 'django.db.models'}\n"
        "assert not unwanted & set(sys.modules), unwanted & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
