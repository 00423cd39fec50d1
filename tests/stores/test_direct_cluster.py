from __future__ import annotations

import os
import re
import signal
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from asking_direct import (
    SUMMING,
    buckets_that_differ,
    collected,
    described,
    pages,
    readings,
    summed,
    surveyed,
)
from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.model import Failed, Missing, Present
from cachecheck.stores.base import Stored
from cachecheck.stores.direct import members, open_store, parse_store, with_password
from cachecheck.stores.direct.bound import CHANGED
from cachecheck.stores.direct.cluster import FAILED, RESHARDED, ClusterStore
from cachecheck.stores.direct.slots import (
    Member,
    Shard,
    distribution,
    shards_of,
    shown_slots,
    uncovered,
    with_failed,
)
from harness.process import free_port, wait_until
from harness.redis import start_cluster as start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cachecheck.stores.direct import StoreSpec
    from harness.redis import RedisCluster, RedisServer

KEYS = 2000
ENTRIES = 300


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(started: RedisCluster) -> RedisCluster:
    """Return three primaries with a replica each, and some entries."""
    empty(started)
    fill(started, ENTRIES)
    return started


@pytest.fixture
def spec(cluster: RedisCluster) -> StoreSpec:
    return parse_store(f"{cluster.url}?prefix=shop", name="shop")


def empty(cluster: RedisCluster) -> None:
    for server in cluster.servers:  # a replica may hold what its primary never had
        tell(server, "FLUSHALL")
    cluster.wait_for_replicas()


def fill(cluster: RedisCluster, count: int) -> None:
    with cluster.client() as client:
        for number in range(count):
            client.set(
                f"shop:1:{number}",
                b"value %d" % number,
                pxat=4_000_000_000_000 + number if number % 2 else None,
            )
    cluster.wait_for_replicas()


def tell(server: RedisServer, *command: object) -> object:
    with server.client() as client:
        return client.execute_command(*command)


