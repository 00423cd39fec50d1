"""Asking stores that are read directly, as tests do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Key
from cachecheck.stores.direct import answer
from cachecheck.sums import Row, Summing, add_up, bitmap_of, differing, rows_of
from cachecheck.wire import (
    Collect,
    Collected,
    Describe,
    Described,
    Read,
    Readings,
    Survey,
    Surveyed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import CacheDescription, Reading
    from cachecheck.stores.direct import StoreSpec
    from cachecheck.sums import Sums

SEED = "0123456789abcdef0123456789abcdef"
BUCKETS = 64
SUMMING = Summing(buckets=BUCKETS, lane_ms=1000, horizon=0.0)


def described(spec: StoreSpec) -> CacheDescription:
    """Return the one cache of a store."""
    found = answer(spec, Describe(run="run", probe_keys=("probe-key",)))
    assert isinstance(found, Described)
    (cache,) = found.caches
    return cache


def surveyed(spec: StoreSpec, **asked: object) -> Surveyed:
    """Return one page."""
    request = Survey(run="run", cache=spec.cache, seed=SEED, **{"sample": 0, **asked})  # type: ignore[arg-type]
    found = answer(spec, request)
    assert isinstance(found, Surveyed)
    return found


def pages(spec: StoreSpec, **asked: object) -> Iterator[Surveyed]:
    """Return all pages, one after the other."""
    page = surveyed(spec, **asked)
    yield page
    while page.cursor is not None:
        page = surveyed(spec, cursor=page.cursor, **asked)
        yield page


def summed(spec: StoreSpec, **asked: object) -> Sums:
    """Return the sums of a whole store."""
    found = [page.sums for page in pages(spec, summing=SUMMING, **asked)]
    return add_up([sums for sums in found if sums is not None], BUCKETS)


def buckets_that_differ(*specs: StoreSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the buckets in which these stores differ: in entries, and in expiries alone."""
    return differing([summed(spec) for spec in specs])


def collected(spec: StoreSpec, places: Sequence[int] = range(BUCKETS)) -> list[Row]:
    """Return all rows of some buckets of a store."""
    rows: list[Row] = []
    cursor = None
    while True:
        request = Collect(
            run="run",
            cache=spec.cache,
            seed=SEED,
            summing=SUMMING,
            wanted=bitmap_of(places, BUCKETS),
            cursor=cursor,
        )
        found = answer(spec, request)
        assert isinstance(found, Collected)
        rows += rows_of(found.listed)
        cursor = found.cursor
        if cursor is None:
            return rows


def readings(spec: StoreSpec, *names: str, with_structure: bool = False) -> tuple[Reading, ...]:
    """Return what is under these logical keys."""
    keys = tuple(Key(name=name) for name in names)
    request = Read(run="run", cache=spec.cache, seed=SEED, keys=keys, with_structure=with_structure)
    found = answer(spec, request)
    assert isinstance(found, Readings)
    assert found.unread == 0
    return found.readings
