"""The shard and herd clients of django-redis, and of django-valkey, which has the same ones."""

from __future__ import annotations

import pickle
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from cachecheck.agent.backends.django_redis import DjangoRedisBackend
from cachecheck.agent.backends.django_valkey import DjangoValkeyBackend
from cachecheck.agent.backends.herd import unwrapped
from cachecheck.errors import StoreError
from cachecheck.model import Failed, Missing
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cachecheck.stores.base import Batch, Store
    from harness.redis import RedisServer

KEYS = [f"key:{number}" for number in range(60)]
VALUES = [7, "text", None, ["x"] * 200, {"a": (1, 2)}, b"y" * 70_000, {"k": "z" * 70_000, "n": 1}]


class Library(NamedTuple):
    package: str
    cache: str
    backend: type[DjangoRedisBackend]

    def client(self, name: str) -> str:
        return f"{self.package}.client.{name}"


LIBRARIES = [
    Library("django_redis", "django_redis.cache.RedisCache", DjangoRedisBackend),
    Library("django_valkey", "django_valkey.cache.ValkeyCache", DjangoValkeyBackend),
]


class Looked(NamedTuple):
    cache: Any
    backend: DjangoRedisBackend


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.package)
def library(request: pytest.FixtureRequest) -> Library:
    found: Library = request.param
    return found


@pytest.fixture
def look(make_cache: Callable[..., Any], library: Library) -> Iterator[Callable[..., Looked]]:
    """Make a cache with one of the clients, and look at it; its pools are dropped at the end."""
    made: list[Any] = []

    def looked(client: str, location: str | list[str], **params: Any) -> Looked:
        options = {"CLIENT_CLASS": library.client(client), **params.pop("OPTIONS", {})}
        cache = make_cache(library.cache, location, OPTIONS=options, **params)
        made.append(cache)
        return Looked(cache, library.backend("default", cache))

    yield looked
    for cache in made:
        pools = cache.client.connection_factory._pools  # noqa: SLF001
        for url in list(pools):
            pools.pop(url).disconnect()


def always() -> bool:
    return True


