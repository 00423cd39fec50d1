# What the backend keeps to itself is what must stay as it was.
# ruff: noqa: SLF001

from __future__ import annotations

import pickle
import threading
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.agent.backends import inflate, locmem
from cachecheck.agent.backends.locmem import LocMemBackend, LocMemStore
from cachecheck.agent.worker import this_worker
from cachecheck.errors import StoreError
from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Callable

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


def go_on() -> bool:
    return True


@pytest.fixture(name="cache")
def _cache(make_cache: Callable[..., Any]) -> Any:
    return make_cache(LOCMEM, uuid.uuid4().hex, OPTIONS={"MAX_ENTRIES": 100_000})


@pytest.fixture(name="backend")
def _backend(cache: Any) -> LocMemBackend:
    return LocMemBackend("default", cache)


def scan_all(backend: LocMemBackend, between: Callable[[], None] = lambda: None) -> list[str]:
    store, cursor, listed = backend.store(), None, []
    while True:
        page = store.scan(cursor, go_on)
        listed.extend(page.keys)
        cursor = page.cursor
        if cursor is None:
            return listed
        between()


def state(cache: Any) -> tuple[list[Any], list[Any]]:
    return list(cache._cache.items()), list(cache._expire_info.items())


def test_entry_is_read_as_its_pickle_with_its_absolute_expiry(
    cache: Any, backend: LocMemBackend
) -> None:
    before = time.time()
    cache.set("a", {"name": "Ada"}, 60)
    (reading,) = backend.store().read([":1:a"], go_on)
    assert isinstance(reading, Stored)
    assert pickle.loads(backend.payload(reading)) == {"name": "Ada"}
    assert reading.expires_at is not None
    assert before + 60 <= reading.expires_at <= time.time() + 60


def test_entry_without_timeout_and_one_that_lasts_for_ever_never_expire(
    cache: Any, backend: LocMemBackend
) -> None:
    cache.set("a", 1, None)
    cache.set("b", 1, float("inf"))
    readings = list(backend.store().read([":1:a", ":1:b"], go_on))
    assert [reading.expires_at for reading in readings if isinstance(reading, Stored)] == [
        None,
        None,
    ]


def test_missing_and_expired_are_two_different_states(cache: Any, backend: LocMemBackend) -> None:
    cache.set("old", 1, -1)
    expired, missing = backend.store().read([":1:old", ":1:none"], go_on)
    assert isinstance(expired, Expired)
    assert expired.expires_at < time.time()
    assert missing == Missing()


def test_looking_leaves_order_expiry_and_expired_entries_alone(
    cache: Any, backend: LocMemBackend
) -> None:
    for number in range(50):
        cache.set(f"k{number}", number, -1 if number % 3 == 0 else 60)
    before = state(cache)
    listed = scan_all(backend)
    assert len(list(backend.store().read([*listed, ":1:none"], go_on))) == 51
    assert state(cache) == before


def test_scan_lists_every_key_exactly_once_while_others_are_added(
    cache: Any, backend: LocMemBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locmem, "PAGE_KEYS", 50)
    first = {f":1:k{number}" for number in range(1_000)}
    for key in first:
        cache.set(key.removeprefix(":1:"), 1)
    listed = scan_all(backend, between=lambda: cache.set(uuid.uuid4().hex, 1))
    assert first <= set(listed)
    assert len(listed) == len(set(listed))


def test_an_empty_cache_is_one_empty_page(backend: LocMemBackend) -> None:
    page = backend.store().scan(None, go_on)
    assert (page.keys, page.cursor) == ((), None)


def test_pages_stay_bounded_and_say_nothing_of_keys(
    cache: Any, backend: LocMemBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locmem, "PAGE_KEYS", 100)
    monkeypatch.setattr(locmem, "MAX_PAGE_KEYS", 200)
    monkeypatch.setattr(locmem, "_PASSES", 16)
    for number in range(5_000):
        cache.set(f"k{number}", 1)
    page = backend.store().scan(None, go_on)
    assert 50 < len(page.keys) < 400
    assert page.cursor is not None
    assert int(page.cursor, 16) == 2**64 * 200 // 5_000


