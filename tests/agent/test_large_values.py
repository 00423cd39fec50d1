"""Values that are large: within the node's bounds, or too large to say, and never harmful."""

from __future__ import annotations

import pickle
import tracemalloc
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from cachecheck.agent import conf, read
from cachecheck.agent.backends.locmem import LocMemBackend
from cachecheck.agent.backends.redis import RedisBackend
from cachecheck.agent.budget import Budget
from cachecheck.model import Failed, Key, Present
from cachecheck.wire import Read

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.backends.base import Backend
    from cachecheck.model import Reading
    from harness.redis import RedisServer

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
DENSE = [{"id": n, "name": f"name {n}", "tags": [n, n + 1]} for n in range(4_000)]


def readings(backend: Backend, *names: str, **chosen: Any) -> tuple[Reading, ...]:
    with override_settings(CACHECHECK={"SECRET": "s" * 40, **chosen}):
        loaded = conf.load()
    request = Read(
        run="r",
        cache="default",
        seed="00" * 16,
        keys=tuple(Key(name=name) for name in names),
        with_structure=True,
        tree_under=(),
    )
    return read.read(backend, request, loaded, Budget(loaded.budget_seconds))


def peak_of(backend: Backend, *names: str) -> tuple[tuple[Reading, ...], int]:
    readings(backend, "nothing")  # what is imported on first need
    tracemalloc.start()
    try:
        found = readings(backend, *names)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def local(make_cache: Callable[..., Any]) -> Backend:
    return LocMemBackend("default", make_cache(LOCMEM, uuid.uuid4().hex))


def test_a_hundred_megabytes_in_a_process_are_too_large_and_not_copied(local: Backend) -> None:
    local.cache.set("huge", b"x" * (100 << 20))
    local.cache.set("small", 1)
    (huge, small), peak_bytes = peak_of(local, "huge", "small")
    assert isinstance(huge, Failed)
    assert huge.reason == "too-large"
    assert isinstance(small, Present)
    assert small.structure
    assert peak_bytes < 1_000_000


def test_a_hundred_megabytes_in_a_redis_are_too_large_and_not_fetched(
    make_cache: Callable[..., Any], redis_server: RedisServer
) -> None:
    cache = make_cache(REDIS, redis_server.url)
    cache.set("small", [1])
    with redis_server.client() as client:
        client.setrange(":1:huge", (100 << 20) - 1, b"x")
    (huge, small), peak_bytes = peak_of(RedisBackend("default", cache), "huge", "small")
    assert isinstance(huge, Failed)
    assert huge.reason == "too-large"
    assert isinstance(small, Present)
    assert small.structure
    assert peak_bytes < 2_000_000
    cache.close()


def test_a_value_over_the_budget_is_told_where_it_comes_first(local: Backend) -> None:
    assert len(pickle.dumps(DENSE)) > 100_000
    local.cache.set("dense", DENSE)
    local.cache.set("dense2", DENSE)
    found = readings(local, "dense", "dense2", BUDGET_MS=5, VALUE_MS=10_000)
    assert len(found) == 1  # the other one is left for the next request, where it is the first
    (dense,) = found
    assert isinstance(dense, Present)
    assert dense.structure
    assert dense.tree


def test_a_value_over_its_own_bound_is_too_large_to_say(local: Backend) -> None:
    local.cache.set("dense", DENSE)
    (dense,) = readings(local, "dense", BUDGET_MS=1, VALUE_MS=1)
    assert isinstance(dense, Present)
    assert dense.structure is None
    assert dense.structure_unknown == "work budget spent"
    assert dense.unreadable == ()
