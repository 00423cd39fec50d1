# ruff: noqa: SLF001  the application's own objects are looked at
from __future__ import annotations

import pickle
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pymemcache import serde as serdes
from pymemcache.client.base import Client

from cachecheck.agent import live
from cachecheck.agent.backends import inflate
from cachecheck.agent.backends.pymemcache import PyMemcacheBackend
from cachecheck.errors import InertTooLarge, InertUnreadable
from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

    from harness.memcached import MemcachedServer

DJANGO = "django.core.cache.backends.memcached.PyMemcacheCache"
VALUES = [7, -1, "text", "ключ", b"bytes", {"a": [1, 2.5]}, None, True, "long " * 300]


class OtherSerde:
    def serialize(self, key: str, value: object) -> tuple[bytes, int]:
        return repr((key, value)).encode(), 0

    def deserialize(self, key: str, value: bytes, flags: int) -> object:
        return key, value, flags


def always() -> bool:
    return True


def backend_at(
    make_cache: Callable[..., BaseCache], location: str | list[str], **params: Any
) -> tuple[Any, PyMemcacheBackend]:
    cache = make_cache(DJANGO, location, **params)
    return cache, PyMemcacheBackend("default", cache)


def read(backend: PyMemcacheBackend, *keys: str) -> list[Any]:
    with closing(backend.store()) as store:
        return list(store.read([backend.stored_key(key) for key in keys], always))


@pytest.mark.parametrize(
    "serde", [serdes.PickleSerde(), serdes.CompressedSerde(min_compress_len=9)]
)
def test_what_the_application_wrote_is_read_as_a_pickle(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer, serde: object
) -> None:
    options = {"serde": serde}
    cache, backend = backend_at(make_cache, memcached_server.address, OPTIONS=options)
    for number, value in enumerate(VALUES):
        cache.set(f"key:{number}", value, 600)
    readings = read(backend, *(f"key:{number}" for number in range(len(VALUES))))
    assert [pickle.loads(backend.payload(reading)) for reading in readings] == VALUES
    assert readings[0].expires_at == pytest.approx(time.time() + 600, abs=2)
    assert [cache.get(f"key:{number}") for number in range(len(VALUES))] == VALUES
    cache.close()


def test_a_counter_is_an_integer_after_decr_as_well(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer
) -> None:
    cache, backend = backend_at(make_cache, memcached_server.address)
    cache.set("counter", 10)
    cache.decr("counter")  # memcached keeps the length and pads with a space
    (reading,) = read(backend, "counter")
    assert pickle.loads(backend.payload(reading)) == 9
    cache.close()


def test_keys_go_to_the_servers_that_the_application_chose(
    make_cache: Callable[..., BaseCache], start_memcached: Callable[..., MemcachedServer]
) -> None:
    servers = [start_memcached() for _ in range(3)]
    cache, backend = backend_at(make_cache, [server.address for server in servers])
    keys = [f"key:{number}" for number in range(60)]
    for key in keys:
        cache.set(key, key, None)
    assert [pickle.loads(backend.payload(each)) for each in read(backend, *keys)] == keys
    routing = dict(backend.routing(keys))
    assert set(routing.values()) == {server.address for server in servers}
    for server in servers:
        with closing(Client(server.address)) as client:
            assert all(
                (client.get(f":1:{key}") is not None) is (routing[key] == server.address)
                for key in keys
            )
    namespace = backend.namespace("probe")
    with closing(backend.store()) as store:
        found: list[str] = []
        cursor = None
        while True:
            page = store.scan(cursor, always)
            found.extend(filter(None, (backend.logical_key(key, namespace) for key in page.keys)))
            cursor = page.cursor
            if cursor is None:
                break
        counters = backend.server_counters(store)
    assert sorted(found) == sorted(keys)
    assert counters is not None
    assert counters.hits >= 60
    cache.close()


def test_one_server_needs_no_routing(make_cache: Callable[..., BaseCache]) -> None:
    _, backend = backend_at(make_cache, "127.0.0.1:1")
    assert backend.routing(["probe"]) == ()


