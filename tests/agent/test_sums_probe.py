"""A survey that sums: equal caches have equal sums, and each kind of fault names its bucket."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches as site_caches
from django.test import override_settings
from django.utils.module_loading import import_string
from hypothesis import given
from hypothesis import strategies as st

from cachecheck import wire
from cachecheck.agent import answers, conf
from cachecheck.agent.backends.locmem import LocMemBackend
from cachecheck.agent.sorting import Chooser, Sorter
from cachecheck.errors import MalformedMessage
from cachecheck.sums import Summing, counts, differing
from cachecheck.wire import Refused
from summing import (
    BUCKETS,
    LOCMEM,
    REDIS,
    answered,
    ask,
    bucket_of,
    locmem,
    pages,
    summed,
    survey,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

    from harness.redis import RedisServer

SESSION = "django.contrib.sessions.cacheabcdef"
FAULTS = {
    "missing": lambda cache: cache.delete("key-7"),
    "extra": lambda cache: cache.set("extra", 1, 3600),
    "changed": lambda cache: cache.set("key-7", "VALUE-7", 3600),
    "drift of the expiry": lambda cache: cache.touch("key-7", 7200),
    "no expiry": lambda cache: cache.touch("key-7", None),
}


@pytest.fixture(params=[LOCMEM, REDIS])
def two(request: pytest.FixtureRequest, start_redis: Callable[..., RedisServer]) -> dict[str, Any]:
    """Two caches of one kind with the same 300 entries."""
    name = uuid.uuid4().hex
    if request.param == LOCMEM:
        caches = {alias: locmem(alias + name) for alias in ("one", "two")}
    else:
        places = {alias: start_redis().url for alias in ("one", "two")}
        caches = {a: {"BACKEND": REDIS, "LOCATION": url} for a, url in places.items()}
    for alias in caches:
        fill(caches, alias, 300)
    return caches


def fill(caches: dict[str, Any], alias: str, count: int) -> None:
    entries = {f"key-{number}": f"value-{number}" for number in range(count)}
    on(caches, alias, lambda cache: cache.set_many(entries, 3600))


def on(caches: dict[str, Any], alias: str, change: Callable[[BaseCache], object]) -> None:
    with override_settings(CACHES={"default": locmem("unused"), **caches}):
        change(site_caches[alias])
        site_caches[alias].close()


def new(**params: Any) -> dict[str, Any]:
    return {"one": locmem(uuid.uuid4().hex, **params)}


def sums_of(caches: dict[str, Any], alias: str) -> Any:
    return summed(caches, survey(alias))[1]


def test_equal_caches_have_equal_sums(two: dict[str, Any]) -> None:
    summary, sums = summed(two, survey("one"))
    assert (summary.scanned, summary.entries) == (300, 300)
    assert sum(counts(sums)) == 300
    assert differing([sums, sums_of(two, "two")]) == ((), ())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_differs_in_the_bucket_of_its_key(two: dict[str, Any], fault: str) -> None:
    on(two, "two", FAULTS[fault])
    place = bucket_of("extra" if fault == "extra" else "key-7")
    expected = ((), (place,)) if fault == "drift of the expiry" else ((place,), ())
    assert differing([sums_of(two, "one"), sums_of(two, "two")]) == expected


def test_pages_add_up_to_what_one_pass_gives(two: dict[str, Any]) -> None:
    fill(two, "one", 9_000)
    fill(two, "two", 9_000)
    answers_ = list(pages(two, survey("one", most_keys=1)))
    assert len(answers_) > 1
    summary, sums = summed(two, survey("two", most_keys=10**6), BUDGET_MS=10_000)
    assert summed(two, survey("one", most_keys=1))[0].entries == summary.entries == 9_000
    assert differing([sums, summed(two, survey("one", most_keys=1))[1]]) == ((), ())


def test_what_a_worker_keeps_is_what_its_pages_would_have_given(two: dict[str, Any]) -> None:
    fill(two, "one", 9_000)
    request = survey("one", most_keys=1, page=1)
    kept = list(pages(two, request))
    assert all(answer.sums is None for answer in kept)
    gathered = ask(two, wire.Gather(run="r", cache="one"))
    assert gathered.pages == tuple(range(1, len(kept) + 1))
    assert differing([gathered.sums, sums_of(two, "one")]) == ((), ())
    again = ask(two, wire.Gather(run="r", cache="one"))
    assert (again.sums, again.pages) == (gathered.sums, gathered.pages)


def test_a_page_that_is_asked_twice_counts_once(two: dict[str, Any]) -> None:
    fill(two, "one", 9_000)
    first = ask(two, survey("one", most_keys=1, page=1))
    second = survey("one", most_keys=1, page=2, cursor=first.cursor)
    answer, again = ask(two, second), ask(two, second)
    assert (answer.summary, answer.cursor) == (again.summary, again.cursor)
    gathered = ask(two, wire.Gather(run="r", cache="one"))
    assert gathered.pages == (1, 2)
    assert sum(counts(gathered.sums)) == first.summary.entries + answer.summary.entries


def test_a_first_page_that_is_the_last_brings_its_sums(two: dict[str, Any]) -> None:
    answer = ask(two, survey("one", page=1), BUDGET_MS=10_000)
    assert answer.cursor is None
    assert differing([answer.sums, sums_of(two, "two")]) == ((), ())
    assert ask(two, wire.Gather(run="r", cache="one")).sums is None


# --- what is summed ------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["user:*", ":1:user:*", "*:secret", "user:?:secret"])
def test_what_is_withheld_is_counted_and_not_summed(pattern: str) -> None:
    caches = new()
    on(caches, "one", lambda cache: cache.set_many({"page": 1, "user:é:secret": 2}))
    summary, sums = summed(caches, survey("one"), WITHHOLD=[pattern, "other"])
    assert (summary.entries, summary.withheld, summary.scanned) == (1, 1, 2)
    assert [place for place, count in enumerate(counts(sums)) if count] == [bucket_of("page")]


def test_counts_say_what_was_not_summed(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    caches = {"one": {"BACKEND": REDIS, "LOCATION": server.url, "KEY_PREFIX": "shop"}}
    on(caches, "one", lambda cache: cache.set_many({"page:1": 1, "page:2": 2, SESSION: 3, "x": 4}))
    on(caches, "one", lambda cache: cache.set("page:3", 1, 5))
    with server.client() as client:
        client.mset({"elsewhere": 1, b"shop:1:\xff": 1})
        client.lpush("shop:1:page:list", 1)
    soon = Summing(buckets=BUCKETS, lane_ms=1000, horizon=4_000_000_000.0)
    summary, sums = summed(caches, survey("one", summing=soon, match="page:*"))
    assert (summary.entries, summary.withheld, summary.unmatched) == (0, 1, 1)
    assert (summary.foreign, summary.expiring, summary.unread) == (3, 3, 0)
    assert summary.scanned == 8
    assert not any(counts(sums))


def hashed(key: str, prefix: str, version: int) -> str:
    return f"{hash((prefix, version)):x}{hash(key):x}"


def test_keys_that_cannot_be_recovered_are_summed_by_their_stored_names() -> None:
    caches = new(KEY_FUNCTION=f"{__name__}.hashed")
    on(caches, "one", lambda cache: cache.set("page", 1))
    _, sums = summed(caches, survey("one"))
    place = bucket_of(hashed("page", "", 1))
    assert [at for at, count in enumerate(counts(sums)) if count] == [place]


# --- the shortcut --------------------------------------------------------------------------


@given(
    keys=st.lists(st.text("ab:1é*\n", max_size=8), max_size=8),
    withheld=st.lists(st.text("ab:1é*?[]!\n", max_size=6), max_size=3),
    glob=st.one_of(st.just("*"), st.text("ab:1é*?\n", max_size=4)),
)
def test_the_shortcut_chooses_what_sorting_chooses(
    keys: list[str], withheld: list[str], glob: str
) -> None:
    backend = LocMemBackend("default", import_string(LOCMEM)("x", {}))
    with override_settings(CACHECHECK={"SECRET": "s" * 40, "WITHHOLD": withheld}):
        sorter = Sorter(backend, glob, conf.load())
    stored = [f"{head}{key}".encode() for key in keys for head in (":1:", "")] + [b":1:\xff"]
    quick = Chooser(sorter, lambda: True)
    found = quick(stored)
    assert sorter.shortcut is not None
    sorter.shortcut = None
    slow = Chooser(sorter, lambda: True)
    assert (found, quick.counts) == (slow(stored), slow.counts)
    entries = [key for key in stored[:-1] if sorter.sort(key.decode())[0] == "entries"]
    assert found == {key: key[3:] for key in entries}


# --- what is refused -----------------------------------------------------------------------


def test_an_unknown_cache_is_refused() -> None:
    for request in (survey("none"), survey("none", page=1), wire.Gather(run="r", cache="none")):
        refused = ask(new(), request)
        assert isinstance(refused, Refused)
        assert refused.reason == "unknown-cache"


def test_a_cache_without_a_store_is_refused() -> None:
    caches = {"one": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    for request in (survey("one"), survey("one", page=1)):
        refused = ask(caches, request)
        assert isinstance(refused, Refused)
        assert "stores nothing" in refused.detail


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"summing": Summing(buckets=48, lane_ms=1000, horizon=0.0)}, "bad-request"),
        ({"summing": Summing(buckets=32, lane_ms=1000, horizon=0.0, by="hashes")}, "bad-request"),
        ({"sample": 5}, "bad-request"),
        ({"summing": None, "page": 1}, "bad-request"),
        ({"cursor": "no cursor"}, "not-allowed"),
        ({"cursor": "no cursor", "page": 7}, "not-allowed"),
    ],
)
def test_a_survey_that_does_not_hold_together_is_refused(
    fields: dict[str, Any], reason: str
) -> None:
    refused = ask(new(), survey("one", **fields))
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert ask(new(), wire.Gather(run="r", cache="one")).pages == ()


def test_sums_that_would_not_fit_an_answer_are_refused_before_they_are_made() -> None:
    wide = Summing(buckets=4096, lane_ms=1000, horizon=0.0)
    refused = ask(new(), survey("one", summing=wide), MAX_ANSWER=100_000)
    assert isinstance(refused, Refused)
    assert refused.reason == "too-large"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("buckets", 1 << 17),
        ("buckets", 1),
        ("buckets", -64),
        ("buckets", 64.5),
        ("lane_ms", 0),
        ("lane_ms", 10**12),
        ("shift_ms", -(10**18)),
        ("horizon", 1e300),
        ("horizon", None),
        ("page", 0),
        ("page", -1),
        ("most_keys", 0),
        ("most_keys", -5),
        ("sample", -1),
    ],
)
def test_numbers_out_of_bounds_are_refused_when_they_are_decoded(field: str, value: Any) -> None:
    body = json.loads(wire.encode(survey("one", page=1, most_keys=1)))
    (body if field in body else body["summing"])[field] = value
    with pytest.raises(MalformedMessage):
        answered(new(), json.dumps(body).encode())


@pytest.mark.parametrize("shift_ms", [10**14, -(10**14)])
@pytest.mark.parametrize("horizon", [-62_135_596_800.0, 253_402_300_799.0])
def test_the_most_extreme_numbers_are_answered(shift_ms: int, horizon: float) -> None:
    caches = new()
    fill(caches, "one", 20)
    summing = Summing(buckets=1 << 16, lane_ms=4, shift_ms=shift_ms, horizon=horizon)
    summary, _ = summed(caches, survey("one", summing=summing))
    assert summary.entries + summary.expiring == summary.scanned == 20


def test_one_survey_at_a_time() -> None:
    with answers._turns.surveying:  # noqa: SLF001  as if another thread were on one
        refused = ask(new(), survey("one", page=1))
    assert (refused.reason, refused.retry_after_seconds) == ("busy", answers.BUSY_RETRY_SECONDS)
