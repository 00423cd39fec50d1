from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

from cachecheck.errors import StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored
from cachecheck.stores.redis import GENTLE_KEYS, RedisStore, our_client
from harness.process import free_port
from relaying import relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.redis import RedisServer

PASSWORD = "hunter2-very-secret"
RIGHTS_OF_A_CACHE = "+@all -info -role -config -time"


def always() -> bool:
    return True


@contextmanager
def store_at(url: str, **options: Any) -> Iterator[RedisStore]:
    def connect() -> redis.Redis:
        return our_client(redis.ConnectionPool.from_url(url))

    with closing(RedisStore(connect, address="shown", **options)) as store:
        yield store


def read_one(store: RedisStore, key: str) -> Any:
    (reading,) = store.read([key], always)
    return reading


def scan_all(store: RedisStore) -> tuple[list[str], int]:
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


def test_a_database_is_observed_by_replication_id_and_number(redis_server: RedisServer) -> None:
    with store_at(redis_server.url) as zero, store_at(redis_server.url[:-1] + "1") as one:
        first, again, other = zero.identity(), zero.identity(), one.identity()
    assert first.grade == "observed"
    assert first.token == again.token
    assert first.token is not None
    assert first.token.endswith("/0")
    assert other.token == first.token[:-1] + "1"
    assert first.clock_offset_seconds == pytest.approx(0, abs=0.2)


