from __future__ import annotations

import pickle
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pymemcache.client.base import Client

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
from cachecheck.stores.direct import members, open_store, parse_store
from cachecheck.stores.direct.union import DIFFERENT
from cachecheck.sums import counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.stores.direct import StoreSpec
    from harness.memcached import MemcachedServer


def fill(server: MemcachedServer, keys: range, *, form: str = "shop:1:{}") -> None:
    with closing(Client(("127.0.0.1", server.port), no_delay=True)) as client:
        for number in keys:
            client.set(form.format(number), b"value %d" % number, flags=1, noreply=False)


def both(one: MemcachedServer, other: MemcachedServer, query: str = "?prefix=shop") -> StoreSpec:
    return parse_store(f"memcached://{one.address},{other.address}{query}")


@pytest.fixture
def pair(start_memcached: Callable[..., MemcachedServer]) -> tuple[MemcachedServer, ...]:
    """Return two servers that share 100 entries, half each."""
    servers = start_memcached(), start_memcached()
    fill(servers[0], range(50))
    fill(servers[1], range(50, 100))
    return servers


def test_a_server_is_described(memcached_server: MemcachedServer) -> None:
    spec = parse_store(memcached_server.url)
    cache = described(spec)
    assert (cache.kind, cache.scope, cache.identity.grade) == ("memcached", "network", "suggested")
    assert cache.capabilities.can_scan
    assert cache.capabilities.can_read
    assert cache.settings == (("servers", memcached_server.address),)
    assert members(spec) == (spec,)


def test_a_server_that_is_not_there_is_an_error(memcached_server: MemcachedServer) -> None:
    memcached_server.stop()
    with pytest.raises(StoreUnreachable):
        described(parse_store(memcached_server.url))


def test_servers_of_a_list_are_one_store(pair: tuple[MemcachedServer, ...]) -> None:
    spec = both(*pair)
    identity = described(spec).identity
    assert identity.grade == "suggested"
    assert identity.token is not None
    assert identity.token.count(":") == 3
    page = surveyed(spec, sample=10)
    assert sum(found.summary.entries for found in pages(spec, sample=10)) == 100
    assert len(page.summary.sample) == 10
    assert {row.name for row in collected(spec)} == {str(number) for number in range(100)}
    assert sum(counts(summed(spec))) == 100
    assert summed(spec, most_keys=1) == summed(spec)


def test_a_list_has_the_sums_of_one_server_with_the_same_entries(
    pair: tuple[MemcachedServer, ...], start_memcached: Callable[..., MemcachedServer]
) -> None:
    single = start_memcached()
    fill(single, range(100), form="copy:{}")
    copy = parse_store(f"{single.url}?form=copy:{{key}}")
    assert buckets_that_differ(both(*pair), copy) == ((), ())
    fill(single, range(7, 8), form="copy:1000{}")
    assert len(buckets_that_differ(both(*pair), copy)[0]) == 1


def test_a_key_is_read_from_whichever_server_has_it(pair: tuple[MemcachedServer, ...]) -> None:
    first, second, absent = readings(both(*pair), "7", "77", "777")
    assert isinstance(first, Present)
    assert isinstance(second, Present)
    assert first.cas is not None
    assert absent == Missing()


@pytest.mark.parametrize(
    "older",
    [
        {"value": b"an old copy", "flags": 1},
        {"value": b"value 7", "flags": 0},
        {"value": b"value 7", "flags": 1, "expire": 100},
    ],
)
def test_different_entries_on_two_servers_are_not_answered_by_the_first(
    pair: tuple[MemcachedServer, ...], older: Any
) -> None:
    one, other = pair
    with closing(Client(("127.0.0.1", other.port))) as client:
        client.set("shop:1:7", noreply=False, **older)
    for spec in (both(one, other), both(other, one)):
        assert readings(spec, "7") == (Failed(reason="error", detail=DIFFERENT),)


def test_equal_entries_on_two_servers_are_one(pair: tuple[MemcachedServer, ...]) -> None:
    fill(pair[1], range(7, 8))
    (reading,) = readings(both(*pair), "7")
    assert isinstance(reading, Present)


def test_of_two_servers_that_have_a_key_the_first_is_listed_last(
    pair: tuple[MemcachedServer, ...],
) -> None:
    """Of two rows with one key, the later one is taken for the entry."""
    one, other = pair
    with closing(Client(("127.0.0.1", other.port))) as client:
        client.set("shop:1:7", b"an old copy", flags=1, noreply=False)
    (single,) = (row for row in collected(parse_store(f"{one.url}?prefix=shop")) if row.name == "7")
    rows = {row.name: row for row in collected(both(one, other))}
    assert rows["7"].entry == single.entry


def test_where_a_server_is_lost_keys_are_unread_and_not_missing(
    pair: tuple[MemcachedServer, ...],
) -> None:
    one, other = pair
    spec = both(one, other)
    other.stop()
    there, elsewhere = readings(spec, "7", "77")
    assert isinstance(there, Present)
    assert isinstance(elsewhere, Failed)
    assert elsewhere.reason == "unreachable"
    assert described(spec).capabilities.reasons == (f"{other.address}: unreachable",)
    with pytest.raises(StoreUnreachable):
        list(pages(spec, summing=SUMMING))
    with pytest.raises(StoreUnreachable):
        list(pages(spec, sample=0))


@pytest.mark.parametrize("cursor", ["", "x", "7:", "0:x"])
def test_what_is_no_cursor_is_refused(pair: tuple[MemcachedServer, ...], cursor: str) -> None:
    with pytest.raises(StoreError):
        surveyed(both(*pair), cursor=cursor)


def test_capabilities_are_those_of_all_servers(
    start_memcached: Callable[..., MemcachedServer],
) -> None:
    one, other = start_memcached(), start_memcached(extra_args=["-X"])
    with closing(open_store(both(one, other))) as store:
        capabilities = store.capabilities()
    assert not capabilities.can_scan
    assert capabilities.can_read


def test_flags_say_what_has_a_structure(memcached_server: MemcachedServer) -> None:
    with closing(Client(("127.0.0.1", memcached_server.port))) as client:
        client.set("pickle", pickle.dumps([1], protocol=4), flags=1, noreply=False)
        client.set("other", pickle.dumps([1], protocol=5), flags=1, noreply=False)
        client.set("integer", b"7", flags=2, noreply=False)
        client.set("text", b"7", flags=16, noreply=False)
    spec = parse_store(memcached_server.url)
    found = readings(spec, "pickle", "other", "integer", "text", with_structure=True)
    structures = [getattr(reading, "structure", None) for reading in found]
    assert structures[0] == structures[1] is not None
    assert structures[2] is not None
    assert structures[3] is None
