"""Reads of ours, known apart from those of a server's other clients."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import redis

from cachecheck.stores.memcached import Endpoint, MemcachedStore
from cachecheck.stores.own_reads import OwnReads
from cachecheck.stores.redis import RedisStore

if TYPE_CHECKING:
    from cachecheck.model import ServerCounters
    from cachecheck.stores.base import Batch, Store
    from harness.memcached import MemcachedServer
    from harness.redis import RedisServer


def always() -> bool:
    return True


def walked(store: Store) -> list[Batch]:
    return list(store.walk(None, lambda keys: {key: key for key in keys}, always))


def others(counted: ServerCounters | None) -> tuple[int, int]:
    """What the server counted of all its other clients."""
    assert counted is not None
    return counted.hits - counted.own_hits, counted.misses - counted.own_misses


def redis_at(server: RedisServer, ledger: OwnReads, *, host: str, db: int = 0) -> RedisStore:
    url = f"redis://{host}:{server.port}/{db}"
    return RedisStore(lambda: redis.Redis.from_url(url), address=url, ledger=ledger)


def test_reads_of_all_stores_of_a_process_are_known_apart(redis_server: RedisServer) -> None:
    ledger = OwnReads()
    with redis_server.client() as client:
        for number in range(50):
            client.set(f"k{number}", "value")
        client.lpush("list", "element")
        client.get("k1")
        client.get("nothing")
    with closing(redis_at(redis_server, ledger, host="127.0.0.1")) as store:
        store.counters()
        list(store.read(["k1", "nothing", "list"], always))
        walked(store)
    with closing(redis_at(redis_server, ledger, host="localhost", db=3)) as store:
        assert others(store.counters()) == (1, 1)
        list(store.read(["nothing", "neither"], always))
        assert others(store.counters()) == (1, 1)
    with closing(redis_at(redis_server, OwnReads(), host="127.0.0.1")) as stranger:
        hits, misses = others(stranger.counters())
        assert hits > 100
        assert misses > 4


def test_reads_of_memcached_are_known_apart(memcached_server: MemcachedServer) -> None:
    ledger = OwnReads()
    for number in range(50):
        memcached_server.ask(f"set k{number} 0 0 5\r\nvalue")
    memcached_server.ask("get k1")
    memcached_server.ask("get nothing")
    endpoint = Endpoint(label="one", host=memcached_server.host, port=memcached_server.port)
    for _ in range(2):
        with closing(MemcachedStore([endpoint], lambda _key: "one", ledger=ledger)) as store:
            list(store.read(["k1", "nothing"], always))
            walked(store)
            assert others(store.counters()) == (1, 1)


def test_reads_are_of_one_server_whatever_it_is_called() -> None:
    ledger = OwnReads()
    ledger.add("localhost", 3, 1)
    ledger.add("127.0.0.1", 4, 0)
    ledger.add("elsewhere", 9, 9)
    assert ledger.of("localhost", "run-a") == (3, 1)
    assert ledger.of("elsewhere", "run-b") == (9, 9)
    assert ledger.of("127.0.0.1", "run-a") == (7, 1)
    ledger.reset()
    assert ledger.of("localhost", "run-a") == (0, 0)
