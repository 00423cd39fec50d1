"""Collecting lists the entries of the wanted buckets, and no others."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.core.cache import caches as site_caches
from django.test import override_settings

from cachecheck import wire
from cachecheck.agent import answers, collect
from cachecheck.errors import MalformedMessage
from cachecheck.sums import Summing, rows_of
from cachecheck.wire import Refused
from summing import BUCKETS, LOCMEM, REDIS, SUMMING, answered, ask, bucket_of, listed, locmem, pages
from summing import collect as collecting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.redis import RedisServer

ALL = tuple(range(BUCKETS))
FILES = "django.core.cache.backends.filebased.FileBasedCache"


@pytest.fixture(params=[LOCMEM, REDIS])
def caches(
    request: pytest.FixtureRequest, start_redis: Callable[..., RedisServer]
) -> dict[str, Any]:
    if request.param == LOCMEM:
        return new()
    return {"one": {"BACKEND": REDIS, "LOCATION": start_redis().url}}


def new(**params: Any) -> dict[str, Any]:
    return {"one": locmem(uuid.uuid4().hex, **params)}


def fill(caches: dict[str, Any], entries: dict[str, Any], timeout: int | None = 3600) -> None:
    with override_settings(CACHES={"default": locmem("unused"), **caches}):
        site_caches["one"].set_many(entries, timeout)
        site_caches["one"].close()


def names(caches: dict[str, Any], request: Any, **chosen: Any) -> set[str]:
    return {row.name for row in listed(caches, request, **chosen)}


def test_entries_of_the_wanted_buckets_are_listed(caches: dict[str, Any]) -> None:
    keys = {f"key-{number}" for number in range(500)}
    fill(caches, dict.fromkeys(keys, 1))
    places = (bucket_of("key-1"), bucket_of("key-2"))
    assert names(caches, collecting("one", places)) == {
        key for key in keys if bucket_of(key) in places
    }


def test_a_row_has_the_expiry_and_equal_entries_have_equal_rows(caches: dict[str, Any]) -> None:
    fill(caches, {"a": 1}, None)
    fill(caches, {"b": 1})
    found = {row.name: row for row in listed(caches, collecting("one", ALL))}
    assert found["a"].expires_ms is None
    assert found["b"].expires_ms is not None
    fill(caches, {"a": 2}, None)
    again = {row.name: row for row in listed(caches, collecting("one", ALL))}
    assert again["b"] == found["b"]
    assert (again["a"].key, again["a"].entry == found["a"].entry) == (found["a"].key, False)


def test_pages_list_all_entries(caches: dict[str, Any]) -> None:
    keys = {f"key-{number}" for number in range(9_000)}
    fill(caches, dict.fromkeys(keys, 1))
    found = list(pages(caches, collecting("one", ALL, most_keys=1)))
    assert len(found) > 1
    assert {row.name for page in found for row in rows_of(page.listed)} == keys
    assert sum(page.scanned for page in found) == 9_000


def test_a_page_ends_once_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    caches = new()
    fill(caches, dict.fromkeys((f"key-{number}" for number in range(9_000)), 1))
    request = collecting("one", ALL)

    def count(**chosen: Any) -> int:
        return len(list(pages(caches, request, BUDGET_MS=10_000, **chosen)))

    assert count() == 1
    assert count(MAX_ANSWER=250_000) > 1
    monkeypatch.setattr(collect, "ROWS_PER_PAGE", 100)
    assert count() > 1


@pytest.mark.parametrize("pattern", ["user:*", ":1:user:*", "*secret"])
def test_what_is_withheld_is_not_listed(caches: dict[str, Any], pattern: str) -> None:
    fill(caches, {"page": 1, "user:é:secret": 2})
    assert names(caches, collecting("one", ALL), WITHHOLD=["x", pattern]) == {"page"}


def test_only_what_matches_is_listed(caches: dict[str, Any]) -> None:
    fill(caches, {"page:1": 1, "item:1": 2})
    assert names(caches, collecting("one", ALL, match="item:*")) == {"item:1"}


def test_files_are_listed_by_their_names(tmp_path: Path) -> None:
    caches = {"one": {"BACKEND": FILES, "LOCATION": str(tmp_path)}}
    fill(caches, {"django.contrib.sessions.cachex": 1})
    (page,) = pages(caches, collecting("one", ALL))
    assert page.listed.naming == "file"
    assert [row.name for row in rows_of(page.listed)] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"wanted": bytes(BUCKETS // 8 + 1)}, "bad-request"),
        ({"wanted": bytes(2)}, "bad-request"),
        (
            {"summing": Summing(buckets=48, lane_ms=1000, horizon=0.0), "wanted": bytes(6)},
            "bad-request",
        ),
        ({"cursor": "no cursor"}, "not-allowed"),
        ({"cache": "none"}, "unknown-cache"),
    ],
)
def test_what_does_not_hold_together_is_refused(fields: dict[str, Any], reason: str) -> None:
    refused = ask(new(), msgspec.structs.replace(collecting("one", ALL), **fields))
    assert isinstance(refused, Refused)
    assert refused.reason == reason


@pytest.mark.parametrize("wanted", [b"", b"\0", bytes((1 << 16) // 8 + 1)])
def test_a_bitmap_of_no_buckets_or_too_many_is_refused_when_it_is_decoded(wanted: bytes) -> None:
    request = wire.Collect(run="r", cache="one", seed="00" * 16, summing=SUMMING, wanted=wanted)
    with pytest.raises(MalformedMessage):
        answered(new(), wire.encode(request))


def test_collecting_waits_for_its_turn() -> None:
    with answers._turns.surveying:  # noqa: SLF001  as if another thread were on a survey
        refused = ask(new(), collecting("one", ALL))
    assert (refused.reason, refused.retry_after_seconds) == ("busy", answers.BUSY_RETRY_SECONDS)
