"""What is counted of which call, with every backend that can be counted."""

from __future__ import annotations

import asyncio
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import CacheHandler
from django.utils.module_loading import import_string

from cachecheck.agent import counters
from cachecheck.agent.caches import backend_of
from cachecheck.agent.counting.calls import TOLD
from cachecheck.agent.counting.libraries import library_of, traits_of
from counted import (
    DATABASE,
    DISKCACHE,
    DJANGO_REDIS,
    DJANGO_VALKEY,
    DUMMY,
    FILEBASED,
    KEEPING,
    LOCMEM,
    PYMEMCACHE,
    REDIS,
    Counted,
    Servers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cachecheck.model import Counters

NOBODY = {REDIS: "redis://127.0.0.1:1", DJANGO_REDIS: "redis://127.0.0.1:1"} | {
    DJANGO_VALKEY: "valkey://127.0.0.1:1",
    PYMEMCACHE: "127.0.0.1:1",
}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheHandler, "create_connection", CacheHandler.create_connection)
    counters.install()


@pytest.fixture(name="counted")
def _counted(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Counted]:
    location = servers.location(request.param)
    counted = Counted(request.param, location, KEY_PREFIX=uuid.uuid4().hex)
    yield counted
    counted.cache.clear()
    counted.cache.close()


def every(*backends: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("counted", backends, indirect=True)


def but(*backends: str) -> list[str]:
    return [backend for backend in KEEPING if backend not in backends]


def numbers(counted: Counters) -> dict[str, int]:
    names = ("hits", "misses", "sets", "deletes", "errors")
    return {name: getattr(counted, name) for name in names if getattr(counted, name)}


# --- looks and writes ----------------------------------------------------------------------


@every(*KEEPING)
def test_a_cached_none_or_zero_is_a_hit(counted: Counted) -> None:
    for number, value in enumerate((None, 0, False, "")):
        counted.cache.set(f"k{number}", value)
        assert counted.cache.get(f"k{number}", "default") == value
    assert counted.cache.get("none") is None
    assert counted.cache.get("none", "default") == "default"
    assert numbers(counted.counted()) == {"hits": 4, "misses": 2, "sets": 4}


@every(*KEEPING)
def test_every_way_to_look_is_counted_once(counted: Counted) -> None:
    cache = counted.cache
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_many(["a", "b", "a", "c"]) == {"a": 1, "b": 2}
    assert numbers(counted.counted()) == {"hits": 3, "misses": 1, "sets": 2}
    assert "a" in cache
    assert not cache.has_key("c")
    assert numbers(counted.counted()) == {"hits": 4, "misses": 2, "sets": 2}
    assert cache.get_or_set("d", lambda: 4) == 4
    assert cache.get_or_set("d", 5) == 4
    assert numbers(counted.counted()) == {"hits": 5, "misses": 3, "sets": 3}


@every(*but(DJANGO_VALKEY))  # its script asks for a server of Valkey
def test_counting_up_is_a_look_and_a_write(counted: Counted) -> None:
    cache = counted.cache
    cache.set("a", 1)
    assert (cache.incr("a"), cache.decr("a")) == (2, 1)
    assert numbers(counted.counted()) == {"hits": 2, "sets": 3}
    for missing in (cache.incr, cache.decr, cache.incr_version):
        with pytest.raises(ValueError, match="not found"):
            missing("c")
    assert numbers(counted.counted()) == {"hits": 2, "misses": 3, "sets": 3}
    assert cache.incr_version("a") == 2
    assert numbers(counted.counted()) == {"hits": 3, "misses": 3, "sets": 4, "deletes": 1}


@every(*KEEPING)
def test_writes_are_counted_by_key_and_are_no_looks(counted: Counted) -> None:
    cache = counted.cache
    assert cache.add("a", 1)
    assert not cache.add("a", 2)
    cache.set("a", 2)
    assert cache.touch("a", 60)
    assert not cache.touch("none", 60)
    assert numbers(counted.counted()) == {"sets": 2}
    cache.set_many({"b": 1, "c": 2})
    cache.delete_many(["b", "none"])
    cache.delete("c")
    cache.delete("none")
    assert numbers(counted.counted()) == {"sets": 4, "deletes": 4}


@every(*KEEPING)
def test_clearing_is_one_deletion(counted: Counted) -> None:
    counted.cache.set_many({"a": 1, "b": 2})
    counted.cache.clear()
    assert numbers(counted.counted()) == {"sets": 2, "deletes": 1}


@every(*but(DJANGO_VALKEY))  # it goes through its keys twice
def test_keys_may_come_from_an_iterator(counted: Counted) -> None:
    counted.cache.set("a", 1)
    assert counted.cache.get_many(iter(["a", "b"])) == {"a": 1}
    assert counted.cache.get_many(keys=iter(["a", "b"])) == {"a": 1}
    assert numbers(counted.counted()) == {"hits": 2, "misses": 2, "sets": 1}


# The database in memory belongs to one thread; django-valkey has another backend for these.
@every(*but(DATABASE, DJANGO_VALKEY))
def test_asynchronous_methods_are_counted_once(counted: Counted) -> None:
    async def look(cache: Any) -> list[Any]:
        await cache.aset("a", 1)
        await cache.aset_many({"b": 2, "d": 4})
        return [
            await cache.aget("a"),
            await cache.aget("none", "default"),
            await cache.aget_many(["a", "x"]),
            await cache.ahas_key("a"),
            await cache.aget_or_set("c", lambda: 3),
            await cache.aget_or_set("c", 4),
            await cache.aincr("a"),
            await cache.aadd("a", 1),
            await cache.atouch("a"),
            await cache.adelete("a"),
            await cache.adelete_many(["b", "x"]),
        ]

    found = asyncio.run(look(counted.cache))
    assert found[:9] == [1, "default", {"a": 1}, True, 3, 3, 2, False, True]
    assert numbers(counted.counted()) == {"hits": 5, "misses": 3, "sets": 5, "deletes": 3}


def test_dummy_misses_always() -> None:
    counted = Counted(DUMMY)
    assert counted.cache.get_or_set("a", 1) == 1
    assert counted.cache.get_many(["a", "b"]) == {}
    assert "a" not in counted.cache
    assert numbers(counted.counted()) == {"misses": 4, "sets": 1}


@every(DJANGO_REDIS, DISKCACHE)
def test_what_a_library_takes_besides_is_counted_where_it_changes_no_answer(
    counted: Counted,
) -> None:
    counted.cache.set("a", 1)
    extra: dict[str, Any] = {"retry": True}
    if "redis" in type(counted.cache).__module__:
        extra = {"client": counted.cache.client.get_client()}
    assert counted.cache.get("a", **extra) == 1
    assert counted.cache.get("b", "default", **extra) == "default"
    assert counted.totals() == (1, 1)


@every(DISKCACHE)
def test_an_answer_of_another_kind_is_handed_on_and_not_counted(counted: Counted) -> None:
    assert counted.cache.get("a", "default", expire_time=True) == ("default", None)
    assert counted.totals() == (0, 0)


@every(DJANGO_REDIS)
def test_a_set_that_the_client_did_not_make_is_none(counted: Counted) -> None:
    assert counted.cache.set("a", 1, nx=True)
    assert not counted.cache.set("a", 2, nx=True)
    assert numbers(counted.counted()) == {"sets": 1}


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", NOBODY)
def test_an_error_is_counted_and_raised_as_it_was(backend: str) -> None:
    location = NOBODY[backend]
    counted, plain = Counted(backend, location).cache, import_string(backend)(location, {})
    calls: list[Callable[[Any], Any]] = [
        lambda cache: cache.get("a"),
        lambda cache: cache.set("a", 1),
        lambda cache: cache.get_many(["a", "b"]),
        lambda cache: cache.incr("a"),
        lambda cache: cache.touch("a"),
        lambda cache: "a" in cache,
        lambda cache: cache.get_or_set("a", 1),
    ]
    for call in calls:
        assert came_of(call, counted) == came_of(call, plain)


def came_of(call: Callable[[Any], Any], cache: Any) -> Any:
    try:
        return call(cache)
    except Exception as exc:  # noqa: BLE001  whatever it is, it has to be the same
        return type(exc)


def raised(call: Callable[[Any], Any], cache: Any) -> type[Exception]:
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is, it has to be the same
        call(cache)
    return caught.type


@pytest.mark.parametrize("backend", [REDIS, DJANGO_REDIS, DJANGO_VALKEY])
def test_an_error_is_neither_hit_nor_miss(backend: str) -> None:
    counted = Counted(backend, NOBODY[backend])
    for call in (counted.cache.get, counted.cache.has_key, counted.cache.incr):
        raised(call, "a")
    raised(counted.cache.get_many, ["a", "b"])
    assert numbers(counted.counted()) == {"errors": 4}


@pytest.mark.parametrize("backend", [DJANGO_REDIS, DJANGO_VALKEY])
def test_an_error_that_the_client_hides_is_one_all_the_same(backend: str) -> None:
    counted = Counted(backend, NOBODY[backend], OPTIONS={"IGNORE_EXCEPTIONS": True})
    cache = counted.cache
    assert cache.get("a", "default") == "default"
    assert cache.get_many(["a", "b"]) == {}
    assert not cache.has_key("a")
    assert cache.incr("a") is None
    assert cache.set("a", 1) is None
    assert numbers(counted.counted()) == {"errors": 5}
    assert backend_of(counted.alias, cache).hides_errors()
    assert numbers(counted.counted()) == {"errors": 5}


def test_an_error_that_pymemcache_hides_cannot_be_told_from_a_miss() -> None:
    loud = Counted(PYMEMCACHE, NOBODY[PYMEMCACHE])
    assert raised(lambda cache: cache.get("a"), loud.cache) is ConnectionRefusedError
    assert loud.cache.get("a") is None  # for a second it does not try again, and does not say so
    assert numbers(loud.counted()) == {"errors": 1, "misses": 1}
    counted = Counted(PYMEMCACHE, NOBODY[PYMEMCACHE], OPTIONS={"ignore_exc": True})
    assert counted.cache.get("a") is None
    assert numbers(counted.counted()) == {"misses": 1}
    assert backend_of(counted.alias, counted.cache).hides_errors()


def test_a_value_that_cannot_be_pickled_or_counted_up_is_an_error() -> None:
    counted = Counted(LOCMEM)
    raised(lambda cache: cache.set("a", lambda: 1), counted.cache)
    counted.cache.set("a", "text")
    raised(lambda cache: cache.incr("a"), counted.cache)
    assert numbers(counted.counted()) == {"errors": 2, "sets": 1}


# --- what is culled ------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [3, 0])
@pytest.mark.parametrize("backend", [LOCMEM, FILEBASED, DATABASE])
def test_what_a_backend_culls_is_counted(backend: str, frequency: int, servers: Servers) -> None:
    options = {"MAX_ENTRIES": 9, "CULL_FREQUENCY": frequency}
    counted = Counted(backend, servers.location(backend, 2 + frequency), OPTIONS=options)
    for number in range(40):
        counted.cache.set(f"k{number:02}", number)
    left = sum(1 for number in range(40) if counted.cache.has_key(f"k{number:02}"))
    found = counted.counted()
    assert found.evictions == 40 - left > 0
    assert (found.sets, found.deletes) == (40, 0)


@every(REDIS, PYMEMCACHE, DISKCACHE)
def test_what_a_store_evicts_is_not_for_the_process_to_say(counted: Counted) -> None:
    assert counted.counted().evictions is None


def test_expired_rows_that_culling_takes_are_not_evicted(servers: Servers) -> None:
    options = {"MAX_ENTRIES": 9}
    counted = Counted(DATABASE, servers.location(DATABASE, 9), OPTIONS=options)
    for number in range(9):
        counted.cache.set(f"k{number}", number, timeout=-1)
    for number in range(9):
        counted.cache.set(f"l{number}", number)
    assert counted.counted().evictions == 0


# --- how it is done ------------------------------------------------------------------------


@every(*KEEPING)
def test_a_library_that_is_said_not_to_call_itself_does_not(counted: Counted) -> None:
    cls: Any = counted.cache.__class__
    if traits_of(library_of(cls)).calls_itself:
        return
    depths: list[str] = []
    deepest: list[list[str]] = []

    def watched(name: str) -> Any:
        def method(self: Any, *args: Any, **options: Any) -> Any:
            depths.append(name)
            deepest.append(list(depths))
            try:
                return getattr(super(watching, self), name)(*args, **options)
            finally:
                depths.pop()

        return method

    own = {name for name in (*TOLD, "get") if any(name in vars(each) for each in cls.__mro__[:-2])}
    watching: Any = type(
        "Watching", (cls,), {name: watched(name) for name in own if name[0] != "a"}
    )
    cache = object.__new__(watching)
    cache.__dict__.update(vars(counted.cache))
    use(cache)
    assert [calls for calls in deepest if len(calls) > 1] == []


def use(cache: Any) -> None:
    cache.set("a", 1)
    cache.get("a")
    cache.incr("a")
    cache.touch("a")
    cache.delete("a")
    if "set_many" in vars(type(cache)):
        cache.set_many({"a": 1})
        cache.get_many(["a"])
        cache.delete_many(["a"])
    cache.clear()


@every(LOCMEM, FILEBASED, REDIS)
def test_all_counts_are_exact_under_threads(counted: Counted) -> None:
    rounds = 200 if type(counted.cache).__name__ == "LocMemCache" else 20

    def work() -> None:
        for _ in range(rounds):
            counted.cache.set("a", 1)
            counted.cache.get_many(["a", "none"])
            counted.cache.delete("b")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    many = 8 * rounds
    assert numbers(counted.counted()) == {
        "hits": many, "misses": many, "sets": many, "deletes": many
    }  # fmt: skip