def test_the_prefix_of_the_client_is_part_of_the_stored_key(
    make_cache: Callable[..., BaseCache], start_memcached: Callable[..., MemcachedServer]
) -> None:
    servers = [start_memcached(), start_memcached()]
    cache, backend = backend_at(
        make_cache,
        ";".join(server.address for server in servers),
        KEY_PREFIX="shop",
        OPTIONS={"key_prefix": b"site."},
    )
    keys = [f"key:{number}" for number in range(20)]
    for key in keys:
        cache.set(key, key)
    namespace = backend.namespace("probe")
    assert namespace.stored_probe == "site.shop:1:probe"
    assert namespace.prefix == "site.shop"
    assert backend.logical_key("site.shop:1:key", namespace) == "key"
    assert all(isinstance(reading, Stored) for reading in read(backend, *keys))
    cache.close()


def test_the_applications_own_connection_still_works_and_is_not_used(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer
) -> None:
    cache, backend = backend_at(make_cache, memcached_server.address)
    cache.set("key", "value")
    own = cache._cache
    socket_before = own.clients[memcached_server.address].sock
    with closing(backend.store()) as store:
        store.scan(None, always)
        list(store.read([":1:key", ":1:absent"], always))
    assert cache._cache is own
    assert own.clients[memcached_server.address].sock is socket_before
    assert cache.get("key") == "value"
    cache.close()


def test_a_server_that_is_down_is_a_failure_and_no_miss(
    make_cache: Callable[..., BaseCache], start_memcached: Callable[..., MemcachedServer]
) -> None:
    up, down = start_memcached(), start_memcached()
    _, backend = backend_at(make_cache, [up.address, down.address], OPTIONS={"ignore_exc": True})
    down.stop()
    keys = [f"key:{number}" for number in range(20)]
    routing = dict(backend.routing(keys))
    for key, reading in zip(keys, read(backend, *keys), strict=True):
        if routing[key] == up.address:
            assert reading == Missing()
        else:
            detail = f"{down.address}: connection refused"
            assert reading == Failed(reason="unreachable", detail=detail)


def fail_once(cache: Any) -> None:
    """Ask for keys until the client has given up the server that is down."""
    for number in range(40):
        cache.get(f"key:{number}")


GIVES_UP = {"ignore_exc": True, "retry_attempts": 0, "dead_timeout": 600}


def test_a_server_that_the_applications_client_has_given_up_is_left_out(
    make_cache: Callable[..., BaseCache], start_memcached: Callable[..., MemcachedServer]
) -> None:
    up, down = start_memcached(), start_memcached()
    servers = [up.address, down.address]
    cache, before = backend_at(make_cache, servers, OPTIONS=GIVES_UP)
    keys = [f"key:{number}" for number in range(40)]
    assert before.dead_servers() == ()
    assert set(dict(before.routing(keys)).values()) == set(servers)
    down.stop()
    fail_once(cache)
    state = dict(cache._cache._dead_clients)
    backend = PyMemcacheBackend("default", cache)
    assert backend.dead_servers() == (down.address,)
    assert set(dict(backend.routing(keys)).values()) == {up.address}
    assert read(backend, *keys) == [Missing()] * len(keys)
    assert cache._cache._dead_clients == state
    cache._cache.dead_timeout = -1  # it has been over for long
    assert PyMemcacheBackend("default", cache).dead_servers() == ()
    cache.close()


def test_servers_that_were_all_given_up_are_still_asked(
    make_cache: Callable[..., BaseCache],
) -> None:
    cache, _ = backend_at(make_cache, ["127.0.0.1:1", "127.0.0.1:2"], OPTIONS=GIVES_UP)
    fail_once(cache)
    backend = PyMemcacheBackend("default", cache)
    assert backend.dead_servers() == ("127.0.0.1:1", "127.0.0.1:2")
    (reading,) = read(backend, "key")
    assert isinstance(reading, Failed)


def test_what_another_thread_has_given_up_counts(make_cache: Callable[..., BaseCache]) -> None:
    location = ["127.0.0.1:1", "127.0.0.1:2"]
    other, _ = backend_at(make_cache, location, OPTIONS=GIVES_UP)
    fail_once(other)
    live.remember("threaded", other)
    cache, _ = backend_at(make_cache, location, OPTIONS=GIVES_UP)
    assert len(PyMemcacheBackend("threaded", cache).dead_servers()) == 2
    assert PyMemcacheBackend("default", cache).dead_servers() == ()
    del other
    assert PyMemcacheBackend("threaded", cache).dead_servers() == ()


