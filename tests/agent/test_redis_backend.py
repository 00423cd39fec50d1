# ruff: noqa: SLF001  the application's own objects are looked at
from __future__ import annotations

import pickle
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache.backends.redis import RedisCache

from cachecheck.agent.backends.redis import RedisBackend
from cachecheck.errors import InertUnreadable, StoreUnsupported
from cachecheck.model import Missing
from cachecheck.stores.base import Stored
from harness.process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.core.cache.backends.base import BaseCache

    from harness.redis import RedisServer

DJANGO = "django.core.cache.backends.redis.RedisCache"
PASSWORD = "hunter2-very-secret"


class OtherSerializer:
    def dumps(self, value: object) -> bytes:
        return repr(value).encode()

    def loads(self, data: bytes) -> object:
        return data


def always() -> bool:
    return True


@pytest.fixture
def cache(make_cache: Callable[..., BaseCache], redis_server: RedisServer) -> Iterator[Any]:
    made = make_cache(DJANGO, redis_server.url, KEY_PREFIX="shop", TIMEOUT=600)
    yield made
    disconnect(made)


def disconnect(cache: Any) -> None:
    for pool in cache._cache._pools.values():
        pool.disconnect()


def read(backend: RedisBackend, *keys: str) -> list[Any]:
    with closing(backend.store()) as store:
        return list(store.read([backend.stored_key(key) for key in keys], always))


@pytest.mark.parametrize("value", [7, -1, 0, "text", {"a": [1, 2.5]}, None, True, b"bytes"])
def test_what_the_application_wrote_is_read_as_a_pickle(cache: Any, value: object) -> None:
    backend = RedisBackend("default", cache)
    cache.set("key", value)
    (reading,) = read(backend, "key")
    assert isinstance(reading, Stored)
    assert pickle.loads(backend.payload(reading)) == value
    assert reading.expires_at == pytest.approx(time.time() + 600, abs=2)


def test_keys_are_found_under_the_names_the_application_gives_them(cache: Any) -> None:
    backend = RedisBackend("default", cache)
    cache.set("user:1", 1)
    cache.set("forever", 1, None)
    namespace = backend.namespace("probe-key")
    with closing(backend.store()) as store:
        page = store.scan(None, always)
    assert sorted(filter(None, (backend.logical_key(key, namespace) for key in page.keys))) == [
        "forever",
        "user:1",
    ]
    (forever, absent) = read(backend, "forever", "absent")
    assert forever.expires_at is None
    assert absent == Missing()


def test_the_applications_own_connection_is_untouched(cache: Any) -> None:
    cache.set("key", "value")
    pool = cache._cache.get_client(write=True).connection_pool
    backend = RedisBackend("default", cache)
    with closing(backend.store()) as store:
        store.scan(None, always)
        list(store.read(["shop:1:key"], always))
        assert store._server.client().connection_pool is not pool
    assert cache._cache.get_client(write=True).connection_pool is pool
    assert "socket_timeout" not in pool.connection_kwargs
    assert cache.get("key") == "value"


def test_a_connection_of_ours_says_nothing_of_its_library(
    cache: Any, redis_server: RedisServer
) -> None:
    """redis-py reads its version from a file each time; servers before 7.2 count two errors."""
    cache.set("key", "value")
    with redis_server.client() as client:
        client.config_resetstat()
        with closing(RedisBackend("default", cache).store()) as store:
            assert isinstance(next(store.read(["shop:1:key"], always)), Stored)
        errors = client.info("errorstats").get("errorstat_ERR", {"count": 0})
        assert errors["count"] <= 1  # CLIENT NO-TOUCH, which servers before 7.2 do not know
        assert "cmdstat_client|setinfo" not in client.info("commandstats")


