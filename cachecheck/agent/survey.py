"""Sum up one page of a store within the view's own namespace: the answer to ``survey``."""

from __future__ import annotations

import heapq
from contextlib import closing
from typing import TYPE_CHECKING

from cachecheck.agent.adding import adder
from cachecheck.agent.opening import open_for
from cachecheck.agent.sorting import KINDS, Chooser, Sorter
from cachecheck.digest import key_digest
from cachecheck.model import Key
from cachecheck.stores.pages import walk_page
from cachecheck.stores.weighing import weighed
from cachecheck.survey import SampledKey, Summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.agent.sorting import Kind
    from cachecheck.model import Naming
    from cachecheck.stores.base import Pace, Page, Store
    from cachecheck.sums import Summer
    from cachecheck.wire import Survey

_KEYS_BETWEEN_PACES = 50
_KEYS_IN_BUCKET = 50
_DIGESTS = 1 << 128


def survey(backend: Backend, request: Survey, conf: Conf, pace: Pace) -> tuple[Summary, str | None]:
    """Scan from the request's cursor until the budget is spent; give the sum and the next cursor.

    Keys that ``WITHHOLD`` names are counted and not listed. Names that are digests, as those of
    files are, are listed: their logical keys, which ``WITHHOLD`` is about, are not known here.
    Raises ``StoreError`` where the store cannot be listed.
    """
    sampler = _Sampler(backend, request, conf)
    cursor = request.cursor
    with closing(open_for(backend, request)) as store:
        while True:
            page = store.scan(cursor, pace)
            sampler.add(page, pace)
            cursor = page.cursor
            is_enough = request.most_keys is not None and sampler.scanned >= request.most_keys
            if cursor is None or is_enough or not pace():
                return sampler.summary(store, pace), cursor


def add_page(
    backend: Backend, request: Survey, conf: Conf, pace: Pace, summer: Summer
) -> tuple[Summary, str | None]:
    """Add the entries of one page to ``summer``; give the page's counts and the next cursor.

    What ``WITHHOLD`` names is counted and not summed. Raises ``StoreError`` where the store cannot
    be read; some of the page may have been added by then, so the sums are then worth nothing.
    """
    sorter = Sorter(backend, request.match, conf)
    chooser = Chooser(sorter, pace)
    entries, expiring, lasting = summer.entries, summer.expiring, summer.lasting
    take = adder(summer, pace)
    with closing(open_for(backend, request)) as store:
        walked = walk_page(store, request.cursor, chooser, take, pace, most_keys=request.most_keys)
        prefixes, own = weighed(store, sorter.heads, pace)
    entries, expiring = summer.entries - entries, summer.expiring - expiring
    foreign = chooser.counts["foreign"] + walked.foreign
    withheld, unmatched = chooser.counts["withheld"], chooser.counts["unmatched"]
    summary = Summary(
        scanned=entries + foreign + withheld + unmatched + expiring + walked.unread,
        entries=entries,
        foreign=foreign,
        withheld=withheld,
        unmatched=unmatched,
        expiring=expiring,
        unread=walked.unread,
        lasting=summer.lasting - lasting,
        prefixes=prefixes,
        weighed=own,
    )
    return summary, walked.cursor


class _Sampler:
    """Sorts the stored keys of pages, counts them by kind, and samples the entries."""

    def __init__(self, backend: Backend, request: Survey, conf: Conf) -> None:
        self._seed = bytes.fromhex(request.seed)
        self._sorter = Sorter(backend, request.match, conf)
        self._sample = _Sample(request.sample, request.below, self._sorter.naming)
        self._counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)

    @property
    def scanned(self) -> int:
        """How many stored keys were looked at."""
        return sum(self._counts.values())

    def add(self, page: Page, pace: Pace) -> None:
        """Sum up a page that was listed, whole."""
        self._counts["foreign"] += page.foreign
        for number, stored in enumerate(page.keys, 1):
            kind, name = self._sorter.sort(stored)
            self._counts[kind] += 1
            if kind == "entries":
                self._sample.add(key_digest(self._seed, name), name)
            if number % _KEYS_BETWEEN_PACES == 0:
                pace()

    def summary(self, store: Store, pace: Pace) -> Summary:
        """Give the sum of all pages; the store is asked what a few entries weigh."""
        counts = self._counts
        prefixes, own = weighed(store, self._sorter.heads, pace)
        return Summary(
            scanned=self.scanned,
            entries=counts["entries"],
            foreign=counts["foreign"],
            withheld=counts["withheld"],
            unmatched=counts["unmatched"],
            prefixes=prefixes,
            weighed=own,
            sample=self._sample.in_order(pace),
        )


class _Sample:
    """The ``size`` distinct keys with the smallest digests so far, of those ``below`` a bound.

    A heap with the largest digest on top (negated, as ``heapq`` has the smallest there): a key
    costs one comparison once the sample is full, and no page is ever sorted in one go. Only numbers
    and names are kept, which Python's garbage collector does not walk through.
    """

    def __init__(self, size: int, below: str | None, naming: Naming) -> None:
        self._size = size
        self._below = below
        self._naming = naming
        self._heap: list[int] = []
        self._names: dict[int, str] = {}

    def add(self, digest: str, name: str) -> None:
        """Take a key if it belongs to the sample."""
        if not self._size or (self._below is not None and digest >= self._below):
            return
        number = int(digest, 16)
        if number in self._names:
            return
        self._names[number] = name
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, -number)
        else:
            del self._names[-heapq.heapreplace(self._heap, -number)]
        if len(self._heap) == self._size:
            self._below = f"{-self._heap[0]:032x}"

    def in_order(self, pace: Pace) -> tuple[SampledKey, ...]:
        """Give the sample by digest, once: sorted in buckets, since digests lie evenly."""
        if not self._heap:
            return ()
        buckets: list[list[int]] = [[] for _ in range(1 + len(self._heap) // _KEYS_IN_BUCKET)]
        share = len(buckets) / (1 - self._heap[0])
        for place, negated in enumerate(self._heap, 1):
            buckets[min(int(-negated * share), len(buckets) - 1)].append(-negated)
            if place % _KEYS_BETWEEN_PACES == 0:
                pace()
        return tuple(self._sampled(buckets, pace))

    def _sampled(self, buckets: list[list[int]], pace: Pace) -> Iterator[SampledKey]:
        for bucket in buckets:
            for number in sorted(bucket):
                key = Key(name=self._names.pop(number), naming=self._naming)
                yield SampledKey(digest=f"{number:032x}", key=key)
            pace()
