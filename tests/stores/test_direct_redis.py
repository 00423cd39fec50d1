from __future__ import annotations

import os
import pickle
import signal
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import redis

from asking_direct import (
    SEED,
    SUMMING,
    buckets_that_differ,
    collected,
    described,
    pages,
    readings,
    summed,
    surveyed,
)
from cachecheck.digest import entry_digest
from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable
from cachecheck.model import Failed, Key, Missing, Present
from cachecheck.stores.direct import answer, members, parse_store, with_password
from cachecheck.stores.direct.bound import CHANGED, BoundStore
from cachecheck.stores.direct.opening import client_of
from cachecheck.stores.redis import RedisStore
from cachecheck.sums import counts, rows_of
from cachecheck.wire import (
    Describe,
    Described,
    Elsewhere,
    Gather,
    Read,
    Readings,
    Refused,
    Survey,
    Surveyed,
)
from harness.process import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cachecheck.model import StoreIdentity
    from cachecheck.stores.base import Batch, Choose, Pace
    from harness.redis import RedisServer

PASSWORD = "hunter2-very-secret"


def fill(server: RedisServer, keys: range, *, form: str = "shop:1:{}", db: int = 0) -> None:
    client = redis.Redis(port=server.port, db=db)
    with client, client.pipeline(transaction=False) as pipeline:
        for number in keys:
            pipeline.set(form.format(number), b"value %d" % number)
            if number % 2:
                pipeline.pexpireat(form.format(number), 4_000_000_000_000 + number)
        pipeline.execute()


# --- what it is ----------------------------------------------------------------------------


def test_a_server_is_described_as_a_node_describes_its_cache(redis_server: RedisServer) -> None:
    fill(redis_server, range(10))
    spec = parse_store(f"{redis_server.url}?prefix=shop&application=shop&cache=pages")
    found = answer(spec, Describe(run="run", probe_keys=("probe-key",)))
    assert isinstance(found, Described)
    (cache,) = found.caches
    assert (found.node, found.application) == (spec.name, "shop")
    assert (found.workers_expected, found.expected_by) == (1, "configured")
    assert (found.worker.role, found.worker.host) == ("store", redis_server.url)
    assert (cache.alias, cache.kind, cache.scope) == ("pages", "redis", "network")
    assert cache.identity.grade == "observed"
    assert cache.capabilities.can_read
    assert cache.capabilities.can_scan
    assert cache.capabilities.unread_replicas == 0
    assert cache.namespace.stored_probe == "shop:1:probe-key"
    assert (cache.namespace.form, cache.namespace.prefix) == ("shop:1:{key}", "shop:1:")
    assert cache.settings == (("servers", redis_server.address),)


def test_a_whole_store_is_a_namespace_without_a_prefix(redis_server: RedisServer) -> None:
    namespace = described(parse_store(redis_server.url)).namespace
    assert (namespace.form, namespace.stored_probe) == ("{key}", "probe-key")


def test_databases_of_a_server_are_different_stores(redis_server: RedisServer) -> None:
    fill(redis_server, range(10), db=3)
    three = parse_store(f"redis://{redis_server.address}/3")
    zero = parse_store(redis_server.url)
    assert described(three).identity.token != described(zero).identity.token
    assert surveyed(three, sample=100).summary.entries == 10
    assert surveyed(zero, sample=100).summary.entries == 0


def test_a_server_that_is_not_there_is_an_error_and_not_a_description() -> None:
    spec = parse_store(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnreachable):
        described(spec)
    with pytest.raises(StoreUnreachable):
        surveyed(spec)


@pytest.mark.parametrize(
    "word", ["redis://a..b", "redis+cluster://a..b", "redis+sentinel://a..b/x"]
)
def test_an_address_that_can_be_none_is_an_error_of_the_store(word: str) -> None:
    spec = parse_store(word)
    with pytest.raises(StoreError):
        surveyed(spec)
    with pytest.raises(StoreError):
        members(spec)


def test_who_is_not_meant_does_nothing(redis_server: RedisServer) -> None:
    spec = parse_store(redis_server.url)
    worker = answer(spec, Describe(run="run", probe_keys=("probe-key",))).worker
    assert worker is not None
    heard = Describe(run="run", probe_keys=("probe-key",), heard=(worker.id,))
    assert isinstance(answer(spec, heard), Elsewhere)
    meant = Describe(run="run", probe_keys=("probe-key",), audience=(worker.id,))
    assert isinstance(answer(spec, meant), Described)
    request = Survey(run="run", audience=("another",), cache="default", seed=SEED, sample=0)
    assert isinstance(answer(spec, request), Elsewhere)