def test_a_replica_is_another_member_of_the_same_store(
    start_redis: Callable[..., RedisServer],
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    with store_at(primary.url) as at_primary, store_at(replica.url) as at_replica:
        ours, theirs = at_primary.identity(), at_replica.identity()
    assert (ours.grade, theirs.grade) == ("observed", "observed")
    assert ours.token == theirs.token
    assert ours.member != theirs.member


def test_a_detached_replica_is_another_store_although_it_remembers_its_primary(
    start_redis: Callable[..., RedisServer],
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    with replica.client() as client:
        client.replicaof("NO", "ONE")
        assert client.info("replication")["master_replid2"].strip("0")
    with store_at(primary.url) as at_primary, store_at(replica.url) as at_replica:
        assert at_primary.identity().token != at_replica.identity().token


def test_a_replica_that_lost_its_primary_only_suggests(
    start_redis: Callable[..., RedisServer],
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    primary.stop()
    with replica.client() as client, store_at(replica.url) as store:
        while client.info("replication")["master_link_status"] == "up":
            time.sleep(0.01)
        identity = store.identity()
    assert identity.grade == "suggested"
    assert identity.reason == "a replica without a link to its primary"


def test_access_rules_that_deny_info_leave_a_store_unobserved_and_readable(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~* {RIGHTS_OF_A_CACHE}"])
    with server.client() as client:
        client.set("key", "value", px=60_000)
        expires_at = client.pexpiretime("key") / 1000
    with store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store:
        identity, capabilities = store.identity(), store.capabilities()
        assert read_one(store, "key") == Stored(value=b"value", expires_at=expires_at)
        assert scan_all(store) == (["key"], 0)
        assert store.counters() is None
    assert identity.grade == "unobserved"
    assert identity.reason == "the access rules forbid INFO"
    assert identity.clock_offset_seconds is None
    assert capabilities.can_scan
    assert capabilities.can_read
    assert capabilities.touches_recency  # its eviction policy cannot be known


def test_a_renamed_command_is_a_reason_and_no_error(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(extra_args=["--rename-command", "INFO", "hidden"])
    with store_at(server.url) as store:
        identity = store.identity()
    assert (identity.grade, identity.reason) == ("unobserved", "the server does not know INFO")


def test_refused_credentials_are_a_reason_that_does_not_quote_them(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=["user default off", "user site on >right ~* +@all"])
    with store_at(f"redis://site:{PASSWORD}@{server.address}/0") as store:
        identity = store.identity()
        reading = read_one(store, "key")
        with pytest.raises(StoreError) as caught:
            store.scan(None, always)
    assert identity.reason == "the server refused the credentials"
    assert reading == Failed(reason="denied", detail="the server refused the credentials")
    assert PASSWORD not in f"{identity!r}{reading!r}{caught.value!r}{store!r}"


def test_a_cluster_is_recognised_and_said_not_to_be_read_yet(
    start_redis: Callable[..., RedisServer],
) -> None:
    bus = ("--cluster-port", str(free_port()))
    server = start_redis(extra_args=["--cluster-enabled", "yes", *bus])
    with store_at(server.url) as store:
        identity, capabilities = store.identity(), store.capabilities()
        with pytest.raises(StoreUnsupported):
            store.scan(None, always)
        reading = read_one(store, "key")
    assert identity.grade == "observed"
    assert identity.token is not None
    assert identity.token.startswith("redis-cluster:")
    assert (capabilities.can_scan, capabilities.can_read) == (False, False)
    assert reading == Failed(
        reason="unsupported", detail="this server of a Redis Cluster does not serve the key"
    )


def test_a_server_that_is_down_costs_one_attempt_and_every_key_fails(
    redis_server: RedisServer,
) -> None:
    redis_server.stop()
    with store_at(redis_server.url) as store:
        identity = store.identity()
        readings = list(store.read(["a", "b"], always))
        with pytest.raises(StoreUnreachable):
            store.scan(None, always)
        capabilities = store.capabilities()
    assert (identity.grade, identity.reason) == ("unobserved", "connection refused")
    assert readings == [Failed(reason="unreachable", detail="connection refused")] * 2
    assert capabilities.can_read
    assert capabilities.reasons == ("connection refused",)


def test_a_server_that_does_not_answer_times_out_once(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.client_pause(20_000)
    started_at = time.monotonic()
    with store_at(redis_server.url) as store:
        readings = list(store.read(["a"] * 100, always))
        identity = store.identity()
    assert readings == [Failed(reason="unreachable", detail="timed out")] * 100
    assert identity.reason == "timed out"
    assert time.monotonic() - started_at < 5


# --- capabilities and counters -------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "touches"),
    [("noeviction", False), ("volatile-ttl", False), ("allkeys-lru", True), ("volatile-lfu", True)],
)
def test_reading_touches_recency_only_where_something_is_evicted_by_it(
    redis_server: RedisServer, policy: str, *, touches: bool
) -> None:
    with redis_server.client() as client:
        client.config_set("maxmemory-policy", policy)
    with store_at(redis_server.url) as store:
        assert store.capabilities().touches_recency is touches


def test_a_newer_server_is_asked_not_to_touch_with_every_batch(
    redis_server: RedisServer,
) -> None:
    with redis_server.client() as client:
        client.set("key", "value")
        client.config_set("maxmemory-policy", "allkeys-lru")
    with (
        relay(redis_server.port, (b"-ERR unknown subcommand 'NO-TOUCH'", b"+OK")) as (port, sent),
        store_at(f"redis://127.0.0.1:{port}/0") as store,
    ):
        assert not store.capabilities().touches_recency
        assert read_one(store, "key") == Stored(value=b"value", expires_at=None)
    data = bytes(sent)
    assert data.count(b"NO-TOUCH") == 3  # to find out, before the sizes, before the values


def test_counters_are_the_servers_and_our_own_reads_are_known(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("key", "value")
        client.get("key")
        client.get("nothing")
    with store_at(redis_server.url) as store:
        before = store.counters()
        list(store.read(["key", "nothing"], always))
        after = store.counters()
    assert before is not None
    assert after is not None
    assert (before.hits, before.misses) == (1, 1)
    assert before.since == pytest.approx(time.time(), abs=10)
    moved = after.hits + after.misses - before.hits - before.misses
    assert moved == store.own_reads == 6


# --- scan ----------------------------------------------------------------------------------


def test_every_key_is_listed_over_several_pages(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.mset({f"key:{number}": number for number in range(12_000)})
    with store_at(redis_server.url) as store:
        first = store.scan(None, always)
        keys, foreign = scan_all(store)
    assert first.cursor is not None
    assert len(first.keys) < 6000
    assert len(set(first.keys)) == len(first.keys)
    assert set(keys) == {f"key:{number}" for number in range(12_000)}
    assert foreign == 0


def test_a_spent_budget_ends_the_page_and_not_the_listing(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.mset({f"key:{number}": number for number in range(3000)})
    seen: set[str] = set()
    with store_at(redis_server.url) as store:
        page = store.scan(None, lambda: False)
        assert 0 < len(page.keys) < 1000
        while page.cursor is not None:
            seen.update(page.keys)
            page = store.scan(page.cursor, lambda: False)
        seen.update(page.keys)
    assert len(seen) == 3000


def test_binary_keys_are_foreign_and_unicode_keys_are_not(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set(b"\xff\xfe", "binary")
        client.set("ключ", "text")
    with store_at(redis_server.url) as store:
        assert scan_all(store) == (["ключ"], 1)
        assert read_one(store, "ключ") == Stored(value=b"text", expires_at=None)


@pytest.mark.parametrize("cursor", ["", "-1", "7 MATCH x", "1" * 21, "x"])
def test_a_cursor_of_another_making_is_refused(redis_server: RedisServer, cursor: str) -> None:
    with store_at(redis_server.url) as store, pytest.raises(StoreError):
        store.scan(cursor, always)


# --- read ----------------------------------------------------------------------------------


def test_values_expiries_and_absent_keys_are_read_in_order(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("expiring", b"\x80\x05x", px=60_000)
        client.set("lasting", "2")
        client.set("empty", "")
        expires_at = client.pexpiretime("expiring") / 1000
    with store_at(redis_server.url) as store:
        assert list(store.read(["expiring", "absent", "lasting", "empty"], always)) == [
            Stored(value=b"\x80\x05x", expires_at=expires_at),
            Missing(),
            Stored(value=b"2", expires_at=None),
            Stored(value=b"", expires_at=None),
        ]


def test_many_keys_are_read_in_order_over_batches(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.mset({f"key:{number}": number for number in range(230)})
    with store_at(redis_server.url) as store:
        readings = list(store.read([f"key:{number}" for number in range(230)], always))
    assert [reading.value for reading in readings] == [b"%d" % number for number in range(230)]


def test_a_spent_budget_ends_no_reading_by_itself_and_the_caller_may(
    redis_server: RedisServer,
) -> None:
    with store_at(redis_server.url, most_keys=GENTLE_KEYS) as store:
        assert list(store.read(["absent"] * 100, lambda: False)) == [Missing()] * 100
        before = store.own_reads
        assert next(store.read(["absent"] * 100, lambda: False)) == Missing()
    assert store.own_reads - before <= 60


def test_what_is_no_string_is_foreign(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.rpush("list", 1)
        client.hset("hash", "field", 1)
        client.set("string", "1")
    with store_at(redis_server.url) as store:
        readings = list(store.read(["list", "string", "hash"], always))
    foreign = Failed(reason="foreign", detail="not a string")
    assert readings == [foreign, Stored(value=b"1", expires_at=None), foreign]


def test_a_key_that_the_rules_hide_is_denied_and_never_missing(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=["user site on >pw ~access:* +@all"])
    with server.client() as client:
        client.mset({"access:access": 1, "other:access": 2})
    with store_at(f"redis://site:pw@{server.address}/0") as store:
        readings = list(store.read(["access:access", "other:access", "other:absent"], always))
    denied = Failed(reason="denied", detail="the access rules forbid this key")
    assert readings == [Stored(value=b"1", expires_at=None), denied, denied]


@pytest.mark.parametrize("forbidden", ["-pexpiretime", "-pexpiretime -time"])
def test_without_absolute_expiries_they_are_made_of_the_remaining_time(
    start_redis: Callable[..., RedisServer], forbidden: str
) -> None:
    server = start_redis(users=[f"user site on >pw ~* +@all {forbidden}"])
    with server.client() as client:
        client.set("expiring", "1", px=60_000)
        client.set("lasting", "2")
        expires_at = client.pexpiretime("expiring") / 1000
    with store_at(f"redis://site:pw@{server.address}/0") as store:
        expiring, lasting, absent = store.read(["expiring", "lasting", "absent"], always)
        resolution = store.capabilities().expiry_resolution_seconds
    assert isinstance(expiring, Stored)
    assert expiring.expires_at == pytest.approx(expires_at, abs=0.05)
    assert lasting == Stored(value=b"2", expires_at=None)
    assert absent == Missing()
    assert resolution == 0.01


def test_where_no_expiry_may_be_asked_of_any_key_the_reading_is_unsupported(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=["user site on >pw ~* +@all -pexpiretime -pttl"])
    with server.client() as client:
        client.set("key", "1")
    with store_at(f"redis://site:pw@{server.address}/0") as store:
        reading = read_one(store, "key")
    assert reading == Failed(reason="unsupported", detail="the access rules forbid PTTL")


@pytest.mark.parametrize("command", ["STRLEN", "GET"])
def test_a_command_that_is_forbidden_for_all_keys_hides_no_key_in_particular(
    start_redis: Callable[..., RedisServer], command: str
) -> None:
    """Were it "denied", the key would pass for another application's, and nothing for unread."""
    server = start_redis(users=[f"user site on >pw ~* +@all -{command.lower()}"])
    with server.client() as client:
        client.set("key", "1")
    with store_at(f"redis://site:pw@{server.address}/0") as store:
        reading = read_one(store, "key")
    assert reading == Failed(reason="unsupported", detail=f"the access rules forbid {command}")


def test_a_huge_value_is_not_fetched(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("huge", b"x" * 5000)
        client.set("small", b"x" * 100)
    with store_at(redis_server.url, max_value_bytes=1000) as store:
        huge, small = store.read(["huge", "small"], always)
    assert huge == Failed(reason="too-large", detail="5000 bytes, more than 1000")
    assert isinstance(small, Stored)
    with redis_server.client() as client:
        assert client.info("stats")["total_net_output_bytes"] < 50_000


def test_large_values_are_fetched_in_runs_and_stay_in_order(redis_server: RedisServer) -> None:
    keys = [f"large:{number}" for number in range(6)]
    with redis_server.client() as client:
        for number, key in enumerate(keys):
            client.set(key, b"%d" % number * (3 << 20))
        client.rpush("list", 1)
    with store_at(redis_server.url) as store:
        readings = list(store.read([*keys[:3], "list", *keys[3:]], always))
    assert readings.pop(3) == Failed(reason="foreign", detail="not a string")
    assert [reading.value[:1] for reading in readings] == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_looking_changes_no_entry_and_no_expiry(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("expiring", "1", px=60_000)
        client.set("lasting", "2")
        before = client.dump("expiring"), client.pexpiretime("expiring"), client.ttl("lasting")
        with store_at(redis_server.url) as store:
            store.identity()
            store.capabilities()
            scan_all(store)
            list(store.read(["expiring", "lasting", "absent"], always))
        after = client.dump("expiring"), client.pexpiretime("expiring"), client.ttl("lasting")
        assert before == after
        assert client.dbsize() == 2
        changes = client.info("persistence")["rdb_changes_since_last_save"]
    assert changes == 2  # the two that this test made


def test_closing_leaves_no_connection_and_the_store_can_be_used_again(
    redis_server: RedisServer,
) -> None:
    with redis_server.client() as client:
        with store_at(redis_server.url) as store:
            scan_all(store)
            assert len(client.client_list()) == 2
        while len(client.client_list()) > 1:
            time.sleep(0.01)
        assert read_one(store, "absent") == Missing()
        store.close()


def test_parameters_in_the_url_do_not_outrank_ours(redis_server: RedisServer) -> None:
    url = f"{redis_server.url}?socket_timeout=60&decode_responses=yes&max_connections=50"
    with redis_server.client() as client:
        client.set("key", b"\xff")
    client = our_client(redis.ConnectionPool.from_url(url))
    with closing(RedisStore(lambda: client, address="shown")) as store:
        assert read_one(store, "key") == Stored(value=b"\xff", expires_at=None)
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 2.0
    assert client.connection_pool.max_connections == 2


@pytest.mark.parametrize("protocol", [2, 3])
def test_both_wire_protocols_are_understood(redis_server: RedisServer, protocol: int) -> None:
    with redis_server.client() as client:
        client.set("key", "1", px=60_000)
    with store_at(f"{redis_server.url}?protocol={protocol}") as store:
        assert store.identity().grade == "observed"
        assert scan_all(store) == (["key"], 0)
        assert isinstance(read_one(store, "key"), Stored)


def test_invalid_parameters_are_a_reason_that_does_not_quote_them() -> None:
    with store_at(f"redis://:{PASSWORD}@host:6379/0?socket_timeout={PASSWORD}") as store:
        identity = store.identity()
    assert identity.reason == "its parameters are not valid"


def test_more_answers_than_were_asked_for_are_no_readings(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("key", b"x" * 77_777)
    twice = (b":77777", b":77777\r\n:77777")
    with (
        relay(redis_server.port, twice) as (port, _),
        store_at(f"redis://127.0.0.1:{port}") as store,
    ):
        reading = read_one(store, "key")
    assert reading == Failed(reason="error", detail="the server answers more than it was asked for")
