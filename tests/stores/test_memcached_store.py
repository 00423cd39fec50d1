from __future__ import annotations

import re
import socket
import threading
import time
import zlib
from base64 import b64encode
from contextlib import ExitStack, closing, contextmanager, suppress
from random import randbytes
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.errors import StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored
from cachecheck.stores.memcached import Endpoint, MemcachedStore, dump
from harness.process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.memcached import MemcachedServer


def always() -> bool:
    return True


def endpoint(port: int) -> Endpoint:
    return Endpoint(label=f"127.0.0.1:{port}", host="127.0.0.1", port=port)


@contextmanager
def store_of(*servers: MemcachedServer, **options: Any) -> Iterator[MemcachedStore]:
    endpoints = [endpoint(server.port) for server in servers]
    options.setdefault("router", lambda _key: endpoints[0].label)
    with closing(MemcachedStore(endpoints, **options)) as store:
        yield store


def put(
    server: MemcachedServer, key: str | bytes, value: bytes, seconds: int = 0, flags: int = 0
) -> None:
    encoded = b64encode(key.encode() if isinstance(key, str) else key)
    with socket.create_connection(("127.0.0.1", server.port), 2) as connection:
        connection.sendall(
            b"ms %s %d b T%d F%d\r\n%s\r\n" % (encoded, len(value), seconds, flags, value)
        )
        assert connection.recv(100) == b"HD\r\n"


def fill(server: MemcachedServer, count: int) -> None:
    lines = b"".join(b"set key:%d 0 0 1 noreply\r\nx\r\n" % number for number in range(count))
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(lines + b"version\r\n")
        assert connection.recv(100).startswith(b"VERSION")


def stat(server: MemcachedServer, name: str) -> int:
    found = re.search(rf"STAT {name} (\d+)", server.ask("stats"))
    assert found is not None
    return int(found[1])


def scan_all(store: MemcachedStore) -> tuple[list[str], int]:
    keys: list[str] = []
    cursor, foreign = None, 0
    while True:
        page = store.scan(cursor, always)
        keys += page.keys
        foreign += page.foreign
        cursor = page.cursor
        if cursor is None:
            return keys, foreign


# --- identity ------------------------------------------------------------------------------


def test_a_server_is_suggested_by_process_and_start_the_same_in_every_look(
    memcached_server: MemcachedServer,
) -> None:
    tokens = set()
    with store_of(memcached_server) as store:
        for _ in range(12):
            identity = store.identity()
            tokens.add(identity.token)
            time.sleep(0.1)
    (token,) = tokens
    assert identity.grade == "suggested"
    assert token.startswith(f"memcached:{memcached_server.pid}:")
    assert identity.clock_offset_seconds == pytest.approx(0, abs=1.5)
    assert identity.address == memcached_server.address


def test_servers_in_another_order_are_the_same_ones(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    one, two = start_memcached(), start_memcached()
    with store_of(one, two) as ours, store_of(two, one) as theirs, store_of(one) as other:
        assert ours.identity().token == theirs.identity().token != other.identity().token


def test_a_server_that_is_down_leaves_the_store_unobserved(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    up, down = start_memcached(), start_memcached()
    down.stop()
    with store_of(up, down) as store:
        identity, capabilities = store.identity(), store.capabilities()
        assert store.counters() is None
    assert identity.grade == "unobserved"
    assert identity.reason == f"{down.address}: connection refused"
    assert capabilities.can_read
    assert capabilities.reasons == (f"{down.address}: unreachable",)


# --- capabilities and counters -------------------------------------------------------------


def test_reading_touches_no_recency_and_tells_whole_seconds(
    memcached_server: MemcachedServer,
) -> None:
    with store_of(memcached_server) as store:
        capabilities = store.capabilities()
    assert (capabilities.can_scan, capabilities.can_read) == (True, True)
    assert not capabilities.touches_recency
    assert capabilities.expiry_resolution_seconds == 1.0
    assert capabilities.reasons == ()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-o", "no_lru_crawler"], "has its LRU crawler disabled"),
        (["-X"], "was started with dumping forbidden"),
    ],
)
def test_a_server_that_does_not_list_says_so_and_is_read_all_the_same(
    start_memcached: Callable[..., MemcachedServer], arguments: list[str], reason: str
) -> None:
    server = start_memcached(extra_args=arguments)
    put(server, "key", b"value")
    with store_of(server) as store:
        capabilities = store.capabilities()
        assert capabilities.reasons == (f"{server.address} {reason}",)
        assert (capabilities.can_scan, capabilities.can_read) == (False, True)
        with pytest.raises(StoreUnsupported):
            scan_all(store)
        (reading,) = store.read(["key"], always)
    assert isinstance(reading, Stored)


