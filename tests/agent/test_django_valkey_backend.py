from __future__ import annotations

import pickle
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from cachecheck.agent.backends.django_valkey import DjangoValkeyBackend
from cachecheck.agent.caches import backend_of
from cachecheck.errors import InertUnreadable, StoreUnreachable
from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.redis import RedisSentinel, RedisServer

CACHE = "django_valkey.cache.ValkeyCache"
COMPRESSORS = "django_valkey.compressors"
PASSWORD = "hunter2-very-secret"
VALUES = [7, 1.5, -2.5, "short", "long " * 200, {"a": [1, None]}, True, b"bytes", None]


def always() -> bool:
    return True


def all_of_them(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return {key: key for key in keys}


@pytest.fixture
def look(make_cache: Callable[..., Any]) -> Iterator[Callable[..., tuple[Any, Any]]]:
    """Make a cache, and look at it; its pools, kept for the whole process, are dropped later."""
    made: list[Any] = []

    def looked(location: str | list[str], **params: Any) -> tuple[Any, Any]:
        cache = make_cache(CACHE, location, **params)
        made.append(cache)
        return cache, DjangoValkeyBackend("default", cache)

    yield looked
    for cache in made:
        factory = cache.client.connection_factory
        for url in list(factory._pools):  # noqa: SLF001
            factory._pools.pop(url).disconnect()  # noqa: SLF001
        for sentinel in getattr(getattr(factory, "_sentinel", None), "sentinels", ()):
            sentinel.connection_pool.disconnect()


def read(backend: DjangoValkeyBackend, *keys: str) -> list[Any]:
    with closing(backend.store()) as store:
        return list(store.read([backend.stored_key(key) for key in keys], always))


@pytest.mark.parametrize("compressor", ["identity.Identity", "zlib.Zlib", "gzip.Gzip", "lzma.Lzma"])
def test_what_the_application_wrote_is_read_as_a_pickle(
    look: Callable[..., Any], redis_server: RedisServer, compressor: str
) -> None:
    options = {"COMPRESSOR": f"{COMPRESSORS}.{compressor}Compressor"}
    cache, backend = look(redis_server.url, OPTIONS=options)
    for number, value in enumerate(VALUES):
        cache.set(f"key:{number}", value, 600)
    readings = read(backend, *(f"key:{number}" for number in range(len(VALUES))), "absent")
    assert [pickle.loads(backend.payload(one).raw) for one in readings[:-1]] == VALUES
    assert [cache.get(f"key:{number}") for number in range(len(VALUES))] == VALUES
    assert readings[0].expires_at == pytest.approx(time.time() + 600, abs=5)
    assert readings[-1] == Missing()


def test_a_connection_of_ours_says_nothing_of_its_library(
    look: Callable[..., Any], redis_server: RedisServer
) -> None:
    cache, backend = look(redis_server.url)
    cache.set("key", "value")
    with redis_server.client() as client:
        client.config_resetstat()
        assert len(read(backend, "key")) == 1
        errors = client.info("errorstats").get("errorstat_ERR", {"count": 0})
        assert errors["count"] <= 1  # CLIENT NO-TOUCH, which servers before 7.2 do not know
        assert "cmdstat_client|setinfo" not in client.info("commandstats")


def test_it_is_known_by_its_class_and_is_a_store_like_any_redis(
    look: Callable[..., Any], redis_server: RedisServer
) -> None:
    cache, _ = look(redis_server.url.removesuffix("0") + "3")
    backend = backend_of("default", cache)
    assert isinstance(backend, DjangoValkeyBackend)
    assert (backend.kind, backend.scope, backend.routing(["probe"])) == ("redis", "network", ())
    cache.set("key", "value", 600)
    cache.set("stays", "value", None)
    with closing(backend.store()) as store, redis_server.client() as client:
        identity, capabilities = store.identity(), store.capabilities()
        (batch,) = store.walk(None, all_of_them, always)
        page = store.scan(None, always)
        assert identity.member == client.info("server")["run_id"]
        assert identity.token == f"redis:{client.info('replication')['master_replid']}/3"
        assert backend.server_counters(store) is not None
    assert sorted(page.keys) == [":1:key", ":1:stays"]
    assert sorted(batch.names) == [b":1:key", b":1:stays"]
    assert NEVER in batch.expiries_ms
    assert (capabilities.can_read, capabilities.can_scan, capabilities.entries) == (True, True, 2)
    namespace = backend.namespace("probe")
    assert namespace.stored_probe == ":1:probe"
    assert backend.logical_key(":1:key", namespace) == "key"


def test_the_applications_own_pool_is_untouched(
    look: Callable[..., Any], redis_server: RedisServer
) -> None:
    cache, backend = look(redis_server.url)
    cache.set("key", "value")
    pools = cache.client.connection_factory._pools  # noqa: SLF001
    (before,) = pools.values()
    created = before._created_connections  # noqa: SLF001
    read(backend, "key")
    assert list(pools.values()) == [before]
    assert before._created_connections == created  # noqa: SLF001
    assert cache.get("key") == "value"


def test_a_server_that_is_down_or_refuses_is_a_failure_and_no_miss(
    look: Callable[..., Any], start_redis: Callable[..., RedisServer]
) -> None:
    locked = start_redis(extra_args=["--requirepass", PASSWORD])
    _, backend = look(locked.url)
    (reading,) = read(backend, "key")
    assert isinstance(reading, Failed)
    assert reading.reason == "denied"
    locked.stop()
    assert read(backend, "key") == [Failed(reason="unreachable", detail="connection refused")]
    with closing(backend.store()) as store:
        assert store.identity().grade == "unobserved"
        with pytest.raises(StoreUnreachable):
            store.scan(None, always)
        with pytest.raises(StoreUnreachable):
            list(store.walk(None, all_of_them, always))


def test_sentinel_leads_to_the_current_primary(
    look: Callable[..., Any],
    start_redis: Callable[..., RedisServer],
    start_sentinel: Callable[..., RedisSentinel],
) -> None:
    primary = start_redis()
    sentinel = start_sentinel("site", primary)
    options = {
        "CLIENT_CLASS": "django_valkey.client.SentinelClient",
        "CONNECTION_FACTORY": "django_valkey.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", sentinel.port)],
    }
    cache, backend = look("valkey://site/1", OPTIONS=options)
    cache.set("key", "value")
    (reading,) = read(backend, "key")
    assert pickle.loads(backend.payload(reading).raw) == "value"


