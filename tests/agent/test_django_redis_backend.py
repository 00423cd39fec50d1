# ruff: noqa: SLF001  the application's own objects are looked at
from __future__ import annotations

import gzip
import json
import lzma
import pickle
import socket
import time
import zlib
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import lz4.frame
import msgpack
import pytest
import pyzstd
from django_redis.client import DefaultClient
from django_redis.serializers.pickle import PickleSerializer

from cachecheck.agent.backends import inflate
from cachecheck.agent.backends.django_redis import DjangoRedisBackend
from cachecheck.errors import InertTooLarge, InertUnreadable
from cachecheck.inert import Encoded
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

    from harness.redis import RedisSentinel, RedisServer

DJANGO_REDIS = "django_redis.cache.RedisCache"
COMPRESSORS = "django_redis.compressors"
PASSWORD = "hunter2-very-secret"


class TenantClient(DefaultClient):
    """A site's own client, which puts a tenant into every key."""

    def make_key(self, key: str, version: int | None = None, prefix: str | None = None) -> Any:
        return super().make_key(f"tenant-7/{key}", version, prefix)


def upper(key: str, key_prefix: str, version: int) -> str:
    return f"{key_prefix}|{version}|{key.upper()}"


def lower(stored: str) -> str:
    return stored.split("|")[2].lower()


def always() -> bool:
    return True


def backend_at(
    make_cache: Callable[..., BaseCache], location: str | list[str], **params: Any
) -> tuple[Any, DjangoRedisBackend]:
    cache = make_cache(DJANGO_REDIS, location, **params)
    return cache, DjangoRedisBackend("default", cache)


def read(backend: DjangoRedisBackend, key: str) -> Any:
    with closing(backend.store()) as store:
        (reading,) = store.read([backend.stored_key(key)], always)
    return reading


def decoded(encoded: Encoded) -> Any:
    """Give the value as the application's serializer would."""
    loads = {"pickle": pickle.loads, "json": json.loads, "msgpack": msgpack.loads}
    return loads[encoded.codec](encoded.raw)


def finish(cache: Any) -> None:
    """Drop the application's pools, which django-redis keeps for the whole process."""
    pools = cache.client.connection_factory._pools
    for url in list(pools):
        pools.pop(url).disconnect()


