"""What servers say of evictions, expirations and limits."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import redis

from cachecheck.stores.memcached import Endpoint, MemcachedStore
from cachecheck.stores.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.model import ServerCounters
    from harness.memcached import MemcachedServer
    from harness.redis import RedisServer


def redis_counters(server: RedisServer) -> ServerCounters:
    store = RedisStore(lambda: redis.Redis.from_url(server.url), address=server.url)
    with closing(store):
        counted = store.counters()
    assert counted is not None
    return counted


def memcached_counters(*servers: MemcachedServer) -> ServerCounters:
    endpoints = [Endpoint(label=each.address, host=each.host, port=each.port) for each in servers]
    store = MemcachedStore(endpoints, lambda _key: endpoints[0].label)
    with closing(store):
        counted = store.counters()
    assert counted is not None
    return counted


def fill(server: MemcachedServer, entries: int, size_bytes: int) -> None:
    value = b"x" * size_bytes
    commands = b"".join(
        b"set k%d 0 0 %d noreply\r\n%s\r\n" % (number, size_bytes, value)
        for number in range(entries)
    )
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(commands + b"mn\r\n")
        assert connection.recv(100) == b"MN\r\n"


def test_a_redis_tells_what_it_evicted_what_expired_and_its_limits(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(
        extra_args=["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru", "--hz", "100"]
    )
    with server.client() as client:
        client.set("soon", "gone", px=1)
        time.sleep(0.01)
        client.get("soon")
        pipeline = client.pipeline(transaction=False)
        for number in range(2_000):
            pipeline.set(f"k{number}", "x" * 2_000)
        pipeline.execute()
    counted = redis_counters(server)
    assert counted.evictions
    assert counted.expirations == 1
    assert dict(counted.limits) == {
        "maxmemory": str(3 << 20), "maxmemory_policy": "allkeys-lru"
    }  # fmt: skip


def test_a_redis_that_was_restarted_is_another_server(
    start_redis: Callable[..., RedisServer],
) -> None:
    one, other = redis_counters(start_redis()), redis_counters(start_redis())
    assert one.server != other.server
    assert (one.evictions, one.expirations) == (0, 0)


def test_memcached_tells_which_sizes_it_evicts(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    full, empty = start_memcached(extra_args=["-m", "2"]), start_memcached(extra_args=["-m", "2"])
    fill(full, 2_000, 5_000)
    counted = memcached_counters(full, empty)
    assert counted.evictions
    ((where, evicted),) = counted.evicted
    assert where.startswith(f"{full.address}, up to ")
    assert evicted == counted.evictions
    assert dict(counted.limits) == {"maxbytes": str(2 << 20), "evictions": "on"}


def test_limits_that_differ_are_told_alike_in_whatever_order_the_servers_stand(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    small, strict = start_memcached(extra_args=["-m", "2"]), start_memcached(extra_args=["-M"])
    limits = memcached_counters(small, strict).limits
    assert dict(limits) == {"maxbytes": f"{2 << 20}, {16 << 20}", "evictions": "on, off"}
    assert memcached_counters(strict, small).limits == limits
