from __future__ import annotations

import base64
import pickle
import random
import sqlite3
import time
import uuid
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test.utils import override_settings

from cachecheck.agent.backends import database
from cachecheck.agent.backends.database import DatabaseBackend, DatabaseStore
from cachecheck.agent.worker import this_worker
from cachecheck.errors import InertUnreadable, StoreError, StoreUnreachable
from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATABASE = "django.core.cache.backends.db.DatabaseCache"


def go_on() -> bool:
    return True


@pytest.fixture(name="table")
def _table() -> Iterator[str]:
    name = f"cache_{uuid.uuid4().hex}"
    call_command("createcachetable", name, verbosity=0)
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")


@pytest.fixture(name="cache")
def _cache(make_cache: Callable[..., Any], table: str) -> Any:
    return make_cache(DATABASE, table, OPTIONS={"MAX_ENTRIES": 100_000})


@pytest.fixture(name="backend")
def _backend(cache: Any) -> DatabaseBackend:
    return DatabaseBackend("default", cache)


@pytest.fixture(name="filed")
def _filed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second database, ``filed``, in a file."""
    path = tmp_path / "site.sqlite3"
    settings = {**connections.settings["default"], "NAME": str(path)}
    monkeypatch.setitem(connections.settings, "filed", settings)
    yield path
    connections["filed"].close()
    del connections["filed"]


def scan_all(backend: DatabaseBackend, between: Callable[[], None] = lambda: None) -> list[str]:
    cursor, listed = None, []
    while True:
        with closing(backend.store()) as store:
            page = store.scan(cursor, go_on)
        listed.extend(page.keys)
        cursor = page.cursor
        if cursor is None:
            return listed
        between()


def rows(table: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY cache_key")
        return cursor.fetchall()


def read_one(backend: DatabaseBackend, key: str) -> Any:
    with closing(backend.store()) as store:
        (reading,) = store.read([backend.stored_key(key)], go_on)
    return reading


@pytest.mark.parametrize("use_tz", [True, False])
def test_entry_is_read_with_its_absolute_expiry_in_whole_seconds(
    cache: Any, backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch, *, use_tz: bool
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.75)
    with override_settings(USE_TZ=use_tz, TIME_ZONE="America/Chicago"):
        cache.set("a", {"name": "Ada"}, 60)
        reading = read_one(backend, "a")
    assert isinstance(reading, Stored)
    assert reading.expires_at == 1_800_000_060.0
    assert pickle.loads(backend.payload(reading)) == {"name": "Ada"}
    assert base64.b64decode(reading.value) == backend.payload(reading)
    assert backend.store().capabilities().expiry_resolution_seconds == 1.0


@pytest.mark.parametrize("use_tz", [True, False])
def test_entry_without_timeout_never_expires(
    cache: Any, backend: DatabaseBackend, *, use_tz: bool
) -> None:
    with override_settings(USE_TZ=use_tz):
        cache.set("a", 1, None)
        assert read_one(backend, "a").expires_at is None


def test_missing_and_expired_are_two_different_states(cache: Any, backend: DatabaseBackend) -> None:
    cache.set("old", 1, -5)
    expired = read_one(backend, "old")
    assert isinstance(expired, Expired)
    assert expired.expires_at < time.time()
    assert read_one(backend, "none") == Missing()


def test_looking_leaves_every_row_alone(cache: Any, backend: DatabaseBackend, table: str) -> None:
    for number in range(60):
        cache.set(f"k{number}", number, -5 if number % 3 == 0 else 60)
    before = rows(table)
    listed = scan_all(backend)
    readings = list(backend.store().read([*listed, ":1:none"], go_on))
    assert len(readings) == 61
    assert sum(isinstance(reading, Expired) for reading in readings) == 20
    assert rows(table) == before


def test_readings_come_in_the_order_of_the_keys_however_often_each_is_asked(
    cache: Any, backend: DatabaseBackend
) -> None:
    cache.set("a", 1)
    cache.set("b", 2)
    readings = list(backend.store().read([":1:b", ":1:x", ":1:a", ":1:b"], go_on))
    values = [
        pickle.loads(backend.payload(reading)) if isinstance(reading, Stored) else None
        for reading in readings
    ]
    assert values == [2, None, 1, 2]


def test_scan_lists_every_key_exactly_once_while_others_are_added(
    cache: Any, backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PAGE_ROWS", 20)
    first = {f":1:k{number}" for number in range(110)}
    for key in first:
        cache.set(key.removeprefix(":1:"), 1)
    listed = scan_all(backend, between=lambda: cache.set(uuid.uuid4().hex, 1))
    assert first <= set(listed)
    assert len(listed) == len(set(listed))


def test_the_cursor_does_not_show_the_key_that_it_stands_at(
    cache: Any, backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PAGE_ROWS", 1)
    key = "django.contrib.sessions.cache" + "ä" * 200
    cache.set(key, 1)
    cursor = backend.store().scan(None, go_on).cursor
    assert cursor is not None
    assert cursor.isascii()
    assert "sessions" not in cursor
    assert base64.urlsafe_b64decode(cursor).count(b"session") == 0
    assert len(cursor) <= 2000
    assert backend.store().scan(cursor, go_on).keys == ()


def test_a_cursor_that_is_none_of_ours_is_an_error_of_the_store(backend: DatabaseBackend) -> None:
    with pytest.raises(StoreError, match="cursor"):
        backend.store().scan(":1:k", go_on)


def test_without_a_secret_key_a_table_is_read_but_not_listed(
    cache: Any, backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PAGE_ROWS", 1)
    cache.set("a", 1)
    with override_settings(SECRET_KEY=""):
        assert isinstance(read_one(backend, "a"), Stored)
        with pytest.raises(StoreError, match="SECRET_KEY"):
            backend.store().scan(None, go_on)


def test_an_entry_over_the_limit_is_too_large_and_not_fetched(cache: Any, table: str) -> None:
    cache.set("a", "x" * 2000)
    (reading,) = DatabaseStore("default", table, max_value_chars=100).read([":1:a"], go_on)
    assert isinstance(reading, Failed)
    assert reading.reason == "too-large"


def test_large_values_are_fetched_a_few_at_once(
    cache: Any, backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        cache.set(f"k{number}", random.randbytes(1 << 20))
    fetched: list[int] = []
    select = DatabaseStore._select_rows  # noqa: SLF001

    def weighed(store: Any, *arguments: Any) -> Any:
        rows = select(store, *arguments)
        fetched.append(sum(len(row[2] or "") for row in rows))
        return rows

    monkeypatch.setattr(DatabaseStore, "_select_rows", weighed)
    keys = [f":1:k{number}" for number in (*range(8), 3)]
    readings = list(backend.store().read(keys, go_on))
    assert [pickle.loads(backend.payload(each)) for each in readings] == [
        cache.get(key.removeprefix(":1:")) for key in keys
    ]
    assert max(fetched) <= 4 << 20


def test_a_value_that_grows_between_weighing_and_fetching_is_fetched_by_itself(
    cache: Any, backend: DatabaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("a", "short")
    weigh = DatabaseStore._lengths  # noqa: SLF001

    def weigh_and_write(store: Any, keys: Any) -> Any:
        lengths = weigh(store, keys)
        cache.set("a", "long" * 100)
        cache.set("new", "value")
        return lengths

    monkeypatch.setattr(DatabaseStore, "_lengths", weigh_and_write)
    readings = list(backend.store().read([":1:a", ":1:new"], go_on))
    assert [pickle.loads(backend.payload(each)) for each in readings] == ["long" * 100, "value"]


def test_a_missing_table_is_an_error_of_the_store_and_breaks_no_transaction(
    make_cache: Callable[..., Any], cache: Any
) -> None:
    store = DatabaseBackend("default", make_cache(DATABASE, "no_such_table")).store()
    with transaction.atomic():
        cache.set("a", 1)
        with pytest.raises(StoreError, match="no_such_table"):
            list(store.read([":1:a"], go_on))
        with pytest.raises(StoreError, match="no_such_table"):
            store.scan(None, go_on)
        assert cache.get("a") == 1
        store.close()
    assert cache.get("a") == 1


def test_a_database_that_is_down_is_unreachable(filed: Path, table: str) -> None:
    filed.mkdir()
    with pytest.raises(StoreUnreachable):
        DatabaseStore("filed", table).scan(None, go_on)


def test_a_key_that_the_driver_refuses_is_an_error_of_the_store(backend: DatabaseBackend) -> None:
    with pytest.raises(StoreError):
        list(backend.store().read(["\ud800"], go_on))


class ReadsGoToTheFile:
    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        return "filed" if model._meta.app_label == "django_cache" else None  # noqa: SLF001  public


def test_reads_go_where_the_router_sends_them_and_close_what_they_opened(
    cache: Any, table: str, filed: Path
) -> None:
    call_command("createcachetable", table, database="filed", verbosity=0)
    connections["filed"].close()
    cache.set("a", 1)
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.{ReadsGoToTheFile.__name__}"]):
        backend = DatabaseBackend("default", cache)
        store = backend.store()
        assert list(store.read([":1:a"], go_on)) == [Missing()]
        assert connections["filed"].connection is not None
        store.close()
        assert connections["filed"].connection is None
        assert backend.store().identity().address == f"{filed} {table}"


@pytest.mark.usefixtures("filed")
def test_a_connection_of_the_application_stays_open(table: str) -> None:
    call_command("createcachetable", table, database="filed", verbosity=0)
    store = DatabaseStore("filed", table)
    assert store.scan(None, go_on).keys == ()
    store.close()
    assert connections["filed"].connection is not None


def test_sqlite_in_a_file_is_observed_by_host_and_file(filed: Path, table: str) -> None:
    store = DatabaseStore("filed", table)
    assert store.identity().grade == "unobserved"
    sqlite3.connect(filed).close()
    filed.touch()
    identity = store.identity()
    assert identity.grade == "observed"
    assert this_worker().host_id in str(identity.token)
    assert DatabaseStore("filed", "another").identity().token != identity.token


def test_sqlite_in_memory_is_observed_by_process(backend: DatabaseBackend) -> None:
    identity = backend.store().identity()
    assert identity.grade == "observed"
    assert this_worker().id in str(identity.token)


def address(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Any:
    store = DatabaseStore("default", "cache")
    monkeypatch.setattr(connections["default"], "vendor", "postgresql")
    at = {"HOST": "", "PORT": "", "NAME": "site", "USER": "u", "PASSWORD": "hidden", **settings}
    monkeypatch.setattr(connections["default"], "settings_dict", at)
    return store.identity()


def test_other_engines_are_suggested_by_their_address_without_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identity = address(monkeypatch, HOST="DB.example", PORT="5432")
    assert identity.grade == "suggested"
    assert identity.token == "database:postgresql:db.example:5432:site:cache"
    assert identity.address == "postgresql://DB.example:5432/site/cache"


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "/run/postgresql"])
def test_a_database_on_this_host_is_told_from_that_of_another(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    assert this_worker().host_id in address(monkeypatch, HOST=host).token


def test_what_is_not_base64_is_unreadable(backend: DatabaseBackend) -> None:
    with pytest.raises(InertUnreadable):
        backend.payload(Stored(value=b"$$$", expires_at=None))


def test_settings_and_codec_are_given_one_by_one(backend: DatabaseBackend, table: str) -> None:
    assert dict(backend.settings()) == {
        "max_entries": "100000",
        "cull_frequency": "3",
        "location": table,
    }
    assert dict(backend.codec())["encoding"] == "base64"
    with suppress(StoreError):
        backend.store().close()
