from __future__ import annotations

import re
import socket
import time
from base64 import b64encode
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.stores.memcached import Endpoint, MemcachedStore, bulk, dump
from cachecheck.sums import NEVER
from harness.process import wait_until
from relaying import relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cachecheck.stores.base import Batch
    from harness.memcached import MemcachedServer

A_YEAR = 365 * 24 * 3600


def always() -> bool:
    return True


def all_of_them(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return {key: key for key in keys}


def endpoint(server: MemcachedServer) -> Endpoint:
    return Endpoint(label=server.address, host="127.0.0.1", port=server.port)


@contextmanager
def store_of(*servers: MemcachedServer, **options: Any) -> Iterator[MemcachedStore]:
    options.setdefault("router", lambda _key: servers[0].address)
    with closing(MemcachedStore([endpoint(each) for each in servers], **options)) as store:
        yield store


def put(server: MemcachedServer, entries: Mapping[bytes, bytes], exptime: int = 0) -> None:
    flags = 3
    commands = [
        b"ms %s %d b q T%d F%d\r\n%s\r\n" % (b64encode(key), len(value), exptime, flags, value)
        for key, value in entries.items()
    ]
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"".join(commands) + b"mn\r\n")
        assert connection.recv(100) == b"MN\r\n"


def stat(server: MemcachedServer, name: str) -> int:
    found = re.search(rf"STAT {name} (\d+)", server.ask("stats"))
    assert found is not None
    return int(found[1])


def entries_in(batches: Sequence[Batch]) -> dict[bytes, tuple[bytes, int, int]]:
    found = {}
    for batch in batches:
        flags = batch.flags or [0] * len(batch.names)
        columns = zip(batch.names, batch.values, batch.expiries_ms, flags, strict=True)
        found.update({name: (value, expiry, flag) for name, value, expiry, flag in columns})
    return found


def test_every_entry_is_given_with_value_flags_and_expiry(
    memcached_server: MemcachedServer,
) -> None:
    at = int(time.time()) + A_YEAR
    put(memcached_server, {b"%d" % number: b"x" * number for number in range(1500)}, at)
    put(memcached_server, {b"stays": b"value", b"a space": b"1", "köy".encode(): b"2"})
    with store_of(memcached_server) as store:
        batches = list(store.walk(None, all_of_them, always))
    found = entries_in(batches)
    assert len(found) == 1503
    assert found[b"stays"] == (b"value", NEVER, 3)
    assert found[b"a space"] == (b"1", NEVER, 3)
    assert found["köy".encode()] == (b"2", NEVER, 3)
    assert all(found[b"%d" % number] == (b"x" * number, at * 1000, 3) for number in range(1500))
    assert sum(batch.scanned for batch in batches) == 1503
    assert sum(batch.foreign + batch.unread for batch in batches) == 0
    assert batches[-1].cursor is None


