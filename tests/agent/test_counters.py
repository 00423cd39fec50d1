from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import CacheHandler, caches
from django.core.cache.backends.base import BaseCache, InvalidCacheKey
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.test.utils import override_settings
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.agent import counters
from cachecheck.agent.counting import Traits, counting_methods
from cachecheck.agent.counting.tally import Tally
from counted import DATABASE, DUMMY, FILEBASED, LOCMEM, Counted

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheHandler, "create_connection", CacheHandler.create_connection)
    counters.install()


@pytest.fixture(name="counted", params=[LOCMEM, FILEBASED, DATABASE])
def _counted(request: pytest.FixtureRequest, tmp_path: Any) -> Counted:
    location = {FILEBASED: str(tmp_path), DATABASE: f"c{uuid.uuid4().hex}"}.get(request.param, "")
    if request.param == DATABASE:
        call_command("createcachetable", location, verbosity=0)
    return Counted(request.param, location)


class Site(LocMemCache):
    """Reads through: what is not there is made. Its ``get()`` knows a miss by None."""

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        value = super().get(key, default, version)
        return f"made {key}" if value is None else value


class Recording(LocMemCache):
    """Has a ``get_or_set()`` of its own, which Django 6.1 uses for the asynchronous one as well."""

    def get_or_set(self, key: Any, default: Any, timeout: Any = 60, version: Any = None) -> Any:
        return super().get_or_set(key, default, timeout, version)


class Pairs(LocMemCache):
    """Gives the default inside of something else where it is asked to, as diskcache does."""

    def get(
        self, key: Any, default: Any = None, version: Any = None, *, expire_time: bool = False
    ) -> Any:
        found = super().get(key, default, version)
        return (found, None) if expire_time else found