def test_reads_go_to_the_write_server_and_each_replica_is_read_by_itself(
    make_cache: Callable[..., BaseCache], start_redis: Callable[..., RedisServer]
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    cache: Any = make_cache(DJANGO, [primary.url, replica.url])
    backend = RedisBackend("default", cache)
    with closing(backend.store()) as store, primary.client() as client:
        identity, capabilities = store.identity(), store.capabilities()
        assert identity.member == client.info("server")["run_id"]
    assert identity.address == primary.url
    assert capabilities.unread_replicas == 0
    with closing(backend.store()) as store, replica.client() as client:
        first, second = backend.members(store)
        client.config_set("replica-read-only", "no")
        client.set(":1:only", b"5")
    assert (first.address, first.role, first.takes_writes) == (primary.url, "primary", True)
    assert (second.address, second.role, second.is_linked) == (replica.url, "replica", True)
    assert first.replication_id == second.replication_id
    assert second.follows == primary.address
    with closing(backend.open_member(replica.url)) as store:
        assert ":1:only" in store.scan(None, always).keys
    with closing(backend.store()) as store:
        assert ":1:only" not in store.scan(None, always).keys
    with pytest.raises(StoreUnsupported, match="has no server"):
        backend.open_member("redis://elsewhere/0")


def test_servers_of_one_address_and_those_that_are_gone_are_told_apart(
    make_cache: Callable[..., BaseCache], redis_server: RedisServer
) -> None:
    gone = f"redis://127.0.0.1:{free_port()}/0"
    login = redis_server.url.replace("redis://", "redis://nobody:wrong@")
    backend = RedisBackend("default", make_cache(DJANGO, [redis_server.url, login, gone]))
    with closing(backend.store()) as store:
        itself, again, silent = backend.members(store)
    assert again.address == f"{redis_server.url} [1]"
    assert again.failure == "the server refused the credentials"
    assert (silent.address, silent.failure) == (gone, "connection refused")
    assert itself.failure is None


def test_a_class_of_the_sites_own_is_read_like_its_base(
    make_cache: Callable[..., BaseCache], redis_server: RedisServer
) -> None:
    cache: Any = make_cache(f"{__name__}.SiteCache", redis_server.url)
    cache.set("key", 5)
    assert [reading.value for reading in read(RedisBackend("default", cache), "key")] == [b"5"]
    disconnect(cache)


def test_another_serializer_is_named_and_not_guessed(
    make_cache: Callable[..., BaseCache], redis_server: RedisServer
) -> None:
    options = {"serializer": f"{__name__}.OtherSerializer"}
    backend = RedisBackend("default", make_cache(DJANGO, redis_server.url, OPTIONS=options))
    assert backend.codec() == (("serializer", f"{__name__}.OtherSerializer"),)
    with pytest.raises(InertUnreadable, match="unknown serializer"):
        backend.payload(Stored(value=b"{}", expires_at=None))


def test_codec_tells_serializer_and_protocol(make_cache: Callable[..., BaseCache]) -> None:
    backend = RedisBackend("default", make_cache(DJANGO, "redis://h:1/0"))
    assert backend.codec() == (
        ("serializer", "django.core.cache.backends.redis.RedisSerializer"),
        ("pickle_protocol", str(pickle.HIGHEST_PROTOCOL)),
    )


def test_settings_are_shown_each_alone(make_cache: Callable[..., BaseCache]) -> None:
    options = {
        "db": 3,
        "pool_class": "redis.BlockingConnectionPool",
        "socket_timeout": 1.5,
        "ssl_ca_certs": "/etc/ca.pem",
    }
    cache = make_cache(DJANGO, "redis://one:6379/1,rediss://two:6380", OPTIONS=options)
    assert RedisBackend("default", cache).settings() == (
        ("servers", "redis://one:6379/1, rediss://two:6380"),
        ("OPTIONS.db", "3"),
        ("OPTIONS.pool_class", "redis.BlockingConnectionPool"),
        ("OPTIONS.socket_timeout", "1.5"),
        ("OPTIONS.ssl_ca_certs", "/etc/ca.pem"),
    )


@pytest.mark.parametrize(
    "url",
    [
        f"redis://site:{PASSWORD}@127.0.0.1:1/0",
        f"redis://:{PASSWORD}@127.0.0.1:1/0",
        f"redis://127.0.0.1:1/0?password={PASSWORD}&username={PASSWORD}",
        f"redis://:{PASSWORD}#x@127.0.0.1:1/0",
        f"redis://:x/{PASSWORD}@127.0.0.1:1/0",
        f"redis://:{PASSWORD}@[::1/0",
        f"unix://:{PASSWORD}@/tmp/absent.sock?db=1",
        f"unix:///tmp/absent.sock?password={PASSWORD}",
    ],
)
def test_no_secret_shows_anywhere(make_cache: Callable[..., BaseCache], url: str) -> None:
    options = {"password": PASSWORD, "ssl_password": PASSWORD}
    for given in ({}, options):
        backend = RedisBackend("default", make_cache(DJANGO, url, OPTIONS=given))
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


def test_options_that_may_be_secret_show_only_that_they_are_set(
    make_cache: Callable[..., BaseCache],
) -> None:
    options = {"password": PASSWORD, "username": None}
    backend = RedisBackend("default", make_cache(DJANGO, "redis://h:1", OPTIONS=options))
    assert backend.settings()[1:] == (("OPTIONS.password", "set"), ("OPTIONS.username", "not set"))


def test_options_reach_our_connections(
    make_cache: Callable[..., BaseCache], start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis(users=["user default off", f"user site on >{PASSWORD} ~* +@all"])
    options = {
        "username": "site",
        "password": PASSWORD,
        "db": 2,
        "pool_class": "redis.BlockingConnectionPool",
        "protocol": 3,
    }
    cache: Any = make_cache(DJANGO, f"redis://{server.address}", OPTIONS=options)
    cache.set("key", "value")
    backend = RedisBackend("default", cache)
    with closing(backend.store()) as store:
        identity = store.identity()
        counters = backend.server_counters(store)
    assert identity.token is not None
    assert identity.token.endswith("/2")
    assert counters is not None
    assert isinstance(read(backend, "key")[0], Stored)
    disconnect(cache)


def test_a_client_of_another_kind_is_unsupported_with_a_reason(
    make_cache: Callable[..., BaseCache],
) -> None:
    backend = RedisBackend("default", make_cache(f"{__name__}.ForeignCache", "redis://h:1/0"))
    with closing(backend.store()) as store:
        assert store.identity().grade == "unobserved"
        capabilities = store.capabilities()
        assert backend.server_counters(store) is None
    assert (capabilities.can_scan, capabilities.can_read) == (False, False)
    assert capabilities.reasons == ("its client is not derived from Django's RedisCacheClient",)


class SiteCache(RedisCache):
    pass


class ForeignCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = lambda _servers, **_options: object()