def test_two_servers_tell_one_absolute_expiry_as_the_same_number(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    one = start_memcached()
    time.sleep(0.6)  # their clocks tick at different moments
    two = start_memcached()
    at = int(time.time()) + A_YEAR
    for server in (one, two):
        put(server, {b"%d" % number: b"value" for number in range(2000)}, at)
    for server in (one, two):
        with store_of(server) as store:
            found = entries_in(list(store.walk(None, all_of_them, always)))
        assert {expiry for _, expiry, _ in found.values()} == {at * 1000}


def test_a_key_that_is_no_text_is_foreign_and_a_value_past_the_limit_unread(
    memcached_server: MemcachedServer,
) -> None:
    put(memcached_server, {b"\xff\xfe": b"value", b"large": b"x" * 5000, b"small": b"value"})
    with store_of(memcached_server, max_value_bytes=1000) as store:
        batches = list(store.walk(None, all_of_them, always))
    assert set(entries_in(batches)) == {b"small"}
    assert sum(batch.scanned for batch in batches) == 3
    assert sum(batch.foreign for batch in batches) == 1
    assert sum(batch.unread for batch in batches) == 1


def test_only_what_is_chosen_is_read_and_the_hits_are_counted(
    memcached_server: MemcachedServer,
) -> None:
    put(memcached_server, {b"ours:%d" % number: b"value" for number in range(300)})
    put(memcached_server, {b"theirs:%d" % number: b"value" for number in range(300)})

    def ours(keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {key: key.removeprefix(b"ours:") for key in keys if key.startswith(b"ours:")}

    before = stat(memcached_server, "get_hits") + stat(memcached_server, "get_misses")
    with store_of(memcached_server) as store:
        found = entries_in(list(store.walk(None, ours, always)))
        own_reads = store.own_reads
    after = stat(memcached_server, "get_hits") + stat(memcached_server, "get_misses")
    assert set(found) == {b"%d" % number for number in range(300)}
    assert after - before == own_reads >= 300


def test_a_walk_that_goes_on_in_another_store_after_every_batch_gives_every_key_once(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART_KEYS", 200)
    wanted = {b"%d" % number: b"x" * (number % 700) for number in range(2000)}
    put(memcached_server, wanted)
    names: list[bytes] = []
    cursor, batches = None, 0
    while True:
        with store_of(memcached_server) as store:
            batch = next(iter(store.walk(cursor, all_of_them, always)))
        names += batch.names
        batches += 1
        cursor = batch.cursor
        if cursor is None:
            break
    assert sorted(names) == sorted(wanted)
    assert batches > 10


def test_one_dump_serves_many_parts_while_the_walk_goes_on(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART_KEYS", 100)
    monkeypatch.setattr(bulk, "_HELD_KEYS", 300)
    put(memcached_server, {b"%d" % number: b"value" for number in range(1000)})
    before = stat(memcached_server, "lru_crawler_starts")
    with store_of(memcached_server) as store:
        batches = list(store.walk(None, all_of_them, always))
    assert len(entries_in(batches)) == 1000
    assert len(batches) == 11
    assert stat(memcached_server, "lru_crawler_starts") - before <= 2  # it also starts by itself


def test_parts_of_large_values_hold_few_keys(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART_BYTES", 1 << 20)
    put(memcached_server, {b"%d" % number: b"x" * 100_000 for number in range(80)})
    with store_of(memcached_server) as store:
        batches = list(store.walk(None, all_of_them, always))
    assert len(entries_in(batches)) == 80
    assert max(sum(map(len, batch.values)) for batch in batches) < 3 << 20


@contextmanager
def slow_client(server: MemcachedServer, key: bytes) -> Iterator[socket.socket]:
    """Hold an entry in use: an answer that the client is slow to take."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"get %s\r\n" % key * 20)  # more than sockets hold
        client.recv(1)
        yield client


def dumped(store: MemcachedStore) -> set[bytes]:
    return set(entries_in(list(store.walk(None, all_of_them, always))))


@pytest.mark.parametrize("leaves", [True, False])
def test_an_entry_in_use_is_looked_for_once_more(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch, *, leaves: bool
) -> None:
    put(memcached_server, {b"hot": b"x" * 900_000, b"large": b"x" * 900_000, b"small": b"x"})
    taken: list[int] = []
    take = dump._packed_dump  # noqa: SLF001  called as it is: it says when a dump ended

    with store_of(memcached_server) as store, slow_client(memcached_server, b"hot") as client:

        def noted(connection: Any, slab: int) -> Any:
            found = take(connection, slab)
            taken.append(slab)
            if leaves and len(taken) == 2:
                client.close()
                wait_until(lambda: stat(memcached_server, "curr_connections") <= 2, what="its end")
            return found

        monkeypatch.setattr(dump, "_packed_dump", noted)
        found = dumped(store)
    assert found == ({b"hot", b"large", b"small"} if leaves else {b"large", b"small"})
    assert len(taken) == 3
    assert len(set(taken)) == 2


def test_what_is_not_where_clients_look_for_it_is_foreign(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    one, two = start_memcached(), start_memcached()
    put(one, {b"of one": b"1", b"of two": b"left behind"})
    put(two, {b"of two": b"2"})

    def router(key: str) -> str:
        return one.address if key == "of one" else two.address

    with store_of(one, two, router=router) as store:
        batches = list(store.walk(None, all_of_them, always))
        assert store.capabilities().entries == 3
    assert entries_in(batches) == {b"of one": (b"1", NEVER, 3), b"of two": (b"2", NEVER, 3)}
    assert sum(batch.foreign for batch in batches) == 1


def test_a_server_that_dies_in_the_middle_ends_the_walk(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART_KEYS", 100)
    put(memcached_server, {b"%d" % number: b"value" for number in range(1000)})
    with store_of(memcached_server) as store:
        batches = store.walk(None, all_of_them, always)
        next(iter(batches))
        memcached_server.stop()
        with pytest.raises(StoreUnreachable):
            next(batches)


@pytest.mark.parametrize("answer", [b"VA -3 f0 t-1", b"VA 6 f-1 t-1", b"VA 6 f4294967296 t-1"])
def test_an_answer_that_cannot_be_ends_the_walk(
    memcached_server: MemcachedServer, answer: bytes
) -> None:
    put(memcached_server, {b"key": b"value!"})
    with relay(memcached_server.port, (b"VA 6 f", answer)) as (port, _):
        asked = Endpoint(label="one", host="127.0.0.1", port=port)
        with (
            closing(MemcachedStore([asked], lambda _key: "one")) as store,
            pytest.raises(StoreError, match="does not answer as memcached does"),
        ):
            list(store.walk(None, all_of_them, always))


def test_a_foreign_cursor_is_refused(memcached_server: MemcachedServer) -> None:
    with store_of(memcached_server) as store, pytest.raises(StoreError, match="not a cursor"):
        store.walk("nonsense", all_of_them, always)