def test_an_older_server_is_not_read() -> None:
    def answer(asked: bytes) -> bytes:
        return b"STAT version 1.5.6\r\nEND\r\n" if asked.startswith(b"stats\r") else b"ERROR\r\n"

    with fake(answer) as port:
        store = MemcachedStore([endpoint(port)], lambda _key: f"127.0.0.1:{port}")
        with closing(store):
            capabilities = store.capabilities()
    assert not capabilities.can_read
    assert "older than memcached 1.6" in capabilities.reasons[0]


def test_counters_are_the_servers_and_our_own_reads_are_known(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    one, two = start_memcached(), start_memcached()
    put(one, "key", b"value")
    one.ask("get key")
    two.ask("get nothing")
    with store_of(one, two) as store:
        before = store.counters()
        list(store.read(["key", "nothing"], always))
        after = store.counters()
    assert before is not None
    assert after is not None
    assert (before.hits, before.misses) == (1, 1)
    assert before.since == pytest.approx(time.time(), abs=10)
    moved = after.hits + after.misses - before.hits - before.misses
    assert moved == store.own_reads


# --- scan ----------------------------------------------------------------------------------


def test_every_slab_class_of_every_server_is_listed(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    one, two = start_memcached(), start_memcached()
    expected = set()
    for number in range(12):
        for server in (one, two):
            key = f"{server.port}:{number}"
            put(server, key, b"x" * 3**number if number < 11 else b"")
            expected.add(key)
    with store_of(one, two) as store:
        keys, foreign = scan_all(store)
    assert sorted(keys) == sorted(expected)
    assert foreign == 0


def test_an_empty_server_has_one_empty_page(memcached_server: MemcachedServer) -> None:
    with store_of(memcached_server) as store:
        page = store.scan(None, always)
    assert (page.keys, page.foreign, page.cursor) == ((), 0, None)


def test_unicode_keys_are_decoded_and_binary_ones_are_foreign(
    memcached_server: MemcachedServer,
) -> None:
    put(memcached_server, "ключ%20", b"1")
    put(memcached_server, "with space", b"2")
    put(memcached_server, b"\xff\xfe", b"3")
    with store_of(memcached_server) as store:
        keys, foreign = scan_all(store)
        readings = list(store.read(["ключ%20", "with space"], always))
    assert sorted(keys) == ["with space", "ключ%20"]
    assert foreign == 1
    assert [reading.value for reading in readings] == [b"1", b"2"]


def test_a_spent_budget_ends_the_page_after_a_whole_dump(
    memcached_server: MemcachedServer,
) -> None:
    fill(memcached_server, 3000)
    put(memcached_server, "larger", b"x" * 500)
    with store_of(memcached_server) as store:
        first = store.scan(None, lambda: False)
        second = store.scan(first.cursor, lambda: False)
    assert len(first.keys) == 3000
    assert second.keys == ("larger",)


def test_a_class_with_very_many_entries_is_listed_in_parts(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "PART_KEYS", 300)
    fill(memcached_server, 1000)
    with store_of(memcached_server) as store:
        pages = [store.scan(None, lambda: False)]
        while pages[-1].cursor is not None:
            pages.append(store.scan(pages[-1].cursor, lambda: False))
    keys = [key for page in pages for key in page.keys]
    assert len(keys) == len(set(keys)) == 1000
    assert max(len(page.keys) for page in pages) < 400


def test_a_class_with_too_many_entries_is_said_not_to_be_listed(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "MAX_CLASS_KEYS", 10)
    fill(memcached_server, 11)
    with store_of(memcached_server) as store, pytest.raises(StoreUnsupported, match="too many"):
        store.scan(None, always)


def test_a_class_that_grew_meanwhile_is_said_not_to_be_listed(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "PART_KEYS", 5)
    fill(memcached_server, 10)
    with store_of(memcached_server) as store:
        cursor = store.scan(None, lambda: False).cursor
        monkeypatch.setattr(dump, "MAX_CLASS_KEYS", 10)
        fill(memcached_server, 11)
        with pytest.raises(StoreUnsupported, match="too many"):
            store.scan(cursor, always)


@pytest.mark.parametrize("limit", ["MAX_PARSING_SECONDS", "_KEPT_DUMP_BYTES"])
def test_a_dump_past_its_bounds_is_read_to_its_end_and_given_up(
    memcached_server: MemcachedServer, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(dump, limit, 0)
    fill(memcached_server, 20_000)
    before = stat(memcached_server, "total_connections")
    with store_of(memcached_server) as store:
        with pytest.raises(StoreUnsupported, match="too many keys"):
            store.scan(None, always)
        (reading,) = store.read(["key:1"], always)  # on the same connection
        assert stat(memcached_server, "total_connections") == before + 2  # it, and this question
    assert isinstance(reading, Stored)


def test_looking_at_a_dump_copies_nothing_of_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (b"key=%s exp=-1\n" % randbytes(16).hex().encode() for _ in range(50_000))
    packed = zlib.compress(b"".join([*lines, b"END\r\n"]), 1)
    unpacker = zlib.decompressobj()
    fed: list[int] = []

    class Watched:
        def decompress(self, data: bytes, *bound: int) -> bytes:
            fed.append(len(data))
            return unpacker.decompress(data, *bound)

        @property
        def unconsumed_tail(self) -> bytes:
            return unpacker.unconsumed_tail

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    assert sum(map(len, dump._runs_of_keys(packed))) == 50_000  # noqa: SLF001
    assert len(fed) > 50
    assert sum(fed) == len(packed)


def test_a_dump_is_looked_at_in_small_steps(memcached_server: MemcachedServer) -> None:
    fill(memcached_server, 30_000)
    paces = 0

    def count() -> bool:
        nonlocal paces
        paces += 1
        return True

    with store_of(memcached_server) as store:
        store.scan(None, count)
    assert paces >= 320


def test_a_dump_is_taken_in_whole_before_the_caller_can_hold_it_up(
    memcached_server: MemcachedServer,
) -> None:
    fill(memcached_server, 90_000)

    def fails() -> bool:
        wait_until(lambda: stat(memcached_server, "lru_crawler_running") == 0)
        raise ZeroDivisionError

    with store_of(memcached_server) as store:
        with pytest.raises(ZeroDivisionError):
            store.scan(None, fails)
        (reading,) = store.read(["key:1"], always)  # on the same connection
    assert isinstance(reading, Stored)


def test_no_dump_is_asked_for_while_another_one_waits_for_its_reader(
    memcached_server: MemcachedServer,
) -> None:
    fill(memcached_server, 90_000)
    before = stat(memcached_server, "lru_crawler_starts")
    with slow_dump(memcached_server) as finish, store_of(memcached_server) as store:
        with pytest.raises(StoreError, match="busy with another crawl"):
            store.scan(None, always)
        for _ in range(8):  # every thread of the server still answers
            (reading,) = store.read(["key:1"], always)
            assert isinstance(reading, Stored)
            store.close()
        assert stat(memcached_server, "lru_crawler_starts") <= before + 1
        finish()
        assert len(scan_all(store)[0]) == 90_000


@pytest.mark.parametrize("cursor", ["", "1", "0:0:0", "a:b:c:d", "0:0:0:0\n", "999999:0:0:0"])
def test_a_cursor_of_another_making_is_refused(
    memcached_server: MemcachedServer, cursor: str
) -> None:
    with store_of(memcached_server) as store, pytest.raises(StoreError, match="cursor"):
        store.scan(cursor, always)


# --- read ----------------------------------------------------------------------------------


def test_value_flags_expiry_and_number_of_the_write_are_read_in_order(
    memcached_server: MemcachedServer,
) -> None:
    put(memcached_server, "expiring", b"one", seconds=100, flags=5)
    put(memcached_server, "lasting", b"\r\nEND\r\n")
    put(memcached_server, "gone", b"x", seconds=-1)
    now = stat(memcached_server, "time")
    with store_of(memcached_server) as store:
        expiring, absent, lasting, gone = store.read(
            ["expiring", "absent", "lasting", "gone"], always
        )
    assert (expiring.value, expiring.flags) == (b"one", 5)
    assert expiring.expires_at - now == pytest.approx(100, abs=1)
    assert lasting.value == b"\r\nEND\r\n"
    assert lasting.expires_at is None
    assert lasting.cas == expiring.cas + 1
    assert absent == gone == Missing()


def test_an_expiry_is_the_same_in_every_look_while_the_clock_ticks(
    memcached_server: MemcachedServer,
) -> None:
    put(memcached_server, "key", b"value", seconds=100)
    expiries = set()
    until = time.monotonic() + 2.2
    with store_of(memcached_server) as store:
        while time.monotonic() < until:
            expiries.update(each.expires_at for each in store.read(["key"] * 20, always))
    assert len(expiries) == 1


def test_reading_leaves_recency_hit_mark_and_expiry_alone(
    memcached_server: MemcachedServer,
) -> None:
    put(memcached_server, "key", b"value", seconds=100)
    time.sleep(1.2)
    with store_of(memcached_server) as store:
        scan_all(store)
        list(store.read(["key"] * 5, always))
        store.identity()
    hit, since_access, remaining = memcached_server.ask("mg key h l t").split()[1:]
    assert hit == "h0"
    assert int(since_access[1:]) >= 1
    assert int(remaining[1:]) <= 99
    assert stat(memcached_server, "cmd_set") == 1
    assert stat(memcached_server, "curr_items") == 1


def test_keys_of_many_batches_come_in_order_from_two_servers(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    servers = {"a": start_memcached(), "b": start_memcached()}
    keys = [f"{'ab'[number % 3 % 2]}:{number}" for number in range(90)]
    for key in keys:
        put(servers[key[0]], key, key.encode())
    with store_of(*servers.values(), router=lambda key: servers[key[0]].address) as store:
        readings = list(store.read(keys, always))
    assert [reading.value.decode() for reading in readings] == keys


def test_keys_of_a_server_that_is_down_fail_and_the_others_are_read(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    servers = {"a": start_memcached(), "b": start_memcached()}
    put(servers["a"], "a:1", b"1")
    servers["b"].stop()
    with store_of(*servers.values(), router=lambda key: servers[key[0]].address) as store:
        readings = list(store.read(["b:1", "a:1", "b:2", "a:2"], always))
        with pytest.raises(StoreUnreachable):
            scan_all(store)
    refused = Failed(reason="unreachable", detail=f"{servers['b'].address}: connection refused")
    assert readings[0] == readings[2] == refused
    assert readings[1].value == b"1"
    assert readings[3] == Missing()


def test_a_value_over_the_bound_is_passed_over(memcached_server: MemcachedServer) -> None:
    put(memcached_server, "large", b"x" * 300_000)
    put(memcached_server, "small", b"y")
    with store_of(memcached_server, max_value_bytes=1000) as store:
        large, small = store.read(["large", "small"], always)
    assert large == Failed(reason="too-large", detail="300000 bytes, more than 1000")
    assert small.value == b"y"


def test_large_values_are_read_in_smaller_batches(memcached_server: MemcachedServer) -> None:
    for number in range(12):
        put(memcached_server, f"large:{number}", b"%x" % number * 900_000)
    with store_of(memcached_server) as store:
        keys = [f"large:{number % 12}" for number in range(40)]
        readings = list(store.read(keys, always))
    assert [reading.value[:1] for reading in readings] == [
        b"%x" % (number % 12) for number in range(40)
    ]


@pytest.mark.parametrize("key", ["k" * 251, "", "ключ" * 40])
def test_a_key_that_memcached_does_not_take_fails_and_is_not_sent(
    memcached_server: MemcachedServer, key: str
) -> None:
    with store_of(memcached_server) as store:
        readings = list(store.read([key, "absent"], always))
    assert readings == [
        Failed(reason="error", detail="memcached takes keys of 1 to 250 bytes"),
        Missing(),
    ]


def test_a_spent_budget_ends_no_reading_by_itself_and_the_caller_may(
    memcached_server: MemcachedServer,
) -> None:
    with store_of(memcached_server) as store:
        assert list(store.read(["absent"] * 100, lambda: False)) == [Missing()] * 100
        assert next(store.read(["absent"] * 100, lambda: False)) == Missing()
        assert store.own_reads <= 140


def test_a_unix_socket_is_read_as_well(
    start_memcached: Callable[..., MemcachedServer], tmp_path: Path
) -> None:
    with store_on_unix(tmp_path / "absent") as store:
        (reading,) = store.read(["key"], always)
    assert reading.reason == "unreachable"
    server = start_memcached()
    put(server, "key", b"value")
    path = tmp_path / "relay"
    with unix_relay(path, server.port), store_on_unix(path) as store:
        (reading,) = store.read(["key"], always)
        assert reading.value == b"value"


# --- servers that are none -----------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"x" * 10_000,
        b"STAT time 5\r\nEND\r\nVA 99999999999 f0 t0 c0\r\n",
        b"STAT time 5\r\nEND\r\nVA 1 f0 t0\r\nx\r\n",
        b"STAT time 5\r\nEND\r\nVA 1 fx t0 c0\r\nx\r\n",
        b"STAT time soon\r\nEND\r\n",
        b"",
    ],
)
def test_garbage_is_a_failure_and_no_miss(garbage: bytes) -> None:
    with fake(lambda _asked: garbage) as port:
        store = MemcachedStore([endpoint(port)], lambda _key: f"127.0.0.1:{port}")
        with closing(store):
            readings = list(store.read(["a", "b"], always))
            identity = store.identity()
    assert {reading.reason for reading in readings} <= {"error", "unreachable"}
    assert identity.grade == "unobserved"


def test_many_servers_that_do_not_answer_cost_what_two_do() -> None:
    with ExitStack() as open_sockets:
        listening = [
            open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(6)
        ]
        asked = [endpoint(each.getsockname()[1]) for each in listening]
        labels = [each.label for each in asked]
        started_at = time.monotonic()
        with closing(MemcachedStore(asked, lambda _key: labels[-1])) as store:
            identity, capabilities, counters = (
                store.identity(),
                store.capabilities(),
                store.counters(),
            )
            assert time.monotonic() - started_at < 4.5
            (reading,) = store.read(["a"], always)
        assert time.monotonic() - started_at < 4.5
    assert (identity.grade, counters) == ("unobserved", None)
    assert capabilities.reasons == (
        *(f"{label}: unreachable" for label in labels[:2]),
        *(f"{label}: not asked" for label in labels[2:]),
    )
    reason = f"{labels[-1]}: not asked, as others had not answered in time"
    assert reading == Failed(reason="unreachable", detail=reason)


def test_servers_that_refuse_cost_nothing_and_keep_no_other_from_being_read(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    servers = {name: start_memcached() for name in "abcd"}
    put(servers["d"], "d:1", b"1")
    for name in "abc":
        servers[name].stop()
    with store_of(*servers.values(), router=lambda key: servers[key[0]].address) as store:
        readings = list(store.read(["a:1", "b:1", "c:1", "d:1"], always))
    assert readings[-1].value == b"1"


def test_a_server_that_says_a_byte_now_and_then_costs_seconds_at_most() -> None:
    def drip() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                while True:
                    connection.sendall(b"S")
                    time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        asked = endpoint(listener.getsockname()[1])
        started_at = time.monotonic()
        with closing(MemcachedStore([asked], lambda _key: asked.label)) as store:
            identity = store.identity()
        assert time.monotonic() - started_at < 5
        thread.join()
    assert identity.reason == f"{asked.label}: timed out"


def test_statistics_without_end_are_garbage() -> None:
    endless = b"".join(b"STAT s%d 1\r\n" % number for number in range(20_000))
    with (
        fake(lambda _asked: endless) as port,
        closing(MemcachedStore([endpoint(port)], lambda key: key)) as store,
    ):
        identity = store.identity()
    assert identity.reason == f"127.0.0.1:{port} does not answer as memcached does"


def test_a_server_that_does_not_answer_times_out_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = endpoint(silent.getsockname()[1])
        label = asked.label
        started_at = time.monotonic()
        store = MemcachedStore([asked], lambda _key: label)
        with closing(store):
            readings = list(store.read(["a"] * 100, always))
    assert readings == [Failed(reason="unreachable", detail=f"{label}: timed out")] * 100
    assert time.monotonic() - started_at < 4


@contextmanager
def slow_dump(server: MemcachedServer) -> Iterator[Callable[[], None]]:
    """Ask for a dump and do not read it, until the callable that is given reads it to its end."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        other.settimeout(10)
        other.connect(("127.0.0.1", server.port))
        other.sendall(b"lru_crawler metadump all\r\n")
        tail = other.recv(10)

        def finish() -> None:
            nonlocal tail
            while not tail.endswith(b"END\r\n"):
                tail = tail[-10:] + other.recv(1 << 20)

        yield finish


@contextmanager
def fake(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Answer each thing that is heard; an empty answer closes the connection."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    while asked := connection.recv(65_536):
                        said = answer(asked)
                        if not said:
                            break
                        connection.sendall(said)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@contextmanager
def store_on_unix(path: Path) -> Iterator[MemcachedStore]:
    endpoints = [Endpoint(label=str(path), path=str(path))]
    with closing(MemcachedStore(endpoints, lambda _key: str(path))) as store:
        yield store


@contextmanager
def unix_relay(path: Path, port: int) -> Iterator[None]:
    """Pass one connection to a Unix socket on to a port, question by question."""

    def serve() -> None:
        inner, _ = listener.accept()
        with inner, socket.create_connection(("127.0.0.1", port), 2) as outer:
            while asked := inner.recv(65_536):
                outer.sendall(asked)
                time.sleep(0.1)
                inner.sendall(outer.recv(65_536))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()