def test_what_cannot_be_asked_of_a_store_is_refused(redis_server: RedisServer) -> None:
    spec = parse_store(redis_server.url)
    gather = answer(spec, Gather(run="run", cache="default"))
    other = answer(spec, Survey(run="run", cache="other", seed=SEED, sample=0))
    assert isinstance(gather, Refused)
    assert gather.reason == "bad-request"
    assert isinstance(other, Refused)
    assert other.reason == "unknown-cache"


# --- how it is reached ---------------------------------------------------------------------


def test_a_user_with_a_password_is_let_in(start_redis: Callable[..., RedisServer]) -> None:
    users = ["user default off", f"user site on >{PASSWORD} ~* +@all"]
    server = start_redis(users=users)
    spec = with_password(parse_store(f"redis://site@{server.address}"), f"{PASSWORD}\n")
    assert described(spec).identity.grade == "observed"


def test_a_wrong_password_is_an_error_that_does_not_repeat_it(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=["user default off", "user site on >another ~* +@all"])
    spec = with_password(parse_store(f"redis://site@{server.address}"), PASSWORD)
    with pytest.raises(StoreDenied) as described_error:
        described(spec)
    with pytest.raises(StoreError) as surveyed_error:
        surveyed(spec, summing=SUMMING)
    for error in (described_error.value, surveyed_error.value):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert again.reason == error.reason
        assert PASSWORD not in f"{error!r}{error}{again!r}{error.__cause__!r}"


def test_a_user_who_may_read_little_is_still_described(
    start_redis: Callable[..., RedisServer],
) -> None:
    rights = "~* +get +strlen +pttl +pexpiretime +scan +client +ping"
    server = start_redis(users=[f"user site on >{PASSWORD} {rights}"])
    fill(server, range(10))
    spec = with_password(parse_store(f"redis://site@{server.address}?prefix=shop"), PASSWORD)
    cache = described(spec)
    assert cache.identity.grade == "unobserved"
    assert [page.summary.entries for page in pages(spec, summing=SUMMING)] == [10]


def test_a_server_is_reached_by_its_socket(
    start_redis: Callable[..., RedisServer], tmp_path: Path
) -> None:
    socket = tmp_path / "redis.sock"
    server = start_redis(extra_args=["--unixsocket", str(socket)])
    fill(server, range(10), db=2)
    spec = parse_store(f"unix://{socket}?db=2&prefix=shop")
    assert described(spec).settings == (("servers", str(socket)),)
    assert surveyed(spec, sample=5).summary.entries == 10
    with_tcp = parse_store(f"redis://{server.address}/2?prefix=shop")
    assert described(with_tcp).identity.token == described(spec).identity.token


@pytest.fixture
def secured(
    start_redis: Callable[..., RedisServer], certificates: dict[str, str]
) -> tuple[RedisServer, str]:
    port = free_port()
    options = {
        "--tls-port": str(port),
        "--tls-cert-file": certificates["server"],
        "--tls-key-file": certificates["server"],
        "--tls-ca-cert-file": certificates["ca"],
        "--tls-auth-clients": "yes",
    }
    server = start_redis(extra_args=[word for pair in options.items() for word in pair])
    return server, f"rediss://127.0.0.1:{port}/0?prefix=shop"


def test_a_server_is_reached_over_tls(
    secured: tuple[RedisServer, str], certificates: dict[str, str]
) -> None:
    server, url = secured
    fill(server, range(10))
    spec = parse_store(url, ca_file=certificates["ca"], client_cert=certificates["client"])
    assert described(spec).identity.grade == "observed"
    assert surveyed(spec, sample=5).summary.entries == 10