@pytest.mark.parametrize(
    ("options", "flags", "reason"),
    [
        ({"serde": OtherSerde()}, 0, f"unknown serde {__name__}.OtherSerde"),
        ({"serializer": str, "deserializer": str}, 0, "unknown serializer functions"),
        ({}, 64, "unknown flags 64"),
        ({}, serdes.FLAG_INTEGER, "the value does not fit its flags"),
        ({}, serdes.FLAG_TEXT, "the value does not fit its flags"),
        (
            {"serde": serdes.CompressedSerde()},
            serdes.FLAG_COMPRESSED,
            "the compressed data is damaged",
        ),
        (
            {"serde": serdes.CompressedSerde(decompress=bytes)},
            serdes.FLAG_COMPRESSED,
            "unknown compression",
        ),
    ],
)
def test_what_cannot_be_told_is_named_and_not_guessed(
    make_cache: Callable[..., BaseCache], options: dict[str, Any], flags: int, reason: str
) -> None:
    _, backend = backend_at(make_cache, "127.0.0.1:1", OPTIONS=options)
    with pytest.raises(InertUnreadable) as caught:
        backend.payload(Stored(value=b"\xff\xfe", flags=flags, expires_at=None))
    assert caught.value.reason == reason


def test_a_bomb_is_too_large_and_not_inflated(
    make_cache: Callable[..., BaseCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflate, "MAX_INFLATED_BYTES", 1000)
    serde = serdes.CompressedSerde()
    _, backend = backend_at(make_cache, "127.0.0.1:1", OPTIONS={"serde": serde})
    value, flags = serde.serialize("key", b"x" * 2000)
    with pytest.raises(InertTooLarge):
        backend.payload(Stored(value=value, flags=flags, expires_at=None))


def test_codec_tells_serde_and_its_options(make_cache: Callable[..., BaseCache]) -> None:
    _, plain = backend_at(make_cache, "127.0.0.1:1")
    serde = serdes.CompressedSerde(serde=serdes.PickleSerde(2))
    _, compressed = backend_at(make_cache, "127.0.0.1:1", OPTIONS={"serde": serde})
    assert plain.codec() == (
        ("serde", "pymemcache.serde.PickleSerde"),
        ("pickle_protocol", str(pickle.HIGHEST_PROTOCOL)),
    )
    assert compressed.codec() == (
        ("serde", "pymemcache.serde.CompressedSerde"),
        ("compress", "zlib.compress"),
        ("min_compress_len", "400"),
        ("inner_serde", "pymemcache.serde.PickleSerde"),
        ("pickle_protocol", "2"),
    )


def test_settings_keep_order_and_spelling_of_the_servers(
    make_cache: Callable[..., BaseCache],
) -> None:
    location = ["localhost:11211", "127.0.0.1:11211", "unix:/run/memcached.sock"]
    _, backend = backend_at(make_cache, location, OPTIONS={"ignore_exc": True, "timeout": 3})
    assert backend.settings() == (
        ("servers", "localhost:11211, 127.0.0.1:11211, unix:/run/memcached.sock"),
        ("hasher", "pymemcache.client.rendezvous.RendezvousHash"),
        ("OPTIONS.allow_unicode_keys", "True"),
        ("OPTIONS.default_noreply", "False"),
        ("OPTIONS.ignore_exc", "True"),
        ("OPTIONS.timeout", "3"),
    )
    with closing(backend.store()) as store:
        assert store.identity().grade == "unobserved"


def test_a_client_of_another_kind_and_an_empty_list_are_unsupported_with_a_reason(
    make_cache: Callable[..., BaseCache],
) -> None:
    cache, foreign = backend_at(make_cache, "127.0.0.1:1")
    cache._class = lambda _servers, **_options: object()
    _, empty = backend_at(make_cache, [])
    for backend, reason in (
        (foreign, "its client is not derived from pymemcache's HashClient"),
        (empty, "no server is configured"),
    ):
        with closing(backend.store()) as store:
            capabilities = store.capabilities()
            assert backend.server_counters(store) is None
        assert (capabilities.can_read, capabilities.reasons) == (False, (reason,))
        assert backend.routing(["probe"]) == ()