@pytest.mark.parametrize("value", [7, "short", "long " * 200, {"a": [1, None]}, True])
@pytest.mark.parametrize("serializer", ["pickle.Pickle", "json.JSON", "msgpack.MSGPack"])
@pytest.mark.parametrize(
    "compressor",
    ["identity.Identity", "zlib.Zlib", "gzip.Gzip", "lzma.Lzma", "lz4.Lz4", "zstd.ZStd"],
)
def test_what_the_application_wrote_is_decompressed(
    make_cache: Callable[..., BaseCache],
    redis_server: RedisServer,
    compressor: str,
    serializer: str,
    value: object,
) -> None:
    options = {
        "COMPRESSOR": f"{COMPRESSORS}.{compressor}Compressor",
        "SERIALIZER": f"django_redis.serializers.{serializer}Serializer",
    }
    cache, backend = backend_at(make_cache, redis_server.url, OPTIONS=options)
    cache.set("key", value)
    assert decoded(backend.payload(read(backend, "key"))) == value
    assert cache.get("key") == value
    finish(cache)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"SERIALIZER": f"{__name__}.OtherSerializer"},
            f"unknown serializer {__name__}.OtherSerializer",
        ),
        (
            {"COMPRESSOR": f"{__name__}.OtherCompressor"},
            f"unknown compressor {__name__}.OtherCompressor",
        ),
    ],
)
def test_another_codec_is_named_and_not_guessed(
    make_cache: Callable[..., BaseCache], options: dict[str, str], reason: str
) -> None:
    _, backend = backend_at(make_cache, "redis://h:1/0", OPTIONS=options)
    assert dict(backend.codec()).items() >= {("pickle_protocol", str(pickle.DEFAULT_PROTOCOL))}
    with pytest.raises(InertUnreadable) as caught:
        backend.payload(Stored(value=b"{}", expires_at=None))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("compressor", "pack"), [("zlib.Zlib", zlib.compress), ("gzip.Gzip", gzip.compress)]
)
def test_a_bomb_is_too_large_and_not_inflated(
    make_cache: Callable[..., BaseCache],
    monkeypatch: pytest.MonkeyPatch,
    compressor: str,
    pack: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr(inflate, "MAX_INFLATED_BYTES", 1000)
    options = {"COMPRESSOR": f"{COMPRESSORS}.{compressor}Compressor"}
    _, backend = backend_at(make_cache, "redis://h:1/0", OPTIONS=options)
    with pytest.raises(InertTooLarge):
        backend.payload(Stored(value=pack(b"x" * 1001), expires_at=None))
    cut = pack(b"x" * 999)[:-5]
    assert backend.payload(Stored(value=cut, expires_at=None)) == Encoded(raw=cut)


@pytest.mark.parametrize(
    ("compressor", "pack"),
    [
        ("lzma.Lzma", lzma.compress),
        ("lz4.Lz4", lz4.frame.compress),
        ("zstd.ZStd", pyzstd.compress),
    ],
)
def test_a_bomb_of_another_compression_is_too_large_as_well(
    make_cache: Callable[..., BaseCache], compressor: str, pack: Callable[[bytes], bytes]
) -> None:
    options = {"COMPRESSOR": f"{COMPRESSORS}.{compressor}Compressor"}
    _, backend = backend_at(make_cache, "redis://h:1/0", OPTIONS=options)
    bomb = pack(b"x" * (inflate.MAX_INFLATED_BYTES + 1))
    assert len(bomb) < inflate.MAX_INFLATED_BYTES / 100
    with pytest.raises(InertTooLarge):
        backend.payload(Stored(value=bomb, expires_at=None))


def test_compressed_data_that_needs_much_memory_are_too_large(
    make_cache: Callable[..., BaseCache],
) -> None:
    windowed = {pyzstd.CParameter.windowLog: 27, pyzstd.CParameter.enableLongDistanceMatching: 1}
    greedy = {
        "zstd.ZStd": pyzstd.compress(b"x" * (200 << 20), windowed),
        "lzma.Lzma": lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]),
    }
    for compressor, value in greedy.items():
        options = {"COMPRESSOR": f"{COMPRESSORS}.{compressor}Compressor"}
        _, backend = backend_at(make_cache, "redis://h:1/0", OPTIONS=options)
        with pytest.raises(InertTooLarge, match="needs much memory"):
            backend.payload(Stored(value=value, expires_at=None))


def test_the_applications_own_pool_is_untouched(
    make_cache: Callable[..., BaseCache], redis_server: RedisServer
) -> None:
    cache, backend = backend_at(make_cache, redis_server.url)
    cache.set("key", "value")
    pool = cache.client.get_client().connection_pool
    with closing(backend.store()) as store:
        store.scan(None, always)
        list(store.read([":1:key"], always))
        assert store._server.client().connection_pool is not pool
    assert cache.client.get_client().connection_pool is pool
    assert list(cache.client.connection_factory._pools.values()) == [pool]
    assert cache.get("key") == "value"
    finish(cache)


def test_a_hidden_outage_is_a_failure_and_no_miss(
    make_cache: Callable[..., BaseCache], redis_server: RedisServer
) -> None:
    options = {"IGNORE_EXCEPTIONS": True}
    cache, backend = backend_at(make_cache, redis_server.url, OPTIONS=options)
    redis_server.stop()
    assert cache.get("key") is None
    assert read(backend, "key").reason == "unreachable"
    assert ("OPTIONS.IGNORE_EXCEPTIONS", "True") in backend.settings()
    finish(cache)


def test_sentinel_leads_to_the_current_primary(
    make_cache: Callable[..., BaseCache],
    start_redis: Callable[..., RedisServer],
    start_sentinel: Callable[..., RedisSentinel],
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    sentinel = start_sentinel("site", primary)
    options = {
        "CLIENT_CLASS": "django_redis.client.SentinelClient",
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", sentinel.port)],
    }
    cache, backend = backend_at(make_cache, "redis://site/1", OPTIONS=options)
    cache.set("key", "value")
    with closing(backend.store()) as store, primary.client() as client:
        identity, capabilities = store.identity(), store.capabilities()
        assert identity.member == client.info("server")["run_id"]
        assert ":1:key" in store.scan(None, always).keys
    assert replica.is_running
    assert identity.token is not None
    assert identity.token.endswith("/1")
    assert identity.address == "redis://site/1"
    assert capabilities.unread_replicas == 1
    with closing(backend.store()) as store:
        (member,) = backend.members(store)
    assert (member.role, member.takes_writes) == ("primary", True)
    assert decoded(backend.payload(read(backend, "key"))) == "value"
    assert ("OPTIONS.SENTINELS", f"127.0.0.1, {sentinel.port}") in backend.settings()
    for each in cache.client.connection_factory._sentinel.sentinels:
        each.connection_pool.disconnect()
    finish(cache)


def test_sentinels_that_do_not_answer_cost_one_timeout_together(
    make_cache: Callable[..., BaseCache],
) -> None:
    with ExitStack() as open_sockets:
        listening = [
            open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)
        ]
        options = {
            "CLIENT_CLASS": "django_redis.client.SentinelClient",
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": [each.getsockname() for each in listening],
            "SENTINEL_KWARGS": {"socket_timeout": None},
        }
        _, backend = backend_at(make_cache, "redis://site/1", OPTIONS=options)
        started_at = time.monotonic()
        with closing(backend.store()) as store:
            identity, capabilities = store.identity(), store.capabilities()
        assert time.monotonic() - started_at < 3
    assert identity.grade == "unobserved"
    assert capabilities.reasons == (identity.reason,)