def test_a_server_whose_certificate_is_not_trusted_is_not_read(
    secured: tuple[RedisServer, str], certificates: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(StoreUnreachable):
        described(parse_store(secured[1], ca_file=str(tmp_path / "nothing.pem")))
    with pytest.raises(StoreUnreachable):
        described(parse_store(secured[1], client_cert=certificates["client"]))


# --- what is in it -------------------------------------------------------------------------


def test_a_store_is_sampled_within_its_form(redis_server: RedisServer) -> None:
    fill(redis_server, range(100))
    fill(redis_server, range(7), form="other:{}")
    summary = surveyed(parse_store(f"{redis_server.url}?prefix=shop"), sample=5, match="1*").summary
    assert (summary.scanned, summary.entries) == (107, 11)
    assert (summary.foreign, summary.unmatched) == (7, 89)
    assert len(summary.sample) == 5
    assert all(entry.key.name.startswith("1") for entry in summary.sample)


def test_two_stores_with_different_prefixes_have_the_same_sums(
    start_redis: Callable[..., RedisServer],
) -> None:
    one, other = start_redis(), start_redis()
    fill(one, range(300))
    fill(other, range(300), form="region-2:7:{}")
    specs = (
        parse_store(f"{one.url}?prefix=shop"),
        parse_store(f"{other.url}?prefix=region-2&version=7"),
    )
    assert buckets_that_differ(*specs) == ((), ())
    with other.client() as client:
        client.set("region-2:7:12", b"another")
    different, expiring = buckets_that_differ(*specs)
    assert (len(different), expiring) == (1, ())
    rows = [{row.name: row.entry for row in collected(spec, different)} for spec in specs]
    assert rows[0].keys() == rows[1].keys()
    assert [name for name in rows[0] if rows[0][name] != rows[1][name]] == ["12"]


def test_few_entries_are_listed_with_their_sums(redis_server: RedisServer) -> None:
    fill(redis_server, range(50))
    spec = parse_store(f"{redis_server.url}?prefix=shop")
    assert surveyed(spec, summing=SUMMING).kept is None
    page = surveyed(spec, summing=SUMMING, sample=3, with_rows=True)
    assert page.kept is not None
    assert page.sums is not None
    assert sum(counts(page.sums)) == 50
    rows = {row.name: row.expires_ms for row in rows_of(page.kept)}
    assert rows == {
        str(number): 4_000_000_000_000 + number if number % 2 else None for number in range(50)
    }
    assert sorted(map(tuple, collected(spec))) == sorted(map(tuple, rows_of(page.kept)))
    assert len(page.summary.sample) == 3


def test_other_types_are_foreign(redis_server: RedisServer) -> None:
    fill(redis_server, range(20))
    with redis_server.client() as client:
        client.rpush("shop:1:list", "a")
        client.hset("shop:1:hash", "a", "b")
        client.sadd("elsewhere", "a")
    page = surveyed(parse_store(f"{redis_server.url}?prefix=shop"), summing=SUMMING)
    assert (page.summary.entries, page.summary.foreign) == (20, 3)
    assert page.sums is not None
    assert sum(counts(page.sums)) == 20


def test_a_store_is_read_page_by_page(redis_server: RedisServer) -> None:
    fill(redis_server, range(3000))
    spec = parse_store(f"{redis_server.url}?prefix=shop")
    found = list(pages(spec, summing=SUMMING, most_keys=700))
    assert len(found) > 1
    assert sum(page.summary.entries for page in found) == 3000
    assert summed(spec, most_keys=700) == summed(spec)
    sampled = list(pages(spec, sample=10, most_keys=700))
    assert sum(page.summary.entries for page in sampled) >= 3000


def test_a_page_ends_when_its_time_is_up(redis_server: RedisServer) -> None:
    fill(redis_server, range(20_000))
    spec = parse_store(redis_server.url)
    for summing in (None, SUMMING):
        request = Survey(run="run", cache="default", seed=SEED, sample=0, summing=summing)
        found = answer(spec, request, seconds=0.0)
        assert isinstance(found, Surveyed)
        assert found.cursor is not None
        assert 0 < found.summary.entries < 20_000
    keys = tuple(Key(name=str(number)) for number in range(1000))
    some = answer(spec, Read(run="run", cache="default", seed=SEED, keys=keys), seconds=0.0)
    assert isinstance(some, Readings)
    assert len(some.readings) + some.unread == 1000
    assert some.unread


def test_a_cursor_of_another_process_is_refused(start_redis: Callable[..., RedisServer]) -> None:
    one, other = start_redis(), start_redis()
    fill(one, range(9000))
    fill(other, range(9000))
    for asked in ({"sample": 1}, {"summing": SUMMING}):
        page = surveyed(parse_store(one.url), most_keys=100, **asked)
        assert page.cursor is not None
        with pytest.raises(StoreUnreachable, match=CHANGED):
            surveyed(parse_store(other.url), cursor=page.cursor, **asked)


def test_which_process_it_is_is_found_out_before_it_lists(redis_server: RedisServer) -> None:
    """Found out after, it would be that of a server which took over in between."""
    fill(redis_server, range(9000))
    spec = parse_store(redis_server.url)
    asked: list[str] = []

    class Watched(RedisStore):
        def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
            asked.append("walk")
            return super().walk(cursor, choose, pace)

        def identity(self) -> StoreIdentity:
            asked.append("identity")
            return super().identity()

    with closing(BoundStore(Watched(partial(client_of, spec), address="here"))) as store:
        next(iter(store.walk(None, lambda keys: {key: key for key in keys}, lambda: True)))
    assert asked == ["identity", "walk"]


@pytest.mark.parametrize("cursor", ["", "x", "12", "0123456789ab:", "-:x"])
def test_what_is_no_cursor_is_refused(redis_server: RedisServer, cursor: str) -> None:
    with pytest.raises(StoreError):
        surveyed(parse_store(redis_server.url), cursor=cursor)


def test_logical_keys_are_read_through_the_form(redis_server: RedisServer) -> None:
    fill(redis_server, range(3))
    spec = parse_store(f"{redis_server.url}?prefix=shop")
    first, second, absent = readings(spec, "0", "1", "nothing")
    assert isinstance(first, Present)
    assert isinstance(second, Present)
    assert first.digest == entry_digest(bytes.fromhex(SEED), b"value 0")
    assert (first.size_bytes, first.expires_at) == (7, None)
    assert second.expires_at == 4_000_000_000.001
    assert absent == Missing()
    assert first.structure is None
    assert first.structure_unknown is None


def test_stored_keys_are_read_as_they_are(redis_server: RedisServer) -> None:
    fill(redis_server, range(1))
    spec = parse_store(f"{redis_server.url}?prefix=shop")
    keys = (Key(name="shop:1:0", naming="stored"), Key(name="0", naming="stored"))
    found = answer(spec, Read(run="run", cache="default", seed=SEED, keys=keys))
    assert isinstance(found, Readings)
    assert [type(reading) for reading in found.readings] == [Present, Missing]


def test_pickles_and_integers_have_a_structure_and_nothing_else(
    redis_server: RedisServer,
) -> None:
    with redis_server.client() as client:
        client.set("old", pickle.dumps({"a": [1]}, protocol=2))
        client.set("new", pickle.dumps({"a": [1]}, protocol=5))
        client.set("raw", b"7")
        client.set("pickled", pickle.dumps(7))
        client.set("json", b'{"a": [1]}')
    spec = parse_store(redis_server.url)
    found: list[Any] = list(
        readings(spec, "old", "new", "raw", "pickled", "json", with_structure=True)
    )
    old, new, raw, pickled, json = found
    assert old.structure == new.structure != raw.structure == pickled.structure
    assert old.structure is not None
    assert json.structure is None
    assert json.structure_unknown == "not a pickle: read directly, its codec is not known"


def test_a_server_that_goes_away_leaves_keys_unread(redis_server: RedisServer) -> None:
    spec = parse_store(redis_server.url)
    redis_server.stop()
    (reading,) = readings(spec, "a")
    assert isinstance(reading, Failed)
    assert reading.reason == "unreachable"


# --- replicas and Sentinel -----------------------------------------------------------------


def test_each_replica_is_a_store_of_its_own(start_redis: Callable[..., RedisServer]) -> None:
    primary = start_redis()
    fill(primary, range(100))
    replicas = [start_redis(replicaof=primary) for _ in range(2)]
    spec = parse_store(f"redis://{primary.address}/0?prefix=shop", name="main")
    wait_until(lambda: len(members(spec)) == 3, what="both replicas at their primary")
    found = members(spec)
    assert found[0] == spec
    assert {member.name for member in found[1:]} == {
        f"main/replica {replica.address}" for replica in replicas
    }
    assert {member.hosts for member in found[1:]} == {
        (("127.0.0.1", replica.port),) for replica in replicas
    }
    assert {member.form for member in found} == {"shop:1:{key}"}
    identities = [described(member).identity for member in found]
    assert len({identity.token for identity in identities}) == 1
    assert len({identity.member for identity in identities}) == 3
    assert buckets_that_differ(*found) == ((), ())


def test_replicas_are_left_out_where_they_are_not_wanted(
    start_redis: Callable[..., RedisServer],
) -> None:
    primary = start_redis()
    start_redis(replicaof=primary)
    spec = parse_store(f"{primary.url}?replicas=no")
    assert members(spec) == (spec,)


def test_replicas_are_found_where_role_is_forbidden(
    start_redis: Callable[..., RedisServer],
) -> None:
    primary = start_redis(users=[f"user site on >{PASSWORD} ~* +@all -role"])
    replica = start_redis(replicaof=primary)
    spec = with_password(parse_store(f"redis://site@{primary.address}"), PASSWORD)
    wait_until(lambda: len(members(spec)) == 2, what="the replica at its primary")
    (_, found) = members(spec)
    assert found.hosts == (("127.0.0.1", replica.port),)
    assert (found.username, found.password) == ("site", PASSWORD)


def test_more_replicas_than_are_read_are_refused_and_not_cut(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[members.__module__], "_MAX_REPLICAS", 1)
    primary = start_redis()
    for _ in range(2):
        start_redis(replicaof=primary)
    spec = parse_store(primary.url)
    wait_until(lambda: _refusal(spec) is not None, what="both replicas at their primary")
    assert _refusal(spec) == "it has 2 replicas, and no more than 1 are read"


def _refusal(spec: Any) -> str | None:
    try:
        members(spec)
    except StoreError as exc:
        return exc.reason
    return None


def test_where_replicas_cannot_be_asked_for_that_is_said(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis(users=[f"user site on >{PASSWORD} ~* +@all -role -info"])
    spec = with_password(parse_store(f"redis://site@{server.address}"), PASSWORD)
    with pytest.raises(StoreDenied):
        members(spec)
    server.stop()
    with pytest.raises(StoreUnreachable):
        members(spec)


def test_a_replica_that_was_detached_differs(start_redis: Callable[..., RedisServer]) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary, extra_args=["--replica-read-only", "no"])
    fill(primary, range(50))
    spec = parse_store(f"{primary.url}?prefix=shop")
    wait_until(lambda: len(members(spec)) == 2, what="the replica at its primary")
    found = members(spec)
    wait_until(lambda: buckets_that_differ(*found) == ((), ()), what="the replica")
    with replica.client() as client:
        client.set("shop:1:7", b"written here")
    (different, _) = buckets_that_differ(*found)
    assert len(different) == 1


def test_sentinels_say_where_the_primary_is(
    start_redis: Callable[..., RedisServer], start_sentinel: Callable[..., RedisServer]
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    sentinel = start_sentinel("main", primary)
    fill(primary, range(20))
    dead = free_port()
    spec = parse_store(f"redis+sentinel://127.0.0.1:{dead},{sentinel.address}/main?prefix=shop")
    assert surveyed(spec, sample=1).summary.entries == 20
    assert described(spec).identity.token == described(parse_store(primary.url)).identity.token
    wait_until(lambda: len(members(spec)) == 2, what="the replica at its primary")
    (_, member) = members(spec)
    assert (member.kind, member.hosts) == ("redis", (("127.0.0.1", replica.port),))


def test_sentinels_that_want_a_password_get_the_one_of_the_store(
    start_redis: Callable[..., RedisServer], start_sentinel: Callable[..., RedisServer]
) -> None:
    primary = start_redis(users=[f"user default on >{PASSWORD} ~* +@all"])
    sentinel = start_sentinel("main", start_redis())
    with sentinel.client() as client:
        client.execute_command("SENTINEL", "REMOVE", "main")
        client.execute_command("SENTINEL", "MONITOR", "main", "127.0.0.1", primary.port, 1)
        client.execute_command("SENTINEL", "SET", "main", "auth-pass", PASSWORD)
        client.execute_command("ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")
    spec = parse_store(f"redis+sentinel://{sentinel.address}/main")
    assert described(with_password(spec, PASSWORD)).identity.grade == "observed"
    with pytest.raises(StoreError):
        described(spec)


def test_a_service_that_sentinels_do_not_know_is_unreachable(
    start_redis: Callable[..., RedisServer], start_sentinel: Callable[..., RedisServer]
) -> None:
    sentinel = start_sentinel("main", start_redis())
    with pytest.raises(StoreUnreachable):
        described(parse_store(f"redis+sentinel://{sentinel.address}/another"))


def test_a_failover_between_two_pages_ends_the_listing_and_the_next_one_is_whole(
    start_redis: Callable[..., RedisServer], start_sentinel: Callable[..., RedisServer]
) -> None:
    primary = start_redis()
    replica = start_redis(replicaof=primary)
    sentinel = start_sentinel("main", primary)
    fill(primary, range(6000))
    with primary.client() as client:
        assert client.wait(1, 5000) == 1
    spec = parse_store(f"redis+sentinel://{sentinel.address}/main?prefix=shop")
    before = summed(spec)
    page = surveyed(spec, summing=SUMMING, most_keys=500)
    assert page.cursor is not None
    os.kill(primary.pid, signal.SIGSTOP)
    try:
        with replica.client() as client:
            wait_until(lambda: client.role()[0] == b"master", 30, what="the failover")
        wait_until(lambda: _is_there(spec), 10, what="the Sentinel's new primary")
        with pytest.raises(StoreUnreachable, match=CHANGED):
            surveyed(spec, summing=SUMMING, cursor=page.cursor)
        assert summed(spec) == before
    finally:
        os.kill(primary.pid, signal.SIGCONT)


def _is_there(spec: Any) -> bool:
    try:
        described(spec)
    except StoreUnreachable:
        return False
    return True