def test_codec_and_settings_tell_what_decides_and_no_secret(look: Callable[..., Any]) -> None:
    options = {"PASSWORD": PASSWORD, "PICKLE_VERSION": 4, "IGNORE_EXCEPTIONS": True}
    _, backend = look(f"valkey://site:{PASSWORD}@h:1/0", OPTIONS=options)
    assert backend.codec() == (
        ("serializer", "django_valkey.serializers.pickle.PickleSerializer"),
        ("compressor", f"{COMPRESSORS}.identity.IdentityCompressor"),
        ("pickle_protocol", "4"),
    )
    assert backend.pickle_protocol() == 4
    assert backend.hides_errors()
    assert dict(backend.settings())["client"] == "django_valkey.client.default.DefaultClient"
    assert PASSWORD not in repr((backend.settings(), backend.codec()))


def test_another_serializer_is_named_and_not_guessed(look: Callable[..., Any]) -> None:
    options = {"SERIALIZER": "django_valkey.serializers.msgspec.MsgSpecJsonSerializer"}
    _, backend = look("valkey://h:1/0", OPTIONS=options)
    with pytest.raises(InertUnreadable):
        backend.payload(Stored(value=b"[", expires_at=None))


def test_compression_that_settings_of_the_site_shape_is_not_guessed(
    look: Callable[..., Any],
) -> None:
    _, backend = look("valkey://h:1/0")
    with (
        override_settings(COMPRESS_ZLIB_WBITS=-15),
        pytest.raises(InertUnreadable, match="settings of the site"),
    ):
        backend.payload(Stored(value=b"[", expires_at=None))


def test_another_client_is_named_and_not_guessed(make_cache: Callable[..., Any]) -> None:
    foreign = make_cache(CACHE, "valkey://h:1/0", OPTIONS={"CLIENT_CLASS": "builtins.dict"})
    with closing(DjangoValkeyBackend("default", foreign).store()) as store:
        (reason,) = store.capabilities().reasons
    assert reason == "its client is not derived from django-valkey's DefaultClient"
