"""A backend that counts and one that does not, asked the same: all comes out alike."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import CacheHandler
from django.core.cache.backends.filebased import FileBasedCache
from django.utils.module_loading import import_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cachecheck.agent import counters
from cachecheck.agent.caches import backend_of
from cachecheck.stores.base import Stored
from counted import DISKCACHE, KEEPING, Counted, Servers

if TYPE_CHECKING:
    from cachecheck.stores.base import RawReading

NAMES = ("a", "b", "c")
KEYS = st.sampled_from(NAMES)
VALUES = st.sampled_from([None, 0, False, "", 1, 7, "text", b"bytes", [1, {"a": None}]])
TIMEOUTS = st.sampled_from([60, 1000, None, 0, -1])
OPERATIONS = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES, TIMEOUTS),
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.just("set_many"), st.dictionaries(KEYS, VALUES), TIMEOUTS),
    st.tuples(st.just("add"), KEYS, VALUES, TIMEOUTS),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("get"), KEYS, VALUES),
    st.tuples(st.just("get_many"), st.lists(KEYS)),
    st.tuples(st.just("has_key"), KEYS),
    st.tuples(st.just("__contains__"), KEYS),
    st.tuples(st.just("get_or_set"), KEYS, VALUES, TIMEOUTS),
    st.tuples(st.just("get_or_set"), KEYS, st.just(lambda: 5)),
    st.tuples(st.just("incr"), KEYS, st.integers(-2, 3)),
    st.tuples(st.just("decr"), KEYS),
    st.tuples(st.just("incr_version"), KEYS),
    st.tuples(st.just("touch"), KEYS, TIMEOUTS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("delete_many"), st.lists(KEYS)),
    st.tuples(st.just("get")),  # what is wrong stays wrong in the same way
    st.tuples(st.just("get_many"), st.just(3)),
    st.tuples(st.just("set"), KEYS),
    st.tuples(st.just("set"), KEYS, st.just(lambda: "not to be pickled")),
    st.tuples(st.just("set"), KEYS, st.just(1), st.just("no timeout")),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheHandler, "create_connection", CacheHandler.create_connection)
    counters.install()


@pytest.mark.parametrize("backend", KEEPING)
def test_counting_changes_no_result_no_error_and_no_entry(backend: str, servers: Servers) -> None:
    location = servers.location(backend)
    params = {"TIMEOUT": 77} | ({"SHARDS": 1} if backend == DISKCACHE else {})

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(OPERATIONS, max_size=25))
    def compare(operations: list[tuple[Any, ...]]) -> None:
        prefix = uuid.uuid4().hex
        counted = Counted(backend, location, KEY_PREFIX=f"{prefix}y", **params).cache
        plain = import_string(backend)(location, {"KEY_PREFIX": f"{prefix}n", **params})
        for name, *arguments in operations:
            assert came_of(counted, name, arguments) == came_of(plain, name, arguments)
        for one, other in zip(entries(counted), entries(plain), strict=True):
            assert_alike(one, other)
            kinds.add(type(one))
        counted.close()
        plain.close()

    kinds: set[type] = set()
    compare()
    assert Stored in kinds


def came_of(cache: Any, name: str, arguments: list[Any]) -> tuple[Any, ...]:
    """Give what an operation gave or raised, the very text included."""
    try:
        found = getattr(cache, name)(*arguments)
    except Exception as exc:  # noqa: BLE001  whatever it is, it has to be the same
        return type(exc), str(exc).replace(cache.key_prefix, "")
    return type(found), found


def entries(cache: Any) -> list[RawReading]:
    """Read what is stored for each key, in two versions, without Django."""
    backend = backend_of("compared", cache)
    keys = [stored(cache, name, version) for name in NAMES for version in (1, 2)]
    store = backend.store()
    found = list(store.read(keys, lambda: True))
    store.close()
    return found


def stored(cache: Any, name: str, version: int) -> str:
    if isinstance(cache, FileBasedCache):
        return str(Path(cache._key_to_file(name, version)).name)  # noqa: SLF001  its file is its key
    return str(cache.make_key(name, version))


def assert_alike(one: RawReading, other: RawReading) -> None:
    """Hold two readings to be of one kind and value, and of expiries that are seconds apart."""
    assert type(one) is type(other)
    if not isinstance(one, Stored) or not isinstance(other, Stored):
        return
    assert (one.value, one.flags) == (other.value, other.flags)
    if one.expires_at is None or other.expires_at is None:
        assert one.expires_at == other.expires_at
    else:
        assert one.expires_at == pytest.approx(other.expires_at, abs=5)