def all_of_them(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return {key: key for key in keys}


def read(looked: Looked, *keys: str) -> list[Any]:
    with closing(looked.backend.store()) as store:
        return list(store.read([looked.backend.stored_key(key) for key in keys], always))


def scanned(store: Store) -> tuple[list[str], int]:
    """List the store to its end: the keys, and how many were foreign."""
    keys: list[str] = []
    foreign, cursor = 0, None
    while True:
        page = store.scan(cursor, always)
        keys += page.keys
        foreign += page.foreign
        cursor = page.cursor
        if cursor is None:
            return keys, foreign


def walked(looked: Looked) -> list[Batch]:
    """Walk the store to its end, each batch in another store that begins at the cursor."""
    batches: list[Batch] = []
    cursor = None
    while True:
        with closing(looked.backend.store()) as store:
            batches.append(next(iter(store.walk(cursor, all_of_them, always))))
        cursor = batches[-1].cursor
        if cursor is None:
            return batches


# --- shards --------------------------------------------------------------------------------


@pytest.fixture
def shards(start_redis: Callable[..., RedisServer]) -> list[RedisServer]:
    return [start_redis(), start_redis()]


def test_each_key_is_read_where_the_shard_client_put_it(
    look: Callable[..., Looked], shards: list[RedisServer]
) -> None:
    looked = look("ShardClient", [shard.url for shard in shards])
    keys = [*KEYS, "{tag}:1", "{tag}:2"]
    for key in keys:
        looked.cache.set(key, key, 600)
    routing = dict(looked.backend.routing(keys))
    assert set(routing.values()) == {shard.url for shard in shards}
    assert routing["{tag}:1"] == routing["{tag}:2"]
    for shard in shards:
        with shard.client() as client:
            stored = {key.decode() for key in client.scan_iter()}
        assert stored == {f":1:{key}" for key, url in routing.items() if url == shard.url}
    readings = read(looked, *keys, "absent")
    assert [pickle.loads(looked.backend.payload(one).raw) for one in readings[:-1]] == keys
    assert readings[-1] == Missing()
    assert readings[0].expires_at == pytest.approx(time.time() + 600, abs=5)


def test_shards_are_one_store_that_is_listed_walked_and_counted(
    look: Callable[..., Looked], shards: list[RedisServer]
) -> None:
    looked = look("ShardClient", [shard.url for shard in shards])
    for key in KEYS:
        looked.cache.set(key, "value")
    stored = {f":1:{key}" for key in KEYS}
    lost = next(key for key, url in looked.backend.routing(KEYS) if url == shards[0].url)
    with shards[1].client() as client:
        client.set(f":1:{lost}", "left behind by another division")
    with closing(looked.backend.store()) as store:
        identity, capabilities = store.identity(), store.capabilities()
        keys, foreign = scanned(store)
        counters = looked.backend.server_counters(store)
        with pytest.raises(StoreError, match="not a cursor"):
            store.scan("7:0", always)
    assert (sorted(keys), foreign) == (sorted(stored), 1)
    batches = walked(looked)
    assert sorted(key.decode() for batch in batches for key in batch.names) == sorted(stored)
    assert sum(batch.foreign for batch in batches) == 1
    assert sum(batch.scanned for batch in batches) == len(KEYS) + 1
    assert identity.grade == "observed"
    assert [label for label, _ in identity.servers] == [shard.url for shard in shards]
    assert len({told for _, told in identity.servers}) == 2
    assert (capabilities.can_read, capabilities.entries) == (True, len(KEYS) + 1)
    assert counters is not None
    assert counters.server.count(",") == 1


def test_two_databases_of_one_server_are_counted_once(
    look: Callable[..., Looked], redis_server: RedisServer
) -> None:
    server = redis_server.url.removesuffix("0")
    looked = look("ShardClient", [f"{server}1", f"{server}2"])
    for key in KEYS:
        looked.cache.set(key, "value")
    read(looked, *KEYS, "absent")
    with closing(looked.backend.store()) as store, redis_server.client() as client:
        counters = looked.backend.server_counters(store)
        hits = client.info("stats")["keyspace_hits"]
    assert counters is not None
    assert counters.hits == hits
    assert counters.own_hits >= len(KEYS)
    assert counters.own_misses >= 1


def test_shards_in_another_order_are_the_same_store(
    look: Callable[..., Looked], shards: list[RedisServer]
) -> None:
    urls = [shard.url for shard in shards]
    one, other = look("ShardClient", urls), look("ShardClient", urls[::-1])
    with closing(one.backend.store()) as store, closing(other.backend.store()) as again:
        assert store.identity().token == again.identity().token
    assert one.backend.routing(KEYS) == other.backend.routing(KEYS)


def test_a_shard_that_is_down_is_a_failure_and_no_miss(
    look: Callable[..., Looked], shards: list[RedisServer]
) -> None:
    looked = look("ShardClient", [shard.url for shard in shards])
    shards[1].stop()
    routing = dict(looked.backend.routing(KEYS))
    for key, reading in zip(KEYS, read(looked, *KEYS), strict=True):
        if routing[key] == shards[0].url:
            assert reading == Missing()
        else:
            assert isinstance(reading, Failed)
            assert reading.reason == "unreachable"
    with closing(looked.backend.store()) as store:
        identity = store.identity()
        assert looked.backend.server_counters(store) is None
    assert (identity.grade, identity.reason) == (
        "unobserved",
        f"{shards[1].url}: connection refused",
    )


def test_probing_shards_makes_no_pool_for_the_application_and_no_secret_shows(
    look: Callable[..., Looked], shards: list[RedisServer]
) -> None:
    urls = [shard.url.replace("redis://", "redis://:hunter2@") for shard in shards]
    looked = look("ShardClient", urls)
    pools = looked.cache.client.connection_factory._pools  # noqa: SLF001
    before = dict(pools)
    read(looked, *KEYS[:3])
    with closing(looked.backend.store()) as store:
        said = store.identity(), store.capabilities(), looked.backend.routing(KEYS)
    assert dict(pools) == before
    assert all(not pool._available_connections for pool in pools.values())  # noqa: SLF001
    assert "hunter2" not in repr((said, looked.backend.settings(), looked.backend.codec()))


def test_shards_that_differ_in_their_password_alone_have_labels_of_their_own(
    look: Callable[..., Looked],
) -> None:
    looked = look("ShardClient", ["redis://:one@h:1/0", "redis://:two@h:1/0", "redis://h:2/0"])
    assert {label for _, label in looked.backend.routing(KEYS)} == {
        "redis://h:1/0",
        "redis://h:1/0#2",
        "redis://h:2/0",
    }
    single = look("ShardClient", ["redis://h:1/0"])
    assert single.backend.routing(KEYS) == ()


# --- herds ---------------------------------------------------------------------------------


def test_what_a_herd_client_wrapped_is_told_without_its_wrapping(
    look: Callable[..., Looked], redis_server: RedisServer
) -> None:
    looked = look("HerdClient", redis_server.url)
    for number, value in enumerate(VALUES):
        looked.cache.set(f"herd:{number}", value, 600)
        looked.cache.set(f"stays:{number}", value, None)
    for kind in ("herd", "stays"):
        readings = read(looked, *(f"{kind}:{number}" for number in range(len(VALUES))))
        assert [pickle.loads(looked.backend.payload(one).raw) for one in readings] == VALUES
    assert dict(looked.backend.settings())["herd_timeout"] == "60"


def test_an_entry_of_a_herd_client_ends_when_the_application_has_it_end(
    look: Callable[..., Looked], redis_server: RedisServer
) -> None:
    looked = look("HerdClient", redis_server.url)
    looked.cache.set("key", "value", 600)
    looked.cache.set("stays", "value", None)
    ends, stays = read(looked, "key", "stays")
    assert ends.expires_at == pytest.approx(time.time() + 600, abs=5)
    assert stays.expires_at is None
    with redis_server.client() as client:
        assert client.ttl(":1:key") == pytest.approx(660, abs=5)
    (batch,) = walked(looked)
    expiries = dict(zip(batch.names, batch.expiries_ms, strict=True))
    assert expiries[b":1:key"] / 1000 == pytest.approx(ends.expires_at, abs=0.1)
    assert expiries[b":1:stays"] == NEVER
    with closing(looked.backend.store()) as store:
        assert store.identity().grade == "observed"
        assert store.capabilities().can_read
        assert store.scan(None, always).keys
        assert looked.backend.server_counters(store) is not None


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("ends", [1_900_000_000, 1_900_000_000.5, 5_000_000_000])
def test_wrapping_is_told_from_a_value_by_its_marker_alone(protocol: int, ends: float) -> None:
    from django_redis.client.herd import Marker  # noqa: PLC0415
    from django_valkey.base_client import Marker as Other  # noqa: PLC0415

    for marker in (Marker(), Other()):
        for value in [*VALUES, ("Marker", type(marker).__module__)]:
            wrapped = pickle.dumps((marker, value, ends), protocol=protocol)
            assert pickle.loads(unwrapped(wrapped)) == value
            assert len(unwrapped(wrapped)) == len(wrapped)
            bare = pickle.dumps(("marker", value, ends), protocol=protocol)
            assert unwrapped(bare) == bare
    assert unwrapped(b"") == b""
