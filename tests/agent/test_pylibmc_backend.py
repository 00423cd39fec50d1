from __future__ import annotations

import pickle
import random
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pymemcache.client.base import Client

from cachecheck.errors import InertUnreadable, StoreUnsupported
from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored
from harness.process import free_port

pylibmc = pytest.importorskip("pylibmc", reason="there is no wheel of pylibmc for this Python")

from cachecheck.agent.backends.pylibmc import PyLibMCBackend  # noqa: E402  it imports pylibmc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.core.cache.backends.base import BaseCache

    from harness.memcached import MemcachedServer

DJANGO = "django.core.cache.backends.memcached.PyLibMCCache"
VALUES = [7, -1, 1 << 80, "text", "ключ", b"bytes", {"a": [1, 2.5]}, None, "long " * 300]
KEYS = [f"key:{number}" for number in range(120)]
DIVIDING = [
    {},
    {"hash": "md5"},
    {"ketama": True},
    {"ketama": True, "hash": "md5"},
    {"distribution": "consistent"},
    {"ketama_weighted": True},
    {"distribution": "consistent weighted"},
]
PASSWORD = "hunter2-very-secret"


class OwnClient(pylibmc.Client):  # type: ignore[misc, name-defined]
    def deserialize(self, value: bytes, flags: int) -> object:
        return value, flags


def always() -> bool:
    return True


def backend_at(
    make_cache: Callable[..., BaseCache], location: str | list[str], **params: Any
) -> tuple[Any, PyLibMCBackend]:
    cache = make_cache(DJANGO, location, **params)
    return cache, PyLibMCBackend("default", cache)


def read(backend: PyLibMCBackend, *keys: str) -> list[Any]:
    with closing(backend.store()) as store:
        return list(store.read([backend.stored_key(key) for key in keys], always))


def servers_of(addresses: Sequence[str], keys: Sequence[str]) -> dict[str, list[str]]:
    """Ask every server which of the keys it has."""
    found: dict[str, list[str]] = {key: [] for key in keys}
    for address in addresses:
        with closing(Client(address)) as client:
            for stored in client.get_many([f":1:{key}" for key in keys]):
                found[stored.removeprefix(":1:")].append(address)
    return found


def test_what_the_application_wrote_is_read_as_a_pickle(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer
) -> None:
    cache, backend = backend_at(make_cache, memcached_server.address)
    for number, value in enumerate(VALUES):
        cache.set(f"key:{number}", value, 600)
    readings = read(backend, *(f"key:{number}" for number in range(len(VALUES))))
    assert [pickle.loads(backend.payload(reading)) for reading in readings] == VALUES
    assert readings[0].expires_at == pytest.approx(time.time() + 600, abs=2)
    assert [cache.get(f"key:{number}") for number in range(len(VALUES))] == VALUES


def test_what_the_client_compressed_is_read_as_a_pickle(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer
) -> None:
    cache, backend = backend_at(make_cache, memcached_server.address)
    for key, value in (("text", "long " * 500), ("list", ["long"] * 500)):
        cache._cache.set(f":1:{key}", value, min_compress_len=9)  # noqa: SLF001
        (reading,) = read(backend, key)
        assert len(reading.value) < 100
        assert pickle.loads(backend.payload(reading)) == value


@pytest.mark.parametrize("behaviors", DIVIDING, ids=str)
def test_keys_go_where_libmemcached_sends_them(
    make_cache: Callable[..., BaseCache],
    start_memcached: Callable[..., MemcachedServer],
    behaviors: dict[str, Any],
) -> None:
    servers = [start_memcached().address for _ in range(2)]
    # the names of servers are hashed without their port where it is 11211
    servers.append(start_memcached(host=f"127.{random.randint(2, 250)}.7.9", port=11211).address)
    cache, backend = backend_at(make_cache, servers, OPTIONS={"behaviors": behaviors})
    cache.set_many(dict.fromkeys(KEYS, "value"))
    routing = dict(backend.routing(KEYS))
    assert servers_of(servers, KEYS) == {key: [routing[key]] for key in KEYS}
    assert set(routing.values()) == set(servers)
    assert all(isinstance(reading, Stored) for reading in read(backend, *KEYS))
    with closing(backend.store()) as store:
        assert len(store.scan(None, always).keys) == len(KEYS)
        counters = backend.server_counters(store)
    assert counters is not None
    assert counters.hits >= len(KEYS)


def test_the_default_hashing_follows_the_order_of_the_list_and_ketama_does_not(
    make_cache: Callable[..., BaseCache],
) -> None:
    servers = [f"10.0.0.{number}:11211" for number in range(1, 4)]
    for behaviors, is_equal in (({}, False), ({"ketama": True}, True)):
        options = {"behaviors": behaviors}
        _, one = backend_at(make_cache, servers, OPTIONS=options)
        _, other = backend_at(make_cache, servers[::-1], OPTIONS=options)
        assert (one.routing(KEYS) == other.routing(KEYS)) is is_equal


def test_the_applications_own_connections_are_not_used(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer
) -> None:
    cache, backend = backend_at(make_cache, memcached_server.address)
    cache.set("key", "value")
    own = cache._cache  # noqa: SLF001
    before = memcached_server.ask("stats").count("STAT")
    assert [type(one) for one in read(backend, "key", "absent")] == [Stored, Missing]
    assert cache._cache is own  # noqa: SLF001
    assert cache.get("key") == "value"
    assert before