def test_other_clients_are_unsupported_with_settings_and_namespace_all_the_same(
    make_cache: Callable[..., BaseCache],
) -> None:
    options = {"CLIENT_CLASS": "builtins.dict"}
    cache, backend = backend_at(make_cache, ["redis://h:1/0"], OPTIONS=options, KEY_PREFIX="shop")
    with closing(backend.store()) as store:
        capabilities = store.capabilities()
        assert backend.server_counters(store) is None
    reason = "its client is not derived from django-redis's DefaultClient"
    assert (capabilities.can_read, capabilities.reasons) == (False, (reason,))
    assert backend.namespace("probe").stored_probe == "shop:1:probe"
    assert backend.stored_key("key") == "shop:1:key"
    assert dict(backend.settings())["servers"] == "redis://h:1/0"
    assert cache._client is None
    with pytest.raises(InertUnreadable):
        backend.payload(Stored(value=b"1", expires_at=None))


def test_a_client_of_the_sites_own_makes_the_keys(
    make_cache: Callable[..., BaseCache], redis_server: RedisServer
) -> None:
    options = {"CLIENT_CLASS": f"{__name__}.TenantClient"}
    cache, backend = backend_at(make_cache, redis_server.url, OPTIONS=options)
    cache.set("key", "value")
    namespace = backend.namespace("probe")
    assert namespace.stored_probe == ":1:tenant-7/probe"
    assert backend.logical_key(":1:tenant-7/key", namespace) == "key"
    assert isinstance(read(backend, "key"), Stored)
    finish(cache)


def test_a_reverse_key_function_recovers_what_nothing_else_can(
    make_cache: Callable[..., BaseCache],
) -> None:
    _, backend = backend_at(
        make_cache,
        "redis://h:1/0",
        KEY_FUNCTION=f"{__name__}.upper",
        REVERSE_KEY_FUNCTION=f"{__name__}.lower",
    )
    namespace = backend.namespace("probe")
    assert not namespace.is_reversible
    assert backend.logical_key("|1|USER", namespace) == "user"
    assert backend.logical_key("|2|USER", namespace) is None
    assert backend.logical_key("of another application", namespace) is None


@pytest.mark.parametrize(
    "url",
    [
        f"redis://site:{PASSWORD}@127.0.0.1:1/0",
        f"redis://127.0.0.1:1/0?password={PASSWORD}",
        f"redis://:{PASSWORD}#@127.0.0.1:1/0",
    ],
)
def test_no_secret_shows_anywhere(make_cache: Callable[..., BaseCache], url: str) -> None:
    options = {
        "PASSWORD": PASSWORD,
        "SENTINEL_KWARGS": {"password": PASSWORD},
        "CONNECTION_POOL_KWARGS": {"password": PASSWORD, "max_connections": 7},
    }
    _, backend = backend_at(make_cache, url, OPTIONS=options)
    with closing(backend.store()) as store:
        said = (
            backend.settings(),
            backend.codec(),
            store.identity(),
            store.capabilities(),
            list(store.read(["key"], always)),
            repr(store),
        )
    assert PASSWORD not in repr(said)
    assert ("OPTIONS.CONNECTION_POOL_KWARGS.max_connections", "7") in backend.settings()
    assert ("OPTIONS.SENTINEL_KWARGS.password", "set") in backend.settings()


class OtherSerializer(PickleSerializer):
    pass


class OtherCompressor:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