class Unknown(BaseCache):
    """A backend of another library."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        del key, version
        return (default, type(default))


class Closing(LocMemCache):
    """Does something when it is no more needed, which a twin of it must not do."""

    def __del__(self) -> None:
        pass


class Picky(LocMemCache):
    """Takes no subclasses."""

    def __init_subclass__(cls) -> None:
        raise RuntimeError("no subclass of mine")


def test_what_a_callable_default_looks_up_is_counted_as_well(counted: Counted) -> None:
    cache = counted.cache
    cache.set("inner", 5)
    assert cache.get_or_set("outer", lambda: cache.get("inner") + 1) == 6
    assert counted.totals() == (1, 1)


def test_a_callable_default_still_runs_in_the_event_loop() -> None:
    counted = Counted()
    found = asyncio.run(
        counted.cache.aget_or_set("a", lambda: asyncio.get_running_loop().is_running())
    )
    assert found is True
    assert counted.totals() == (0, 1)


def test_a_class_of_the_sites_own_finds_what_it_always_found() -> None:
    counted = Counted(f"{__name__}.Site")
    assert counted.cache.get("a") == "made a"
    assert counted.cache.get("a", "default") == "default"
    counted.cache.set("a", 1)
    assert counted.cache.get("a") == 1
    assert counted.cache.get_or_set("b", 2) == 2
    assert counted.totals() == (1, 3)


def test_a_get_or_set_of_the_sites_own_is_still_used() -> None:
    counted = Counted(f"{__name__}.Recording")
    assert counted.cache.get_or_set("a", 1) == 1
    assert counted.cache.get_or_set("a", 2) == 1
    assert asyncio.run(counted.cache.aget_or_set("a", 3)) == 1
    assert counted.totals() == (2, 1)


def test_a_backend_that_counts_shows_itself_as_what_it_is() -> None:
    counted = Counted(f"{__name__}.Site")
    cls = type(counted.cache)
    assert (cls.__module__, cls.__qualname__, cls.__doc__) == (__name__, "Site", Site.__doc__)
    assert isinstance(counted.cache, Site)
    assert counted.cache.__class__ is Site
    assert repr(counted.cache).startswith(f"<{__name__}.Site object at")
    for name in ("get", "get_many", "has_key", "get_or_set", "aget_or_set", "incr", "add"):
        assert inspect.signature(getattr(counted.cache, name)) == inspect.signature(
            getattr(Site("", {}), name)
        )
    assert not [name for name in vars(counted.cache) if "cachecheck" in name]


def test_an_object_that_somebody_has_changed_stays_the_same_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    original = inspect.unwrap(CacheHandler.create_connection)

    def create_connection(self: CacheHandler, alias: str) -> Any:
        made.append(original(self, alias))
        made[-1].get = lambda _key: "of somebody"
        return made[-1]

    monkeypatch.setattr(CacheHandler, "create_connection", create_connection)
    counters.install()
    counted = Counted()
    assert counted.cache is made[0]
    assert counted.cache.get("a") == "of somebody"


def test_a_class_whose_objects_end_with_a_call_is_left_alone() -> None:
    counted = Counted(f"{__name__}.Closing")
    assert type(counted.cache) is Closing
    assert counters.snapshot(counted.alias, lambda _key: False) is None


def test_a_copy_is_one_of_the_class_that_can_be_imported() -> None:
    counted = Counted(DUMMY)
    again = pickle.loads(pickle.dumps(counted.cache))
    assert type(again).__mro__[1] is BaseCache
    assert vars(again) == vars(counted.cache)
    copied = copy.copy(Counted().cache)
    assert type(copied) is LocMemCache


def test_wrong_arguments_and_errors_stay_what_they_were() -> None:
    counted, plain = Counted().cache, LocMemCache("plain", {})
    for call in (
        lambda cache: cache.get(),
        lambda cache: cache.get("a", None, None, None),
        lambda cache: cache.get("a", nothing=1),
        lambda cache: cache.has_key(),
        lambda cache: cache.get_many(3),
        lambda cache: cache.incr("none"),
        lambda cache: cache.get_or_set("a", lambda: 1 // 0),
    ):
        assert outcome(call, counted)[0] == outcome(call, plain)[0]


def test_a_key_that_the_backend_refuses_is_no_miss() -> None:
    counted = Counted("django.core.cache.backends.memcached.PyMemcacheCache", "127.0.0.1:1")
    with pytest.raises(InvalidCacheKey):
        counted.cache.incr("a key")
    with pytest.raises(InvalidCacheKey):
        counted.cache.get("a key")
    assert counted.totals() == (0, 0)


def test_installing_twice_counts_once() -> None:
    counters.install()
    counters.install()
    counted = Counted()
    counted.cache.get("a")
    assert counted.totals() == (0, 1)


def test_backends_that_this_thread_had_made_before_are_counted_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uncounted = inspect.unwrap(CacheHandler.create_connection)
    monkeypatch.setattr(CacheHandler, "create_connection", uncounted)
    alias = uuid.uuid4().hex
    with override_settings(CACHES={alias: {"BACKEND": LOCMEM, "LOCATION": alias}}):
        cache = caches[alias]
        cache.get("a")
        counters.install()
        cache.get("a")
        assert caches[alias] is cache
    counted = counters.snapshot(alias, lambda _key: False)
    assert counted is not None
    assert (counted.hits, counted.misses) == (0, 1)


def test_other_handlers_are_left_alone() -> None:
    handler = CacheHandler({"default": {"BACKEND": LOCMEM}})
    assert type(handler["default"]) is LocMemCache


def test_an_alias_that_nobody_used_yet_was_looked_at_never() -> None:
    counted = counters.snapshot("unused", lambda _key: False)
    assert counted is not None
    assert (counted.hits, counted.misses) == (0, 0)
    assert counted.since <= time.time()


def test_a_class_that_cannot_be_counted_works_on_and_has_no_counts() -> None:
    entry = {"BACKEND": f"{__name__}.Picky", "LOCATION": "picky"}
    with override_settings(CACHES={"picky": entry}):
        caches["picky"].set("a", 1)
        assert caches["picky"].get("a") == 1
    assert counters.snapshot("picky", lambda _key: False) is None


def test_a_call_with_more_than_django_has_is_handed_on_and_not_counted() -> None:
    make = counting_methods(Pairs, Tally(), Traits())["get"]
    cache = Pairs(uuid.uuid4().hex, {})
    assert make(cache, "none", expire_time=True) == (None, None)
    assert make(cache, "none", "default", expire_time=True) == ("default", None)


def test_a_backend_of_another_library_is_left_alone() -> None:
    alias = uuid.uuid4().hex
    with override_settings(CACHES={alias: {"BACKEND": f"{__name__}.Unknown"}}):
        cache = caches[alias]
    assert type(cache) is Unknown
    assert cache.get("none") == (None, type(None))
    assert counters.snapshot(alias, lambda _key: False) is None


def test_counts_are_exact_under_threads() -> None:
    counted = Counted()
    counted.cache.set("a", 1)
    looks = []

    def work() -> None:
        for _ in range(3_000):
            counted.cache.get("a")
            counted.cache.get("none")
        looks.append(counted.totals())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.totals() == (24_000, 24_000)
    assert all(hits <= 24_000 and misses <= 24_000 for hits, misses in looks)


AFTER_FORK = """
import os, time
from django.conf import settings
settings.configure(CACHES={"default": {"BACKEND": "%s"}})
from django.core.cache import cache
from cachecheck.agent import counters
assert counters.snapshot("default", lambda _key: False) is None
counters.install()
cache.get("a")
before = counters.snapshot("default", lambda _key: False)
time.sleep(0.01)
if os.fork() == 0:
    cache.get("a"); cache.get("a")
    after = counters.snapshot("default", lambda _key: False)
    os._exit(0 if after.misses == 2 and after.since > before.since else 1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert counters.snapshot("default", lambda _key: False) == before
"""


def test_counting_begins_anew_after_a_fork() -> None:
    subprocess.run([sys.executable, "-c", AFTER_FORK % LOCMEM], check=True)


# --- whatever is asked, in whatever order ---------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from([None, 0, False, "", 1, 7, "text"])
OPERATIONS = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES, st.sampled_from([60, None, -1])),
    st.tuples(st.just("add"), KEYS, VALUES),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("get"), KEYS, VALUES),
    st.tuples(st.just("get_many"), st.lists(KEYS)),
    st.tuples(st.just("has_key"), KEYS),
    st.tuples(st.just("__contains__"), KEYS),
    st.tuples(st.just("get_or_set"), KEYS, VALUES),
    st.tuples(st.just("get_or_set"), KEYS, st.just(lambda: 5)),
    st.tuples(st.just("incr"), KEYS),
    st.tuples(st.just("decr"), KEYS, st.integers(-2, 2)),
    st.tuples(st.just("incr_version"), KEYS),
    st.tuples(st.just("touch"), KEYS, st.sampled_from([60, -1])),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("clear")),
)


def outcome(call: Callable[[Any], Any], cache: Any) -> tuple[Any, ...]:
    try:
        found = call(cache)
    except Exception as exc:  # noqa: BLE001  whatever it is, it has to be the same
        return type(exc), str(exc)
    return type(found), found


def looked(plain: Any, name: str, key: Any = None, *_rest: Any) -> list[bool]:
    """Say what is there, for each look that the operation is about to make."""
    if name == "get_many":
        return [plain.has_key(each) for each in key]
    if name in {"set", "add", "touch", "delete", "clear"}:
        return []
    return [plain.has_key(key)]


@given(st.lists(OPERATIONS, max_size=20))
def test_counting_changes_no_result_and_counts_every_look(
    operations: list[tuple[Any, ...]],
) -> None:
    counted, plain = Counted(), LocMemCache(uuid.uuid4().hex, {})
    looks: list[bool] = []
    for name, *arguments in operations:
        there = looked(plain, name, *arguments)

        def call(cache: Any, name: str = name, arguments: Any = arguments) -> Any:
            return getattr(cache, name)(*arguments)

        expected = outcome(call, plain)
        assert outcome(call, counted.cache) == expected
        # a value that cannot be counted up was found all the same, but the call raised
        looks.extend(there if expected[0] is not TypeError or name == "incr_version" else [])
    assert counted.totals() == (sum(looks), len(looks) - sum(looks))