def test_a_server_that_is_down_is_a_failure_and_no_miss(
    make_cache: Callable[..., BaseCache], memcached_server: MemcachedServer
) -> None:
    down = f"127.0.0.1:{free_port()}"
    _, backend = backend_at(make_cache, [memcached_server.address, down])
    routing = dict(backend.routing(KEYS))
    for key, reading in zip(KEYS, read(backend, *KEYS), strict=True):
        refused = Failed(reason="unreachable", detail=f"{down}: connection refused")
        assert reading == (refused if routing[key] == down else Missing())


@pytest.mark.parametrize(
    ("behaviors", "servers", "reason"),
    [
        ({"hash": "crc"}, ["h:1", "h:2"], "libmemcached's hash crc is not known"),
        (
            {"ketama": True},
            ["h:1:2", "h:2"],
            "servers of different weights are not known",
        ),
        (
            {"ketama": True},
            ["/run/one.sock", "/run/two.sock"],
            "how libmemcached hashes the name of a socket is not known",
        ),
        (
            {"auto_eject": True},
            ["h:1", "h:2"],
            "what auto_eject does to the division of keys is not known",
        ),
    ],
)
def test_a_division_that_is_not_known_is_said_and_entries_are_not_read(
    make_cache: Callable[..., BaseCache],
    behaviors: dict[str, Any],
    servers: list[str],
    reason: str,
) -> None:
    _, backend = backend_at(make_cache, servers, OPTIONS={"behaviors": behaviors})
    assert backend.routing_unknown() == reason
    assert backend.routing(KEYS) == ()
    with closing(backend.store()) as store:
        capabilities, identity = store.capabilities(), store.identity()
        assert (capabilities.can_read, capabilities.reasons) == (False, (reason,))
        with pytest.raises(StoreUnsupported, match="not known"):
            list(store.read([":1:key"], always))
    assert [label for label, _ in identity.servers] == [
        server.removesuffix(":2") if "/" not in server and server.count(":") > 1 else server
        for server in servers
    ]


def test_one_server_needs_no_division(make_cache: Callable[..., BaseCache]) -> None:
    _, backend = backend_at(make_cache, "h", OPTIONS={"behaviors": {"hash": "crc"}})
    assert backend.routing_unknown() is None
    assert backend.routing(KEYS) == ()
    assert backend.labels() == ("h:11211",)


def test_servers_that_are_asked_over_udp_are_not_read(
    make_cache: Callable[..., BaseCache],
) -> None:
    _, backend = backend_at(make_cache, "udp:h:1")
    with closing(backend.store()) as store:
        assert store.capabilities().reasons == ("servers are asked over UDP, which is not read",)
        assert backend.server_counters(store) is None
    assert backend.routing(KEYS) == ()


def test_servers_that_ask_for_credentials_are_known_by_name_and_not_asked(
    make_cache: Callable[..., BaseCache],
) -> None:
    options = {"binary": True, "username": "site", "password": PASSWORD}
    _, backend = backend_at(make_cache, ["h:1", "h:2"], OPTIONS=options)
    with closing(backend.store()) as store:
        identity, capabilities = store.identity(), store.capabilities()
    reason = "servers that ask for SASL credentials are not read"
    assert (capabilities.can_read, capabilities.reasons) == (False, (reason,))
    assert (identity.grade, identity.servers) == ("unobserved", (("h:1", ""), ("h:2", "")))
    assert set(dict(backend.routing(KEYS)).values()) == {"h:1", "h:2"}


def test_a_client_of_another_kind_is_unsupported(make_cache: Callable[..., BaseCache]) -> None:
    cache, backend = backend_at(make_cache, "h:1")
    cache._class = lambda _servers, **_options: object()  # noqa: SLF001
    with closing(backend.store()) as store:
        (reason,) = store.capabilities().reasons
    assert reason == "its client is not derived from pylibmc's Client"
    assert dict(backend.codec())["serializer"].endswith("<lambda>")
    assert dict(backend.settings())["servers"] == "h:1"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (64, "unknown flags 64"),
        (4, "the value does not fit its flags"),
        (16, "the value does not fit its flags"),
        (8, "the compressed data is damaged"),
    ],
)
def test_what_cannot_be_told_is_named_and_not_guessed(
    make_cache: Callable[..., BaseCache], flags: int, reason: str
) -> None:
    cache, backend = backend_at(make_cache, "h:1")
    stored = Stored(value=b"\xff\xfe", flags=flags, expires_at=None)
    with pytest.raises(InertUnreadable) as caught:
        backend.payload(stored)
    assert caught.value.reason == reason
    cache._class = OwnClient  # noqa: SLF001
    with pytest.raises(InertUnreadable, match="unknown deserialize function"):
        PyLibMCBackend("default", cache).payload(stored)


def test_settings_and_codec_tell_what_decides_and_no_secret(
    make_cache: Callable[..., BaseCache],
) -> None:
    options = {
        "binary": True,
        "username": "site",
        "password": PASSWORD,
        "behaviors": {"ketama": True, "pickle_protocol": 4, "connect_timeout": 50},
    }
    _, backend = backend_at(make_cache, ["h:1", "h:2"], OPTIONS=options)
    assert backend.settings() == (
        ("servers", "h:1, h:2"),
        ("behaviors.connect_timeout", "50"),
        ("behaviors.distribution", "consistent ketama"),
        ("behaviors.hash", "default"),
        ("behaviors.ketama", "True"),
        ("behaviors.ketama_weighted", "0"),
        ("behaviors.pickle_protocol", "4"),
        ("OPTIONS.binary", "True"),
        ("OPTIONS.password", "set"),
        ("OPTIONS.username", "set"),
    )
    assert backend.codec() == (("serializer", "pylibmc.client.Client"), ("pickle_protocol", "4"))
    _, plain = backend_at(make_cache, ["h:1"])
    assert dict(plain.codec())["pickle_protocol"] == str(pickle.HIGHEST_PROTOCOL)
