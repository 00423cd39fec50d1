from __future__ import annotations

import gc
import os
import sys
import time
import weakref
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import redis
from redis._parsers import _RESP2Parser

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.stores.redis import RedisStore, bulk, our_client
from cachecheck.stores.redis.tempo import FEWEST_KEYS, FIRST_KEYS, MOST_KEYS, Tempo
from cachecheck.stores.redis.wire import pack_pairs
from cachecheck.sums import NEVER
from harness.lagging import LaggingLink
from relaying import relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cachecheck.stores.base import Batch
    from harness.redis import RedisServer

PASSWORD = "hunter2-very-secret"


class Entry(NamedTuple):
    value: bytes
    expires_ms: int


class Chooser:
    """Chooses what does not begin with ``skip``, under the name without ``site:``."""

    def __init__(self, skip: bytes = b"skip") -> None:
        self.skip = skip
        self.asked: list[bytes] = []

    def __call__(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self.asked += keys
        return {key: key.removeprefix(b"site:") for key in keys if not key.startswith(self.skip)}


def always() -> bool:
    return True


@contextmanager
def store_at(
    url: str, connecting: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[RedisStore]:
    def connect() -> redis.Redis:
        return our_client(redis.ConnectionPool.from_url(url, **(connecting or {})))

    with closing(RedisStore(connect, address="shown", **options)) as store:
        yield store


def entries_in(batches: Sequence[Batch]) -> dict[bytes, Entry]:
    found = {}
    for batch in batches:
        columns = zip(batch.names, batch.values, batch.expiries_ms, strict=True)
        found.update({name: Entry(value, expiry) for name, value, expiry in columns})
        assert batch.flags is None
    return found


def walk(store: RedisStore, choose: Any = None, cursor: str | None = None) -> list[Batch]:
    return list(store.walk(cursor, choose or Chooser(), always))


@pytest.fixture(params=["with hiredis", "without hiredis"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of connections; redis-py looks for hiredis when it is imported, which was before."""
    if request.param == "with hiredis":
        return {}
    monkeypatch.setitem(sys.modules, "hiredis", None)
    return {"parser_class": _RESP2Parser}


def test_every_entry_is_given_with_value_and_expiry(
    redis_server: RedisServer, parser: dict[str, Any]
) -> None:
    with redis_server.client(**parser) as client, client.pipeline() as filling:
        for number in range(3000):
            filling.set(f"site:{number}", os.urandom(number % 500), px=90_000 + number)
        filling.set("site:persistent", "stays")
        filling.set("skip:me", "not chosen")
        filling.execute()
        wanted = {
            key.removeprefix(b"site:"): Entry(client.get(key), client.pexpiretime(key))  # type: ignore[arg-type]  # redis-py
            for key in client.keys("site:*")  # type: ignore[union-attr]  # redis-py
        }
    with store_at(redis_server.url, parser) as store:
        batches = walk(store)
    assert entries_in(batches) == wanted
    assert wanted[b"persistent"] == Entry(b"stays", NEVER)
    assert sum(batch.scanned for batch in batches) == 3002
    assert sum(batch.foreign + batch.unread for batch in batches) == 0
    assert batches[-1].cursor is None


def test_what_is_no_string_or_no_text_is_foreign(
    redis_server: RedisServer, parser: dict[str, Any]
) -> None:
    with redis_server.client(**parser) as client:
        client.set("text", "value")
        client.rpush("list", "item")
        client.hset("hash", "field", "value")
        client.set(b"\xff\xfe", "not text")
    choose = Chooser()
    with store_at(redis_server.url, parser) as store:
        batches = walk(store, choose)
    assert entries_in(batches) == {b"text": Entry(b"value", NEVER)}
    assert [(batch.scanned, batch.foreign, batch.unread) for batch in batches] == [(4, 3, 0)]
    assert b"\xff\xfe" not in choose.asked


def test_a_large_value_is_read_and_one_past_the_limit_is_unread(
    redis_server: RedisServer, parser: dict[str, Any]
) -> None:
    large = os.urandom(bulk.PIECES_BYTES + 1)
    with redis_server.client(**parser) as client:
        client.set("large", large)
        client.set("larger", large + b"!" * 10)
        client.set("small", "value")
    with store_at(redis_server.url, parser, max_value_bytes=len(large)) as store:
        batches = walk(store)
    assert entries_in(batches) == {b"large": Entry(large, NEVER), b"small": Entry(b"value", NEVER)}
    assert sum(batch.unread for batch in batches) == 1


def test_values_that_together_are_too_large_come_in_several_batches_each_key_chosen_once(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH_BYTES", 1 << 20)
    monkeypatch.setattr(bulk, "PIECES_BYTES", 1 << 10)
    wanted = {b"%d" % number: Entry(os.urandom(100_000), NEVER) for number in range(100)}
    with redis_server.client() as client:
        client.mset({key: entry.value for key, entry in wanted.items()})
        client.set("skip:me", "not chosen")
    choose = Chooser()
    with store_at(redis_server.url) as store:
        batches = walk(store, choose)
    assert entries_in(batches) == wanted
    assert all(sum(map(len, batch.values)) <= 2 << 20 for batch in batches)
    assert sorted(choose.asked) == sorted([*wanted, b"skip:me"])
    assert sum(batch.scanned for batch in batches) == 101


def test_chosen_keys_that_access_rules_forbid_are_unread(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~ours:* +@all"])
    with server.client() as client:
        client.mset({"ours:1": "value", "theirs:1": "value", "theirs:2": "value"})
    with store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store:
        batches = walk(store)
        assert store.own_reads == 2
    assert entries_in(batches) == {b"ours:1": Entry(b"value", NEVER)}
    assert sum(batch.foreign for batch in batches) == 0
    assert sum(batch.unread for batch in batches) == 2


def test_keys_read_one_by_one_that_access_rules_forbid_are_unread(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~ours:* +@all -getrange"])
    with server.client() as client:
        client.mset({"ours:1": "value", "theirs:1": "value"})
        client.rpush("ours:list", "item")
    with store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store:
        batches = walk(store)
    assert sum(batch.foreign for batch in batches) == 1
    assert sum(batch.unread for batch in batches) == 1


@pytest.mark.parametrize("denied", ["-pexpiretime", "-getrange", "-pexpiretime -time", "-info"])
def test_denied_commands_that_there_is_another_way_for_are_done_without(
    start_redis: Callable[..., RedisServer], denied: str
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~* +@all {denied}"])
    with server.client() as client:
        client.set("key", "value", px=60_000)
        expires_ms = client.pexpiretime("key")
    with store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store:
        found = entries_in(walk(store))
    assert found[b"key"].value == b"value"
    assert found[b"key"].expires_ms == pytest.approx(expires_ms, abs=500)


@pytest.mark.parametrize(
    "denied", ["-scan", "-getrange -get", "-getrange -strlen", "-pttl -pexpiretime"]
)
def test_a_command_that_cannot_be_done_without_ends_the_walk(
    start_redis: Callable[..., RedisServer], denied: str
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~* +@all {denied}"])
    with server.client() as client:
        client.set("key", "value")
    with (
        store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store,
        pytest.raises((StoreDenied, StoreUnsupported), match="the access rules forbid"),
    ):
        walk(store)


def test_refused_credentials_and_a_dead_server_end_the_walk_as_store_errors(
    redis_server: RedisServer,
) -> None:
    with (
        store_at(f"redis://nobody:{PASSWORD}@{redis_server.address}/0") as store,
        pytest.raises(StoreDenied) as caught,
    ):
        walk(store)
    assert PASSWORD not in f"{caught.value!r}"
    redis_server.stop()
    with store_at(redis_server.url) as store, pytest.raises(StoreUnreachable):
        walk(store)


def test_a_server_that_dies_in_the_middle_ends_the_walk(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.mset({f"key:{number}": "value" for number in range(5000)})
    with store_at(redis_server.url) as store:
        batches = store.walk(None, Chooser(), always)
        next(batches)
        redis_server.stop()
        with pytest.raises(StoreUnreachable):
            next(batches)


def test_more_answers_than_were_asked_for_end_the_walk(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("key", b"x" * 77_777)
    one_more = (b"$77777", b":1\r\n$77777")
    with (
        relay(redis_server.port, one_more) as (port, _),
        store_at(f"redis://127.0.0.1:{port}") as store,
        pytest.raises(StoreError, match="more than it was asked for"),
    ):
        walk(store)


def test_a_foreign_cursor_is_refused(redis_server: RedisServer) -> None:
    with store_at(redis_server.url) as store, pytest.raises(StoreError, match="not a cursor"):
        walk(store, cursor="1:2")


def test_a_walk_that_goes_on_in_another_store_after_every_batch_gives_every_stable_key(
    redis_server: RedisServer,
) -> None:
    wanted = {b"%d" % number: Entry(b"value", NEVER) for number in range(4000)}
    found: dict[bytes, Entry] = {}
    cursor, scanned = None, 0
    with redis_server.client() as client:
        client.mset({key: entry.value for key, entry in wanted.items()})
        while True:
            with store_at(redis_server.url) as store:
                batch = next(iter(store.walk(cursor, Chooser(), always)))
            scanned += batch.scanned
            found |= entries_in([batch])
            if batch.cursor is None:
                break
            cursor = batch.cursor
            client.set(f"skip:{scanned}", "comes and goes")
    assert found == wanted
    assert scanned >= 4000


def test_a_walk_that_is_left_gives_its_connection_back(
    redis_server: RedisServer, parser: dict[str, Any]
) -> None:
    with redis_server.client(**parser) as client:
        client.mset({f"key:{number}": "value" for number in range(2000)})
        with store_at(redis_server.url, parser) as store:
            for _ in range(5):
                batches = store.walk(None, Chooser(), always)
                next(iter(batches))
                del batches
            assert len(walk(store)) > 1
            ours = [each for each in client.client_list() if each["id"] != str(client.client_id())]
        assert len(ours) <= 2


def test_reads_that_moved_the_hit_counters_are_counted(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.mset({f"key:{number}": "value" for number in range(500)})
        client.rpush("list", "item")
        client.set("large", b"x" * (bulk.PIECES_BYTES + 1))
        client.config_resetstat()
        with store_at(redis_server.url) as store:
            walk(store)
            own_reads = store.own_reads
        stats = client.info("stats")
    assert stats["keyspace_hits"] + stats["keyspace_misses"] == own_reads


def test_the_number_of_entries_is_told_with_and_without_info(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~* +@all -info"])
    with server.client() as client:
        client.mset({f"key:{number}": "value" for number in range(7)})
    with store_at(server.url) as zero, store_at(server.url[:-1] + "1") as one:
        assert (zero.capabilities().entries, one.capabilities().entries) == (7, 0)
    with store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store:
        assert store.capabilities().entries == 7


# --- tempo ---------------------------------------------------------------------------------


def test_the_chunk_doubles_while_answers_are_quick_and_halves_when_they_are_slow() -> None:
    tempo = Tempo()
    assert tempo.keys == FIRST_KEYS
    for _ in range(10):
        assert tempo.took(0.001, tempo.keys, 100) == 0
    assert tempo.keys == MOST_KEYS
    for _ in range(20):
        tempo.took(0.1, tempo.keys, 100)
    assert tempo.keys == FEWEST_KEYS


def test_no_more_keys_are_asked_for_than_may_be() -> None:
    tempo = Tempo(50)
    for _ in range(3):
        assert tempo.keys == 50
        tempo.took(0.001, 50, 100)


def test_large_values_lower_the_chunk_at_once() -> None:
    tempo = Tempo()
    tempo.took(0.004, 200, 200 << 20)
    assert tempo.keys == 4
    tempo.weighs_too_much(4, 64 << 20)
    assert tempo.keys == 1
    tempo.took(0.004, 1, 100)
    assert tempo.keys == 1


def test_a_server_that_slows_down_is_given_pauses_that_grow_and_are_bounded() -> None:
    tempo = Tempo()
    assert [tempo.took(0.002, 200, 100) for _ in range(3)] == [0, 0, 0]
    pauses = [tempo.took(0.03, 100, 100) for _ in range(12)]
    assert pauses[:2] == [0, 0]
    assert pauses[2:5] == pytest.approx([0.03, 0.06, 0.12])
    assert max(pauses) == pauses[-1] == 0.25
    assert tempo.took(0.001, 100, 100) == 0


def test_waiting_for_a_processor_of_ours_is_no_reason_to_pause() -> None:
    tempo = Tempo()
    tempo.took(0.001, 400, 100)
    assert [tempo.took(0.02, 400, 100) for _ in range(5)] == [0] * 5


def test_rounds_over_very_few_keys_are_no_reason_to_pause() -> None:
    tempo = Tempo()
    tempo.took(0.001, 2000, 100)
    assert [tempo.took(0.05, 3, 100) for _ in range(5)] == [0] * 5


def test_a_server_that_is_far_away_is_asked_for_many_keys_at_once(
    redis_server: RedisServer,
) -> None:
    with redis_server.client() as client:
        client.mset({f"item-{number}": "value" for number in range(5000)})
    with (
        LaggingLink(redis_server.port, 0.03) as link,
        store_at(f"redis://127.0.0.1:{link.port}") as store,
    ):
        batches = walk(store)
    assert sum(batch.scanned for batch in batches) == 5000
    assert len(batches) < 20


def test_a_walk_pauses_between_batches_only(redis_server: RedisServer) -> None:
    paces: list[float] = []

    def pace() -> bool:
        paces.append(time.monotonic())
        return False

    with redis_server.client() as client:
        client.mset({f"key:{number}": "value" for number in range(3000)})
    with store_at(redis_server.url) as store:
        batches = list(store.walk(None, Chooser(), pace))
    assert len(entries_in(batches)) == 3000
    assert len(paces) == len(batches) - 1


def test_a_walk_keeps_nothing_once_it_is_over(redis_server: RedisServer) -> None:
    """Nor where the server does not know a command: what it raises must not hold the walk."""
    with redis_server.client() as client:
        client.mset({f"key-{number}": "value" for number in range(100)})
    gc.collect()
    gc.disable()
    try:
        with store_at(redis_server.url) as store:
            chooser = Chooser()
            (*_, last) = store.walk(None, chooser, always)
            assert last.cursor is None
            alive = weakref.ref(chooser)
            del chooser
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("keys", [[b"a"], [b"one", b"two"], [b"one", b"eleven", b""]])
def test_commands_are_packed_as_redis_py_packs_them(keys: list[bytes]) -> None:
    packed = redis.connection.Connection().pack_commands(
        command for key in keys for command in [("PTTL", key), ("GETRANGE", key, 0, 99)]
    )
    assert pack_pairs(keys, b"PTTL", b"GETRANGE", b"0", b"99") == b"".join(packed)
