"""Ask an agent in this process for sums, as a coordinator does page after page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.test import override_settings

from cachecheck import wire
from cachecheck.agent import answers, conf
from cachecheck.agent.worker import this_worker
from cachecheck.digest import key_digest
from cachecheck.sums import Summing, add_up, bitmap_of, rows_of
from cachecheck.survey import merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cachecheck.sums import Row, Sums
    from cachecheck.survey import Summary

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
SEED = "5e" * 16
BUCKETS = 64
SUMMING = Summing(buckets=BUCKETS, lane_ms=60_000, horizon=0.0)


def locmem(location: str, **params: Any) -> dict[str, Any]:
    return {"BACKEND": LOCMEM, "LOCATION": location, "OPTIONS": {"MAX_ENTRIES": 10**6}, **params}


def ask(caches: Mapping[str, Any], request: Any, **chosen: Any) -> Any:
    """Answer a request that went over the wire, on a node with these caches and settings."""
    return answered(caches, wire.encode(request), **chosen)


def answered(caches: Mapping[str, Any], body: bytes, **chosen: Any) -> Any:
    site = {"SECRET": "s" * 40, **chosen}
    with override_settings(CACHES={"default": locmem("unused"), **caches}, CACHECHECK=site):
        request = wire.decode_request(body)
        answer = answers.answer(request, conf.load(), this_worker(), time.time())
    return wire.decode_answer(wire.encode(answer))


def survey(cache: str, **fields: Any) -> wire.Survey:
    fields = {"run": "r", "seed": SEED, "sample": 0, "summing": SUMMING, **fields}
    return wire.Survey(cache=cache, **fields)


def collect(cache: str, places: tuple[int, ...], **fields: Any) -> wire.Collect:
    wanted = bitmap_of(places, BUCKETS)
    fields = {"run": "r", "seed": SEED, "summing": SUMMING, "wanted": wanted, **fields}
    return wire.Collect(cache=cache, **fields)


def pages(caches: Mapping[str, Any], request: Any, **chosen: Any) -> Iterator[Any]:
    """Ask for page after page; a survey that has a ``page`` counts on from it."""
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    while True:
        answer = ask(caches, type(request)(**fields), **chosen)
        yield answer
        if answer.cursor is None:
            return
        fields["cursor"] = answer.cursor
        if fields.get("page"):
            fields["page"] += 1


def summed(caches: Mapping[str, Any], request: Any, **chosen: Any) -> tuple[Summary, Sums]:
    """Add all pages up, whose sums are given with each."""
    answers_ = list(pages(caches, request, **chosen))
    summary = merge((answer.summary for answer in answers_), 0)
    return summary, add_up((answer.sums for answer in answers_), request.summing.buckets)


def listed(caches: Mapping[str, Any], request: Any, **chosen: Any) -> list[Row]:
    """Give the rows of all pages."""
    found = pages(caches, request, **chosen)
    return [row for answer in found for row in rows_of(answer.listed)]


def bucket_of(key: str) -> int:
    return int(key_digest(bytes.fromhex(SEED), key), 16) * BUCKETS >> 128
