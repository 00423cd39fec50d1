"""Sum up, sample or list one page of a store that is read directly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cachecheck.stores.direct.choosing import Chooser, Sampling
from cachecheck.stores.pages import walk_page
from cachecheck.stores.weighing import weighed
from cachecheck.sums import Buckets, Listed, Summer
from cachecheck.survey import Summary
from cachecheck.wire import Collected, Surveyed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.stores.base import Pace, Store
    from cachecheck.stores.direct.showing import Seen
    from cachecheck.stores.direct.spec import StoreSpec
    from cachecheck.sums import Summing
    from cachecheck.wire import Collect, Survey

MAX_KEPT_ROWS = 250_000
MAX_LISTED_ROWS = 10_000_000
MAX_PAGE_NAMES_BYTES = 32 << 20

_UNPACKED = 0


class Until:
    """The pace of whoever has a processor to spare: it never sleeps, and ends at a moment."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def __call__(self) -> bool:
        return time.monotonic() < self._until


def survey(spec: StoreSpec, store: Store, request: Survey, seen: Seen, pace: Pace) -> Surveyed:
    """Sum up one page; where bucket sums are asked for, values are read."""
    chooser = Chooser(spec.form, request.match)
    sampling = Sampling(bytes.fromhex(request.seed), request.sample, request.below)
    if request.summing is None:
        return _sampled(store, request, seen, pace, chooser, sampling)
    most_rows = MAX_KEPT_ROWS if request.with_rows else 0
    taking = _Taking(request.seed, request.summing, pace, most_rows, sampling)
    walked = walk_page(
        store, request.cursor, chooser, taking.take, taking.pace, most_keys=request.most_keys
    )
    prefixes, own = weighed(store, chooser.heads, pace)
    summary = Summary(
        scanned=walked.scanned,
        entries=taking.summer.entries,
        foreign=chooser.outside + walked.foreign,
        unmatched=chooser.unmatched,
        expiring=taking.summer.expiring,
        unread=walked.unread,
        lasting=taking.summer.lasting,
        prefixes=prefixes,
        weighed=own,
        sample=sampling.in_order(),
    )
    return Surveyed(
        summary=summary,
        cursor=walked.cursor,
        sums=taking.summer.sums(),
        kept=taking.summer.kept(),
        **seen.times(),
    )


def collect(spec: StoreSpec, store: Store, request: Collect, seen: Seen, pace: Pace) -> Collected:
    """List the entries of one page that are in the wanted buckets."""
    buckets = Buckets(bytes.fromhex(request.seed), request.summing, request.wanted)
    chooser = Chooser(spec.form, request.match, buckets)
    taking = _Taking(request.seed, request.summing, pace, MAX_LISTED_ROWS, None)
    walked = walk_page(
        store, request.cursor, chooser, taking.take, taking.pace, most_keys=request.most_keys
    )
    return Collected(
        listed=taking.summer.listed(level=_UNPACKED) or Listed(),
        scanned=walked.scanned,
        cursor=walked.cursor,
        **seen.times(),
    )


def _sampled(  # noqa: PLR0913, PLR0917  what is asked, and what it is taken into
    store: Store, request: Survey, seen: Seen, pace: Pace, chooser: Chooser, sampling: Sampling
) -> Surveyed:
    """Scan without reading values."""
    cursor, scanned, entries, foreign = request.cursor, 0, 0, 0
    while True:
        page = store.scan(cursor, pace)
        names = chooser([key.encode() for key in page.keys]).values()
        sampling.add(names)
        scanned += len(page.keys) + page.foreign
        entries += len(names)
        foreign += page.foreign
        cursor = page.cursor
        is_enough = request.most_keys is not None and scanned >= request.most_keys
        if cursor is None or is_enough or not pace():
            break
    prefixes, own = weighed(store, chooser.heads, pace)
    summary = Summary(
        scanned=scanned,
        entries=entries,
        foreign=foreign + chooser.outside,
        unmatched=chooser.unmatched,
        prefixes=prefixes,
        weighed=own,
        sample=sampling.in_order(),
    )
    return Surveyed(summary=summary, cursor=cursor, **seen.times())


class _Taking:
    """Takes a page's entries in, and ends the page where the names of its rows become too many."""

    def __init__(
        self,
        seed: str,
        summing: Summing,
        pace: Pace,
        most_rows: int,
        sampling: Sampling | None,
    ) -> None:
        self.summer = Summer(bytes.fromhex(seed), summing, most_rows=most_rows)
        self._pace = pace
        self._sampling = sampling

    def take(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        expiries_ms: Sequence[int],
        flags: Sequence[int] | None,
    ) -> None:
        """Take a batch in."""
        self.summer.add(names, values, expiries_ms, flags)
        if self._sampling is not None:
            self._sampling.add(names)

    def pace(self) -> bool:
        """Say whether the page goes on."""
        return self._pace() and self.summer.names_bytes < MAX_PAGE_NAMES_BYTES
