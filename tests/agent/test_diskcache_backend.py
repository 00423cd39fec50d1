# ruff: noqa: SLF001  the application's own objects are looked at
from __future__ import annotations

import os
import pickle
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.agent.backends import diskcache_shard
from cachecheck.agent.backends.diskcache import DiskCacheBackend, DiskCacheStore
from cachecheck.agent.caches import backend_of
from cachecheck.errors import InertUnreadable, StoreError
from cachecheck.inert import structural_digest
from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores import walking
from cachecheck.stores.base import Stored
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cachecheck.stores.base import Batch

CACHE = "diskcache.DjangoCache"
POLICY = {"OPTIONS": {"eviction_policy": "least-recently-used", "statistics": True}}
LONG = 40_000
VALUES = [
    7, 1 << 70, 0.1 + 0.2, "text", "ключ", b"bytes", True, None, {"a": [1]},
    "x" * LONG, b"y" * LONG, ["z" * LONG],
]  # fmt: skip
STATE = "SELECT rowid, store_time, access_time, access_count FROM Cache"


class Explodes:
    """Whoever unpickles it dies."""

    def __reduce__(self) -> Any:
        return os._exit, (7,)


def always() -> bool:
    return True


def all_of_them(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return {key: key for key in keys}


@pytest.fixture
def look(make_cache: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make a cache in a folder of the test, and look at it."""
    made: list[Any] = []

    def looked(folder: str = "cache", **params: Any) -> tuple[Any, DiskCacheBackend]:
        cache = make_cache(CACHE, str(tmp_path / folder), **params)
        made.append(cache)
        return cache, DiskCacheBackend("default", cache)

    yield looked
    for cache in made:
        cache.close()


def read(backend: DiskCacheBackend, *keys: str) -> list[Any]:
    with closing(backend.store()) as store:
        return list(store.read([backend.stored_key(key) for key in keys], always))


def walked(backend: DiskCacheBackend) -> list[Batch]:
    """Walk to the end, each batch by another store that goes on at the cursor."""
    batches: list[Batch] = []
    cursor = None
    while True:
        with closing(backend.store()) as store:
            batches.append(next(iter(store.walk(cursor, all_of_them, always))))
        cursor = batches[-1].cursor
        if cursor is None:
            return batches


def state_of(cache: Any) -> list[Any]:
    """Give all that reading could leave a trace in."""
    found: list[Any] = []
    for shard in cache._cache._shards:
        found += shard._sql(STATE).fetchall()
        found += shard._sql("SELECT key, value FROM Settings ORDER BY key").fetchall()
    return found


def test_what_the_application_wrote_is_read_as_a_pickle(look: Callable[..., Any]) -> None:
    cache, backend = look()
    for number, value in enumerate(VALUES):
        cache.set(f"key:{number}", value, 600)
    readings = read(backend, *(f"key:{number}" for number in range(len(VALUES))), "absent")
    assert [pickle.loads(backend.payload(one)) for one in readings[:-1]] == VALUES
    assert readings[0].expires_at == pytest.approx(time.time() + 600, abs=5)
    assert readings[-1] == Missing()


def test_a_value_in_a_file_is_the_value_that_another_cache_keeps_in_its_database(
    look: Callable[..., Any],
) -> None:
    _, small = look("small", OPTIONS={"disk_min_file_size": 10})
    _, large = look("large")
    for value in ("text " * 20, b"bytes" * 20, ["list"] * 20):
        for backend in (small, large):
            backend.cache.set("key", value)
        (one,), (other,) = read(small, "key"), read(large, "key")
        assert (one.value, one.flags) == (other.value, other.flags)


def test_reading_counts_no_hit_and_moves_no_time_of_access(look: Callable[..., Any]) -> None:
    cache, backend = look(**POLICY)
    cache.set_many({"a": 1, "long": "x" * LONG}, 600)
    before = state_of(cache)
    with closing(backend.store()) as store:
        list(store.read([":1:a", ":1:long", ":1:absent"], always))
        store.scan(None, always)
        list(store.walk(None, all_of_them, always))
        store.identity()
        store.capabilities()
    assert state_of(cache) == before
    cache.get("a")
    assert state_of(cache) != before, "get() leaves a trace, or this test shows nothing"


def test_what_has_expired_is_expired_and_stays(look: Callable[..., Any]) -> None:
    cache, backend = look()
    cache.set("old", 1, 0.01)
    cache.set("stays", 1, None)
    time.sleep(0.02)
    old, stays = read(backend, "old", "stays")
    assert isinstance(old, Expired)
    assert stays.expires_at is None
    with closing(backend.store()) as store:
        assert store.capabilities().entries == 2


def test_every_entry_is_walked_once(look: Callable[..., Any]) -> None:
    cache, backend = look()
    stored = {f":1:key:{number}" for number in range(100)}
    for number in range(100):
        cache.set(f"key:{number}", number, None if number % 2 else 600)
    cache._cache._shards[0].set(("not", "text"), 1)
    cache._cache._shards[0].set(":1:of another division", 1)
    misplaced = backend.store().route(":1:of another division") != 0  # type: ignore[attr-defined]
    batches = walked(backend)
    names = [key.decode() for batch in batches for key in batch.names]
    assert sorted(name for name in names if name in stored) == sorted(stored)
    assert len(names) == len(stored) + (not misplaced)
    assert sum(batch.scanned for batch in batches) == 102
    assert sum(batch.foreign for batch in batches) == 1 + misplaced
    expiries = {
        name: expiry
        for batch in batches
        for name, expiry in zip(batch.names, batch.expiries_ms, strict=True)
    }
    assert expiries[b":1:key:1"] == NEVER
    assert expiries[b":1:key:2"] / 1000 == pytest.approx(time.time() + 600, abs=5)


def test_pages_and_batches_follow_one_another_while_entries_come_and_go(
    look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "BATCH_KEYS", 4)
    monkeypatch.setattr(diskcache_shard, "PAGE_ROWS", 9)
    cache, backend = look(SHARDS=3)
    stable = {f":1:key:{number}" for number in range(80)}
    for number in range(80):
        cache.set(f"key:{number}", number)
    listed: list[str] = []
    names: list[str] = []
    cursor, pages = None, 0
    while True:
        with closing(backend.store()) as store:
            page = store.scan(cursor, always)
        listed += page.keys
        cursor, pages = page.cursor, pages + 1
        if cursor is None:
            break
        cache.set(f"new:{pages}", 1)
        cache.set("key:0", "changed")
        cache.delete(f"new:{pages - 2}")
    for batch in walked(backend):
        names += [key.decode() for key in batch.names]
    for found in (listed, names):
        assert sorted(key for key in found if key in stable) == sorted(stable)
    assert pages >= 9


@pytest.mark.parametrize("cursor", ["9:0", "x", "1:x", "-1:0", "1:" + "9" * 40])
def test_a_cursor_of_another_store_is_refused(look: Callable[..., Any], cursor: str) -> None:
    _, backend = look()
    with closing(backend.store()) as store, pytest.raises(StoreError, match="not a cursor"):
        store.scan(cursor, always)


def test_pickles_are_never_loaded(look: Callable[..., Any]) -> None:
    cache, backend = look(OPTIONS={"disk_min_file_size": 1000})
    cache.set("in the database", Explodes())
    cache.set("in a file", [Explodes(), "x" * 2000])
    for reading in read(backend, "in the database", "in a file"):
        found = structural_digest(backend.payload(reading), seed=b"s" * 16, pace=always)
        assert found.digest
    walked(backend)


def test_a_file_that_is_gone_is_a_miss_and_one_that_leads_out_is_not_opened(
    look: Callable[..., Any], tmp_path: Path
) -> None:
    cache, backend = look(SHARDS=1)
    (tmp_path / "secret").write_text("of another")
    shard = cache._cache._shards[0]
    for key in ("gone", "out", "link", "folder"):
        cache.set(key, "x" * LONG)
    (name,) = shard._sql("SELECT filename FROM Cache WHERE key = ':1:gone'").fetchone()
    folder = tmp_path / "cache" / "000"
    (folder / name).unlink()
    (folder / "link").symlink_to(tmp_path / "secret")
    for key, other in (("out", "../../secret"), ("link", "link"), ("folder", "..")):
        shard._sql("UPDATE Cache SET filename = ? WHERE key = ?", (other, f":1:{key}"))
    gone, *others = read(backend, "gone", "out", "link", "folder")
    assert gone == Missing()
    for reading in others:
        assert isinstance(reading, Failed)
        assert reading.reason == "error"


def test_what_is_too_large_is_not_read(look: Callable[..., Any]) -> None:
    cache, backend = look(SHARDS=1)
    cache.set_many({"row": "x" * 200, "file": "x" * LONG, "small": "x"})
    with closing(DiskCacheStore(backend._folders(), max_value_bytes=100)) as store:
        row, file, small = store.read([":1:row", ":1:file", ":1:small"], always)
    assert row == file == Failed(reason="too-large", detail="more than 100 bytes")
    assert isinstance(small, Stored)


def test_a_database_that_cannot_be_read_is_a_failure_and_no_miss(
    look: Callable[..., Any], tmp_path: Path
) -> None:
    cache, backend = look(SHARDS=1)
    cache.set("key", 1)
    cache.close()
    for file in (tmp_path / "cache" / "000").iterdir():
        file.write_bytes(b"no database, though as long as one" * 99)
    (reading,) = read(backend, "key")
    assert isinstance(reading, Failed)
    assert reading.detail == "a database of the cache cannot be read: SQLITE_NOTADB"
    with closing(backend.store()) as store:
        assert "SQLITE_NOTADB" in store.capabilities().reasons[0]
        with pytest.raises(StoreError):
            store.scan(None, always)
    with closing(backend.store()) as store:
        assert list(store.read(["\ud800"], always)) == [
            Failed(reason="error", detail="the key is no text")
        ]


def test_a_writer_is_not_kept_waiting(look: Callable[..., Any]) -> None:
    cache, backend = look(SHARDS=1, OPTIONS={"sqlite_journal_mode": "delete"})
    cache.set_many({f"key:{number}": number for number in range(600)})
    with closing(backend.store()) as store:
        page = store.scan(None, always)
        next(iter(store.read(page.keys, always)))
        next(iter(store.walk(None, all_of_them, always)))
        assert cache.set("meanwhile", 1, retry=False)


def test_identity_is_the_directory_on_this_host(look: Callable[..., Any]) -> None:
    _, one = look()
    _, again = look()
    _, other = look("other")
    identities = []
    for backend in (one, again, other):
        with closing(backend.store()) as store:
            identities.append(store.identity())
    assert identities[0] == identities[1]
    assert identities[0].grade == "observed"
    assert identities[0].token != identities[2].token
    assert len(identities[0].servers) == 8


def test_keys_go_to_the_folder_that_the_application_chose(look: Callable[..., Any]) -> None:
    cache, backend = look(SHARDS=4)
    keys = [f"key:{number}" for number in range(50)]
    for key in keys:
        cache.set(key, 1)
    for key, folder in backend.routing(keys):
        (shard,) = (one for one in cache._cache._shards if one.directory == folder)
        assert f":1:{key}" in shard
    _, single = look("single", SHARDS=1)
    assert single.routing(keys) == ()


def test_it_is_known_by_its_class_with_settings_and_codec(
    look: Callable[..., Any], tmp_path: Path
) -> None:
    cache, _ = look(SHARDS=2, KEY_PREFIX="shop", **POLICY)
    backend = backend_of("default", cache)
    assert isinstance(backend, DiskCacheBackend)
    assert (backend.kind, backend.scope, backend.naming) == ("diskcache", "host", "stored")
    assert backend.settings() == (
        ("location", str(tmp_path / "cache")),
        ("shards", "2"),
        ("eviction_policy", "least-recently-used"),
        ("size_limit", str(2.0**29)),
        ("cull_limit", "10"),
        ("disk_min_file_size", str(2**15)),
        ("OPTIONS.timeout", "0.01"),
    )
    assert backend.codec() == (
        ("serializer", "diskcache.core.Disk"),
        ("pickle_protocol", str(pickle.HIGHEST_PROTOCOL)),
    )
    namespace = backend.namespace("probe")
    assert namespace.stored_probe == "shop:1:probe"
    assert backend.logical_key("shop:1:key", namespace) == "key"
    assert backend.logical_key(":1:key", namespace) is None


def test_another_disk_is_named_and_not_guessed(look: Callable[..., Any]) -> None:
    from diskcache import JSONDisk  # noqa: PLC0415

    _, backend = look(OPTIONS={"disk": JSONDisk})
    with closing(backend.store()) as store:
        (reason,) = store.capabilities().reasons
    assert reason == "diskcache.core.JSONDisk keeps entries in a form that is not known"
    assert backend.routing(["probe"]) == ()
    assert dict(backend.codec())["serializer"] == "diskcache.core.JSONDisk"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (99, "an unknown kind of value"),
        (diskcache_shard.INTEGER, "the value does not fit its kind"),
        (diskcache_shard.TEXT, "the value does not fit its kind"),
    ],
)
def test_what_cannot_be_told_is_said(look: Callable[..., Any], flags: int, reason: str) -> None:
    _, backend = look()
    with pytest.raises(InertUnreadable, match=reason):
        backend.payload(Stored(value=b"\xff", flags=flags, expires_at=None))


def test_a_value_of_an_unknown_form_is_unsupported(look: Callable[..., Any]) -> None:
    cache, backend = look(SHARDS=1)
    cache.set("key", "value")
    cache.set("file", "x" * LONG)
    cache._cache._shards[0]._sql("UPDATE Cache SET mode = 9")
    for reading in read(backend, "key", "file"):
        assert isinstance(reading, Failed)
        assert reading.reason == "unsupported"
