from __future__ import annotations

import math
import os
import pickle
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection

from cachecheck.agent.backends.database import DatabaseBackend
from cachecheck.agent.backends.filebased import FileBasedBackend
from cachecheck.agent.backends.locmem import LocMemBackend
from cachecheck.agent.backends.unsupported import UnsupportedStore as Unrecognised
from cachecheck.errors import StoreUnsupported
from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores import walking
from cachecheck.stores.base import Page, Stored
from cachecheck.stores.unsupported import UnsupportedStore
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cachecheck.agent.backends.base import Backend
    from cachecheck.stores.base import Batch, RawReading

BACKENDS = "django.core.cache.backends"


class Walked(NamedTuple):
    cache: Any
    backend: Backend

    def walk(self, choose: Any = None) -> list[Batch]:
        with closing(self.backend.store()) as store:
            return list(store.walk(None, choose or all_of_them, always))

    def step(self, cursor: str | None) -> Batch:
        with closing(self.backend.store()) as store:
            return next(iter(store.walk(cursor, all_of_them, always)))

    def stored(self, key: str) -> bytes:
        return self.backend.stored_key(key).encode()


def always() -> bool:
    return True


def all_of_them(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return {key: key for key in keys}


def entries_in(batches: Sequence[Batch]) -> dict[bytes, tuple[bytes, int]]:
    columns = ((batch.names, batch.values, batch.expiries_ms) for batch in batches)
    return {
        name: (value, expiry) for each in columns for name, value, expiry in zip(*each, strict=True)
    }


@pytest.fixture
def table() -> Iterator[str]:
    name = f"cache_{uuid.uuid4().hex}"
    call_command("createcachetable", name, verbosity=0)
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")


@pytest.fixture(params=["locmem", "file", "database"])
def walked(
    request: pytest.FixtureRequest, make_cache: Callable[..., Any], tmp_path: Path
) -> Walked:
    options = {"OPTIONS": {"MAX_ENTRIES": 100_000}}
    if request.param == "locmem":
        cache = make_cache(f"{BACKENDS}.locmem.LocMemCache", uuid.uuid4().hex, **options)
        return Walked(cache, LocMemBackend("default", cache))
    if request.param == "file":
        folder = str(tmp_path / "cache")
        cache = make_cache(f"{BACKENDS}.filebased.FileBasedCache", folder, **options)
        return Walked(cache, FileBasedBackend("default", cache))
    table = request.getfixturevalue("table")
    cache = make_cache(f"{BACKENDS}.db.DatabaseCache", table, **options)
    return Walked(cache, DatabaseBackend("default", cache))


def test_every_entry_is_given_with_value_and_expiry_and_what_expired_is_not(walked: Walked) -> None:
    walked.cache.set("lasts", "value", 1000)
    walked.cache.set("stays", ["other"], None)
    walked.cache.set("old", 1, -5)
    (batch,) = walked.walk()
    found = entries_in([batch])
    stored = Stored(value=found[walked.stored("stays")][0], expires_at=None)
    payload = walked.backend.payload(stored)
    assert pickle.loads(getattr(payload, "raw", payload)) == ["other"]
    assert found[walked.stored("stays")][1] == NEVER
    expires_ms = found[walked.stored("lasts")][1]
    assert isinstance(expires_ms, int)
    assert expires_ms / 1000 == pytest.approx(time.time() + 1000, abs=30)
    assert len(found) == 2
    assert batch[3:] == (None, 3, 0, 0, None)


def test_an_empty_store_is_one_empty_batch(walked: Walked) -> None:
    assert walked.walk() == [([], [], [], None, 0, 0, 0, None)]


def test_only_what_is_chosen_is_read_and_goes_by_the_name_that_was_given(walked: Walked) -> None:
    for number in range(10):
        walked.cache.set(f"k{number}", number)
    wanted = walked.stored("k3")

    def choose(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {key: b"chosen" for key in keys if key == wanted}

    (batch,) = walked.walk(choose)
    assert batch.names == [b"chosen"]
    assert batch.scanned == 10


def test_a_walk_that_goes_on_in_another_store_after_every_batch_gives_each_stable_key_once(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "BATCH_KEYS", 7)
    stable = [f"k{number}" for number in range(100)]
    for key in stable:
        walked.cache.set(key, "value", None)
    names: list[bytes] = []
    cursor, batches = None, 0
    while True:
        batch = walked.step(cursor)
        names += batch.names
        batches += 1
        cursor = batch.cursor
        if cursor is None:
            break
        walked.cache.set(f"new:{batches}", "comes and goes")
        walked.cache.delete(f"new:{batches - 3}")
    wanted = {walked.stored(key) for key in stable}
    assert sorted(name for name in names if name in wanted) == sorted(wanted)
    assert batches >= 14


def test_large_values_end_a_batch_earlier(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "BATCH_BYTES", 50_000)
    for number in range(20):
        walked.cache.set(f"k{number}", os.urandom(16_000))
    batches = walked.walk()
    assert len(entries_in(batches)) == 20
    assert len(batches) >= 5
    assert sum(batch.scanned for batch in batches) == 20


def test_locmem_tells_how_many_entries_there_are(make_cache: Callable[..., Any]) -> None:
    cache = make_cache(f"{BACKENDS}.locmem.LocMemCache", uuid.uuid4().hex)
    for number in range(5):
        cache.set(f"k{number}", number)
    assert LocMemBackend("default", cache).store().capabilities().entries == 5


def test_stores_that_cannot_be_read_refuse_to_be_walked() -> None:
    for store in (UnsupportedStore("why"), Unrecognised("why")):
        with pytest.raises(StoreUnsupported, match="why"):
            store.walk(None, all_of_them, always)


# --- any store that lists and reads ------------------------------------------------------


class Fixed:
    """Two pages of keys whose readings are given."""

    READINGS: Mapping[str, RawReading] = {
        "here": Stored(value=b"1", flags=2, expires_at=1_800_000_000.0004),
        "there": Stored(value=b"2", expires_at=1_800_000_000.0006),
        "gone": Missing(),
        "old": Expired(expires_at=1.0),
        "list": Failed(reason="foreign"),
        "large": Failed(reason="too-large"),
        "broken": Failed(reason="error"),
    }

    def scan(self, cursor: str | None, pace: Callable[[], bool]) -> Page:
        del pace
        if cursor is None:
            return Page(keys=("here", "here", "there", "\ud800", "gone"), foreign=2, cursor="more")
        return Page(keys=("old", "list", "large", "broken"), cursor=None)

    def read(self, keys: Sequence[str], pace: Callable[[], bool]) -> Iterator[RawReading]:
        del pace
        return (self.READINGS[key] for key in keys)


def test_each_reading_is_an_entry_or_is_counted_or_is_gone() -> None:
    first, second = walking.walk(Fixed(), None, all_of_them, always)
    assert first == (
        [b"here", b"there"],
        [b"1", b"2"],
        [1_800_000_000_000, 1_800_000_000_001],
        [2, 0],
        6,
        3,
        0,
        "more",
    )
    assert second == ([], [], [], None, 4, 1, 2, None)


def test_a_page_whose_store_knows_no_finer_cursor_is_one_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walking, "BATCH_KEYS", 1)
    assert len(list(walking.walk(Fixed(), None, all_of_them, always))) == 2
    everywhere = walking.walk(Fixed(), None, all_of_them, always, after=lambda last, _: last)
    assert [batch.cursor for batch in everywhere] == [
        "here", "there", "more", "old", "list", "large", None,
    ]  # fmt: skip


def test_keys_with_one_hash_are_not_parted(
    make_cache: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "BATCH_KEYS", 1)
    monkeypatch.setattr("cachecheck.agent.backends.locmem._HASHES", 4)
    cache = make_cache(f"{BACKENDS}.locmem.LocMemCache", uuid.uuid4().hex)
    for number in range(50):
        cache.set(f"k{number}", number, math.inf)
    walked = Walked(cache, LocMemBackend("default", cache))
    names: list[bytes] = []
    cursor = None
    while True:
        batch = walked.step(cursor)
        names += batch.names
        cursor = batch.cursor
        if cursor is None:
            break
    assert len(names) == len(set(names)) == 50