@contextmanager
def stopped(server: RedisServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@contextmanager
def opened(spec: StoreSpec) -> Iterator[ClusterStore]:
    store = open_store(spec)
    assert isinstance(store, ClusterStore)
    with closing(store):
        yield store


def always() -> bool:
    return True


# --- as one store --------------------------------------------------------------------------


def test_a_cluster_is_described_as_one_store(cluster: RedisCluster, spec: StoreSpec) -> None:
    cache = described(spec)
    assert cache.identity.grade == "observed"
    assert cache.identity.token is not None
    assert cache.identity.token.startswith("redis-cluster:")
    assert cache.capabilities.can_scan
    assert cache.capabilities.can_read
    assert cache.capabilities.entries == ENTRIES
    assert cache.capabilities.reasons == ()
    of_one_seed = parse_store(f"redis+cluster://{cluster.primaries[2].address}")
    assert described(of_one_seed).identity.token == cache.identity.token
    assert described(of_one_seed).identity.member == cache.identity.member


def test_all_primaries_are_sampled_and_summed(cluster: RedisCluster, spec: StoreSpec) -> None:
    assert sum(page.summary.entries for page in pages(spec, sample=10)) == ENTRIES
    names = {row.name for row in collected(spec)}
    assert names == {str(number) for number in range(ENTRIES)}
    counts = [tell(server, "DBSIZE") for server in cluster.primaries]
    assert all(counts)
    assert sum(int(str(count)) for count in counts) == ENTRIES


def test_a_cluster_has_the_sums_of_a_single_server_with_the_same_entries(
    spec: StoreSpec, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        for number in range(ENTRIES):
            client.set(
                f"copy:1:{number}",
                b"value %d" % number,
                pxat=4_000_000_000_000 + number if number % 2 else None,
            )
    single = parse_store(f"{redis_server.url}?prefix=copy")
    assert buckets_that_differ(spec, single) == ((), ())


def test_pages_go_from_one_primary_to_the_next(spec: StoreSpec) -> None:
    found = list(pages(spec, summing=SUMMING, most_keys=1))
    assert len(found) >= 3
    assert sum(page.summary.entries for page in found) == ENTRIES
    assert summed(spec, most_keys=1) == summed(spec)


def test_keys_are_read_in_order_from_the_server_of_their_slot(
    cluster: RedisCluster, spec: StoreSpec
) -> None:
    names = [str(number) for number in range(50)]
    found = readings(spec, *names, "nothing", "{tag}a")
    assert all(isinstance(reading, Present) for reading in found[:50])
    assert [reading.expires_at for reading in found[:50] if isinstance(reading, Present)] == [
        4_000_000_000 + number / 1000 if number % 2 else None for number in range(50)
    ]
    assert found[50:] == (Missing(), Missing())
    with opened(spec) as store:
        servers = {store.server_of(f"shop:1:{name}") for name in names}
        (reading,) = store.read(["shop:1:7"], always)
    assert servers == {server.address for server in cluster.primaries}
    assert reading == Stored(value=b"value 7", expires_at=4_000_000_000.007)


def test_a_server_that_is_not_of_a_cluster_says_so(redis_server: RedisServer) -> None:
    with pytest.raises(StoreError, match="not a server of a Redis Cluster"):
        surveyed(parse_store(f"redis+cluster://{redis_server.address}"))


def test_a_cluster_that_is_not_there_is_unreachable() -> None:
    spec = parse_store(f"redis+cluster://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnreachable):
        described(spec)
    with pytest.raises(StoreUnreachable):
        surveyed(spec)
    with pytest.raises(StoreUnreachable):
        members(spec)
    (reading,) = readings(spec, "a")
    assert isinstance(reading, Failed)
    assert reading.reason == "unreachable"
    with opened(spec) as store:
        assert store.identity().grade == "unobserved"
        assert store.capabilities().reasons == ("connection refused",)


def test_reading_that_would_disturb_eviction_on_one_server_disturbs_it(
    cluster: RedisCluster, spec: StoreSpec
) -> None:
    assert not described(spec).capabilities.touches_recency
    evicting = cluster.primaries[1]
    tell(evicting, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    version = str(tell(evicting, "INFO", "server"))
    try:
        leaves_alone = not re.search(r"redis_version\W+([1-6]|7\.[01])\.", version)
        assert described(spec).capabilities.touches_recency is not leaves_alone
    finally:
        tell(evicting, "CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_rules_that_forbid_asking_leave_reading_possible(
    cluster: RedisCluster,
) -> None:
    for server in cluster.servers:
        rights = ["~*", "+@read", "+cluster", "+readonly", "+client", "+ping"]
        tell(server, "ACL", "SETUSER", "site", "on", ">secret-enough", *rights, "-dbsize")
    spec = parse_store(cluster.url.replace("redis+cluster://", "redis+cluster://site@"))
    spec = with_password(spec, "secret-enough")
    cache = described(spec)
    assert cache.identity.grade == "unobserved"
    assert cache.capabilities.touches_recency
    assert cache.capabilities.entries is None
    assert cache.capabilities.reasons == ("the access rules forbid INFO",)
    assert sum(page.summary.entries for page in pages(spec, summing=SUMMING)) == ENTRIES


@pytest.mark.parametrize("cursor", ["x", "0", "9999999/aaaaaaaa/"])
def test_what_is_no_cursor_is_refused(spec: StoreSpec, cursor: str) -> None:
    with pytest.raises(StoreError, match="not a cursor"):
        surveyed(spec, cursor=cursor)


def test_a_cursor_of_another_division_of_slots_is_refused(spec: StoreSpec) -> None:
    with pytest.raises(StoreUnreachable, match=RESHARDED):
        surveyed(spec, cursor="1/00000000/")


# --- replicas ------------------------------------------------------------------------------


def test_the_replicas_of_all_shards_are_one_store_more(
    cluster: RedisCluster, spec: StoreSpec
) -> None:
    (primaries, replicas) = members(spec)
    assert primaries == spec
    assert (replicas.name, replicas.member) == ("shop/replica set 1", "replica set 1")
    ours, theirs = described(primaries).identity, described(replicas).identity
    assert ours.token == theirs.token
    assert ours.member != theirs.member
    assert buckets_that_differ(primaries, replicas) == ((), ())
    assert all(isinstance(reading, Present) for reading in readings(replicas, "1", "2", "3"))
    with opened(replicas) as store:
        servers = {store.server_of(f"shop:1:{number}") for number in range(50)}
    assert servers == {group[0].address for group in cluster.replicas}


def test_replicas_are_left_out_where_they_are_not_wanted(cluster: RedisCluster) -> None:
    spec = parse_store(f"{cluster.url}?replicas=no")
    assert members(spec) == (spec,)


def test_a_replica_that_diverges_differs_in_its_slots_alone(
    cluster: RedisCluster, spec: StoreSpec
) -> None:
    diverging = cluster.replicas[1][0]
    kept = cluster.primaries[0], cluster.primaries[2]
    tell(diverging, "FLUSHALL")
    tell(diverging, "DEBUG", "POPULATE", 1, "shop:1:extra")
    (primaries, replicas) = members(spec)
    left = {row.name for row in collected(replicas)}
    assert len(left) == sum(int(str(tell(server, "DBSIZE"))) for server in kept) + 1
    assert left - {row.name for row in collected(primaries)} == {"extra:0"}
    different, _ = buckets_that_differ(primaries, replicas)
    assert different


def test_where_a_shard_has_no_such_replica_its_primary_stands_in_and_that_is_noted(
    start_cluster: Callable[..., RedisCluster],
) -> None:
    cluster = start_cluster(2, 1)
    fill(cluster, ENTRIES)
    spec = parse_store(f"{cluster.url}?prefix=shop", name="shop")
    (_, before) = members(spec)
    cursor = surveyed(before, summing=SUMMING, most_keys=1).cursor
    assert described(before).capabilities.notes == ()
    moving, heir = cluster.replicas[0][0], cluster.primaries[1]
    tell(moving, "CLUSTER", "REPLICATE", _identifier(heir))
    wait_until(lambda: _have_replicas(cluster.servers, [0, 2]), 30, what="a replica that moves")
    (primaries, both, second) = members(spec)
    assert described(primaries).capabilities.notes == ()
    for replicas, number in ((both, 1), (second, 2)):
        assert described(replicas).capabilities.notes == (
            f"1 of 2 shards have no replica {number}, so the primary stood in: slots 0-8191",
        )
        assert described(replicas).capabilities.reasons == ()
        assert sum(page.summary.entries for page in pages(replicas, sample=0)) == ENTRIES
    with pytest.raises(StoreUnreachable, match=RESHARDED):
        surveyed(before, summing=SUMMING, cursor=cursor)


def _have_replicas(servers: Sequence[RedisServer], counts: list[int]) -> bool:
    maps = [tell(server, "CLUSTER", "SLOTS") for server in servers]
    return all([len(shard) - 3 for shard in sorted(shards)] == counts for shards in maps)  # type: ignore[call-overload]


def test_a_replica_that_failed_makes_its_store_unreachable(
    cluster: RedisCluster, spec: StoreSpec
) -> None:
    lost = cluster.replicas[0][0]
    identifier = str(tell(lost, "CLUSTER", "MYID"), "ascii")  # type: ignore[arg-type]
    others = [server for server in cluster.servers if server is not lost]
    told = f"slots 0-5460 at {lost.address}: {FAILED}"
    with stopped(lost):
        wait_until(lambda: _is_given_up(others, identifier), 30, what="a replica given up")
        (primaries, replicas) = members(spec)
        capabilities = described(replicas).capabilities
        assert (capabilities.reasons, capabilities.notes) == ((told,), ())
        with pytest.raises(StoreUnreachable, match=re.escape(told)):
            list(pages(replicas, sample=0))
        with pytest.raises(StoreUnreachable, match=re.escape(told)):
            list(pages(replicas, summing=SUMMING))
        found = readings(replicas, *map(str, range(50)))
        assert {type(reading) for reading in found} == {Present, Failed}
        assert all(one.detail == FAILED for one in found if isinstance(one, Failed))
        assert sum(page.summary.entries for page in pages(primaries, sample=0)) == ENTRIES
    wait_until(lambda: not described(replicas).capabilities.reasons, 30, what="the replica")


def _is_given_up(servers: list[RedisServer], identifier: str) -> bool:
    told = [str(tell(server, "CLUSTER", "SLOTS")) for server in servers]
    return all(identifier not in slots for slots in told)


# --- slots that move, and servers that go ---------------------------------------------------


def test_a_key_whose_slot_moves_meanwhile_is_read_where_it_is_now(
    cluster: RedisCluster, spec: StoreSpec
) -> None:
    with opened(spec) as store:
        before = store.server_of("shop:1:7")
        source = next(server for server in cluster.primaries if server.address == before)
        target = next(server for server in cluster.primaries if server is not source)
        slot = int(str(tell(source, "CLUSTER", "KEYSLOT", "shop:1:7")))
        _move(slot, source, target, "shop:1:7")
        try:
            found = list(store.read(["shop:1:7", "shop:1:8", "shop:1:7"], always))
            assert all(isinstance(reading, Stored) for reading in found)
            assert store.server_of("shop:1:7") == target.address
        finally:
            _move(slot, target, source, "shop:1:7")


def _move(slot: int, source: RedisServer, target: RedisServer, key: str) -> None:
    origin, goal = (_identifier(server) for server in (source, target))
    tell(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", origin)
    tell(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", goal)
    tell(source, "MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    for server in (target, source):
        tell(server, "CLUSTER", "SETSLOT", slot, "NODE", goal)
    wait_until(lambda: _serves(source, slot, goal) and _serves(target, slot, goal), what="the slot")


def _identifier(server: RedisServer) -> str:
    return str(tell(server, "CLUSTER", "MYID"), "ascii")  # type: ignore[arg-type]


def _serves(asked: RedisServer, slot: int, identifier: str) -> bool:
    shards = shards_of(tell(asked, "CLUSTER", "SLOTS"), ("127.0.0.1", asked.port))  # type: ignore[arg-type]
    return any(
        start <= slot <= end and shard.primary.id == identifier
        for shard in shards
        for start, end in shard.slots
    )


def test_a_key_that_is_about_to_move_is_not_missing(cluster: RedisCluster, spec: StoreSpec) -> None:
    with opened(spec) as store:
        before = store.server_of("shop:1:7")
    source = next(server for server in cluster.primaries if server.address == before)
    target = next(server for server in cluster.primaries if server is not source)
    slot = int(str(tell(source, "CLUSTER", "KEYSLOT", "shop:1:7")))
    tell(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", _identifier(source))
    tell(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", _identifier(target))
    tell(source, "MIGRATE", "127.0.0.1", target.port, "shop:1:7", 0, 5000)
    try:
        (reading,) = readings(spec, "7")
        assert isinstance(reading, Failed)
        assert reading.reason == "error"
    finally:
        for server in (target, source):
            tell(server, "CLUSTER", "SETSLOT", slot, "NODE", _identifier(target))
        _move(slot, target, source, "shop:1:7")


def test_slots_that_nobody_serves_are_named_and_never_missing(
    start_cluster: Callable[..., RedisCluster],
) -> None:
    cluster = start_cluster(2, 0, extra_args=["--cluster-require-full-coverage", "no"])
    fill_only(cluster)
    first = cluster.primaries[0]
    spec = parse_store(f"redis+cluster://{first.address}?prefix=shop")
    tell(first, "CLUSTER", "DELSLOTSRANGE", 100, 200)
    with pytest.raises(StoreUnreachable, match="no server serves slots 100-200"):
        surveyed(spec, summing=SUMMING)
    with pytest.raises(StoreUnreachable, match="no server serves slots 100-200"):
        surveyed(spec)
    capabilities = described(spec).capabilities
    assert not capabilities.can_scan
    assert capabilities.reasons == ("no server serves slots 100-200",)
    found = readings(spec, *(str(number) for number in range(KEYS)))
    with opened(spec) as store, pytest.raises(StoreUnreachable, match="no server serves slot"):
        list(map(store.server_of, (f"shop:1:{number}" for number in range(KEYS))))
    unread = [reading for reading in found if isinstance(reading, Failed)]
    assert unread
    assert {reading.reason for reading in unread} == {"unreachable"}
    assert not any(isinstance(reading, Missing) for reading in found[:KEYS])


def fill_only(cluster: RedisCluster) -> None:
    with cluster.client() as client:
        for number in range(KEYS):
            client.set(f"shop:1:{number}", b"value %d" % number)


def test_a_failover_is_followed_between_shards_and_refused_within_one(
    start_cluster: Callable[..., RedisCluster],
) -> None:
    cluster = start_cluster()
    fill(cluster, 6000)
    spec = parse_store(f"{cluster.url}?prefix=shop")
    before = summed(spec)
    within = surveyed(spec, summing=SUMMING, most_keys=1)
    assert within.cursor is not None
    assert within.cursor.startswith("0/")
    assert not within.cursor.endswith("/")
    (lost, heir) = cluster.primaries[0], cluster.replicas[0][0]
    with stopped(lost):
        wait_until(lambda: b"role:master" in _replication(heir), 30, what="the failover")
        others = [server for server in cluster.servers if server is not lost]
        wait_until(
            lambda: all(_serves(server, 0, _identifier(heir)) for server in others),
            30,
            what="the failover in all maps",
        )
        rest = parse_store(
            f"redis+cluster://{','.join(server.address for server in others)}?prefix=shop"
        )
        with pytest.raises(StoreUnreachable, match=f"slots 0-5460 at {heir.address}: {CHANGED}"):
            surveyed(rest, summing=SUMMING, cursor=within.cursor)
        assert summed(rest) == before
        division = within.cursor.split("/")[1]
        assert surveyed(rest, sample=0, cursor=f"0/{division}/").summary.entries > 0


def _replication(server: RedisServer) -> bytes:
    return (
        str(tell(server, "INFO", "replication")).replace("'role': 'master'", "role:master").encode()
    )


def test_a_primary_that_does_not_answer_is_named_with_its_slots(
    start_cluster: Callable[..., RedisCluster],
) -> None:
    cluster = start_cluster(2, 0)
    fill_only(cluster)
    first, second = cluster.primaries
    spec = parse_store(f"redis+cluster://{first.address}?prefix=shop")
    second.stop()
    with pytest.raises(StoreUnreachable, match=f"slots 8192-16383 at {second.address}: "):
        list(pages(spec, sample=0))
    with opened(spec) as store:
        reasons = store.capabilities().reasons
        lost = [
            reading
            for reading in store.read([f"shop:1:{number}" for number in range(20)], always)
            if isinstance(reading, Failed)
        ]
    assert len(reasons) == 1
    assert reasons[0].startswith(f"slots 8192-16383 at {second.address}: ")
    assert lost


# --- the map of slots ----------------------------------------------------------------------

A = [b"10.0.0.1", 7000, b"aaaa", []]
B = [b"10.0.0.2", 7000, b"bbbb", []]
C = [b"10.0.0.3", 7000, b"cccc", []]


def member(told: list[object]) -> Member:
    return shards_of([[0, 1, told]], ("asked", 1))[0].primary


def test_shards_stand_in_the_order_of_their_lowest_slots() -> None:
    shards = shards_of([[500, 16383, A], [100, 499, B, C], [0, 99, A]], ("asked", 1))
    assert shards == (
        Shard(slots=((0, 99), (500, 16383)), primary=member(A), replicas=()),
        Shard(slots=((100, 499),), primary=member(B), replicas=(member(C),)),
    )
    assert uncovered(shards) is None
    assert shards[1].member(1) == member(C)
    assert shards[0].member(1) == member(A)


NODES = """\
aaaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-16383
bbbb 10.0.0.2:7000@17000,host slave aaaa 0 0 1 connected
cccc 10.0.0.3:7000@17000 slave,fail aaaa 0 0 1 connected
dddd 10.0.0.4:7000@17000 slave aaaa 0 0 1 connected
eeee :0@0 slave,noaddr eeee 0 0 1 disconnected
ffff 10.0.0.6:7000@17000 master,fail - 0 0 1 disconnected
"""


def test_replicas_that_failed_are_added_and_those_being_filled_are_not() -> None:
    (before,) = shards_of([[0, 16383, A, B]], ("asked", 1))
    (after,) = with_failed((before,), NODES)
    failed = Member(host=("10.0.0.3", 7000), id="cccc", is_failed=True)
    assert after.replicas == (member(B), failed)
    assert with_failed((before,), "") == (before,)
    lost = NODES.replace("10.0.0.2:7000@17000,host slave", ":0@0 slave,fail,noaddr")
    assert with_failed((before,), lost) == (after,)


def test_other_replicas_are_another_division_and_another_primary_is_not() -> None:
    one, other = (shards_of([[0, 16383, A, replica]], ("asked", 1)) for replica in (B, C))
    assert distribution(one) == distribution(other)
    assert distribution(one, 1) != distribution(other, 1)


def test_a_server_without_an_address_is_the_one_that_was_asked() -> None:
    assert member([b"", 7000, b"aaaa"]).host == ("asked", 7000)
    assert member([None, 7000, b"aaaa"]).host == ("asked", 7000)


def test_slots_between_shards_are_uncovered() -> None:
    shards = shards_of([[10, 99, A], [200, 200, B]], ("asked", 1))
    assert uncovered(shards) == "0-9, 100-199, 201-16383"
    assert uncovered(()) == "0-16383"
    assert shown_slots([(1, 2), (5, 5)]) == "1-2, 5"


def test_a_division_of_slots_outlives_who_serves_them() -> None:
    one, other, third = (
        shards_of([[0, 99, first], [100, 200, second]], ("asked", 1))
        for first, second in ((A, B), (C, B), (B, A))
    )
    assert distribution(one) == distribution(other) == distribution(third)
    assert distribution(one) != distribution(shards_of([[0, 200, A]], ("asked", 1)))


@pytest.mark.parametrize("answer", [[[0]], [[0, 1]], [["x", 1, A]], [[0, 1, [b"?", 1, b"a"]]], 7])
def test_what_is_no_map_of_slots_is_an_error(answer: list[object]) -> None:
    with pytest.raises(StoreError):
        shards_of(answer, ("asked", 1))