def test_a_cursor_that_is_none_of_ours_is_an_error_of_the_store(backend: LocMemBackend) -> None:
    with pytest.raises(StoreError, match="cursor"):
        backend.store().scan("nonsense", go_on)


def test_keys_that_are_no_strings_are_foreign(cache: Any, backend: LocMemBackend) -> None:
    cache._cache[7] = b"x"
    cache._expire_info[7] = None
    assert backend.store().scan(None, go_on).foreign == 1


def test_subclass_that_does_not_store_bytes_is_unsupported_not_missing(
    cache: Any, backend: LocMemBackend
) -> None:
    cache._cache[":1:a"] = ["as it is"]
    cache._expire_info[":1:a"] = None
    (reading,) = backend.store().read([":1:a"], go_on)
    assert isinstance(reading, Failed)
    assert reading.reason == "unsupported"


def test_a_value_over_the_bound_is_too_large_and_is_not_given(cache: Any) -> None:
    cache._cache |= {":1:a": bytes(1001), ":1:b": bytes(1000)}
    cache._expire_info |= {":1:a": None, ":1:b": None}
    large, fits = LocMemStore(cache, max_value_bytes=1000).read([":1:a", ":1:b"], go_on)
    assert large == Failed(reason="too-large", detail="more than 1000 bytes")
    assert fits == Stored(value=bytes(1000), expires_at=None)
    assert inflate.MAX_INFLATED_BYTES == locmem.MAX_VALUE_BYTES


def test_pages_hold_some_five_thousand_keys_and_more_only_where_there_are_very_many() -> None:
    def largest(count: int) -> int:
        keys = {f":1:{number}": b"x" for number in range(count)}
        store = LocMemStore(
            SimpleNamespace(_cache=keys, _expire_info=dict.fromkeys(keys), _lock=threading.Lock())
        )
        return len(store.scan(None, go_on).keys)

    assert largest(5_000) == 5_000
    assert largest(100_000) < 5_500
    assert largest(640_000) < 11_000


def test_a_lock_that_stays_taken_is_an_error_and_no_hang(
    cache: Any, backend: LocMemBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locmem, "LOCK_SECONDS", 0.01)
    with cache._lock, pytest.raises(StoreError, match="lock"):
        list(backend.store().read([":1:a"], go_on))
    with cache._lock, pytest.raises(StoreError, match="lock"):
        backend.store().scan(None, go_on)


def test_identity_is_the_process_and_the_location(
    cache: Any, backend: LocMemBackend, make_cache: Callable[..., Any]
) -> None:
    location = backend.store().location()
    again = LocMemBackend("other", make_cache(LOCMEM, location))
    apart = LocMemBackend("other", make_cache(LOCMEM, uuid.uuid4().hex))
    identity = backend.store().identity()
    assert identity.grade == "observed"
    assert identity.token == f"locmem:{this_worker().id}:{location}"
    assert again.store().identity() == identity
    assert apart.store().identity() != identity
    assert cache._cache is again.cache._cache  # type: ignore[attr-defined]


def test_identity_is_the_same_in_every_thread(backend: LocMemBackend) -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append(backend.store().identity()))
    thread.start()
    thread.join()
    assert seen == [backend.store().identity()]


def test_settings_and_codec_are_given_one_by_one(make_cache: Callable[..., Any]) -> None:
    options = {"MAX_ENTRIES": 500, "CULL_FREQUENCY": 4}
    backend = LocMemBackend("default", make_cache(LOCMEM, "place", OPTIONS=options))
    assert backend.settings() == (
        ("max_entries", "500"),
        ("cull_frequency", "4"),
        ("location", "place"),
    )
    assert dict(backend.codec())["serializer"] == "pickle"


def test_capabilities_promise_that_nothing_is_touched(backend: LocMemBackend) -> None:
    capabilities = backend.store().capabilities()
    assert (capabilities.can_scan, capabilities.can_read, capabilities.touches_recency) == (
        True,
        True,
        False,
    )
    backend.store().close()
