"""Sums that a worker keeps from page to page, so that they cross the network once.

Sums over B buckets have 36·B bytes; a page is what 50 ms can add. They live in the process, for one
run and cache, no longer than ``KEEP_SECONDS`` after their last use. Gathered again, after an answer
that was lost, they are the same; the next page begins anew. A page is added once: asked again, it
is answered from memory. A page that fails half-way takes all sums of its run and cache with it, for
some of it may be in them; the coordinator then has nothing from this worker for that cache.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cachecheck.agent.demands import Unmet
from cachecheck.sums import Summer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cachecheck.sums import Summing, Sums
    from cachecheck.survey import Summary
    from cachecheck.wire import Survey

MOST_HOLDINGS = 2
MOST_PAGES = 5_000
KEEP_SECONDS = 120.0
IDLE_SECONDS = 20.0

AddPage: TypeAlias = "Callable[[Summer], tuple[Summary, str | None]]"
_Key: TypeAlias = tuple[str, str]


class Outcome(NamedTuple):
    """What a page came to; ``sums`` None: they are kept."""

    summary: Summary
    cursor: str | None
    sums: Sums | None = None


class Gathered(NamedTuple):
    """What was kept for a run and cache, and the numbers of its pages, in order."""

    summer: Summer
    pages: tuple[int, ...]


class Holdings:
    """All that this process keeps, of at most ``MOST_HOLDINGS`` runs and caches.

    One page at a time is added to a holding; whoever comes in between raises ``Unmet`` (busy).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Begin with nothing, also after a fork: what the parent keeps is not this process's."""
        self._lock = Lock()
        self._held: dict[_Key, _Holding] = {}
        self._is_watched = False

    def add_page(self, number: int, request: Survey, summing: Summing, add: AddPage) -> Outcome:
        """Add a page to what is kept, unless it was before; ``add`` does it.

        Where the first page is the last one its sums are given at once, and nothing is kept.
        Raises ``Unmet`` where there is no place, or the page does not go with those before it.
        """
        with self._opened(number, request, summing) as holding:
            known = holding.outcome(number)
            if known is not None:
                return known
            outcome = Outcome(*add(holding.summer))
            if number == 1 and outcome.cursor is None and not holding.pages:
                return outcome._replace(sums=holding.summer.sums())
            holding.pages[number] = _Kept(request.cursor, outcome)
            return outcome

    def gather(self, run: str, cache: str) -> Gathered | None:
        """Give what is kept, which the next page of this run and cache ends; None: nothing is."""
        with self._lock:
            self._drop_stale()
            holding = self._held.get((run, cache))
            if holding is None:
                return None
            holding.demand_idle()
            holding.is_gathered, holding.used_at = True, self._clock()
        return Gathered(holding.summer, tuple(sorted(holding.pages)))

    @contextmanager
    def _opened(self, number: int, request: Survey, summing: Summing) -> Iterator[_Holding]:
        key = (request.run, request.cache)
        with self._lock:
            self._drop_stale()
            holding = self._held.get(key)
            if holding is None or holding.is_gathered:
                self._held.pop(key, None)
                holding = self._new(request, summing)
            holding.demand(number, request, summing)
            self._watch()
            holding.is_in_use = True
            self._held[key] = holding
        is_whole = False
        try:
            yield holding
            is_whole = bool(holding.pages)
        finally:
            with self._lock:
                holding.is_in_use, holding.used_at = False, self._clock()
                if not is_whole:
                    self._held.pop(key, None)

    def _new(self, request: Survey, summing: Summing) -> _Holding:
        """Make place where a run has been gathered, or has asked for nothing for a while."""
        if len(self._held) >= MOST_HOLDINGS:
            self._drop_stale(is_pressing=True)
        if len(self._held) >= MOST_HOLDINGS:
            raise Unmet("busy", f"this worker keeps the sums of {MOST_HOLDINGS} other surveys")
        return _Holding(request, summing)

    def _drop_stale(self, *, is_pressing: bool = False) -> None:
        until = self._clock() - (IDLE_SECONDS if is_pressing else KEEP_SECONDS)
        self._held = {
            key: holding
            for key, holding in self._held.items()
            if holding.is_in_use
            or (holding.used_at > until and not (is_pressing and holding.is_gathered))
        }

    def _watch(self) -> None:
        """Have a thread look after what nobody will ask for any more."""
        if self._is_watched:
            return
        timer = Timer(KEEP_SECONDS, self._look_again)
        timer.daemon = True
        timer.start()
        self._is_watched = True

    def _look_again(self) -> None:
        with self._lock:
            self._is_watched = False
            self._drop_stale()
            if self._held:
                self._watch()


class _Kept(NamedTuple):
    """A page that was added: where it began, and what it came to."""

    cursor: str | None
    outcome: Outcome


class _Holding:
    """The sums of one run and cache, and the pages that are in them."""

    def __init__(self, request: Survey, summing: Summing) -> None:
        self._terms = _terms(request, summing)
        self.summer = Summer(bytes.fromhex(request.seed), summing)
        self.pages: dict[int, _Kept] = {}
        self.is_in_use = self.is_gathered = False
        self.used_at = 0.0

    def demand(self, number: int, request: Survey, summing: Summing) -> None:
        """Raise ``Unmet`` where this page cannot be added, or is not the one that was."""
        self.demand_idle()
        if _terms(request, summing) != self._terms:
            raise Unmet("bad-request", "the run's earlier pages had other seed, sums or match")
        kept = self.pages.get(number)
        if kept is not None and kept.cursor != request.cursor:
            raise Unmet("bad-request", f"page {number} began elsewhere before")
        if kept is None and len(self.pages) >= MOST_PAGES:
            raise Unmet("too-large", f"this worker keeps the sums of {MOST_PAGES} pages at most")

    def demand_idle(self) -> None:
        """Raise ``Unmet`` (busy) while a page is being added."""
        if self.is_in_use:
            raise Unmet("busy", "this worker is adding a page to these sums")

    def outcome(self, number: int) -> Outcome | None:
        """Give what a page came to; None: it was not added yet."""
        kept = self.pages.get(number)
        return None if kept is None else kept.outcome


def _terms(request: Survey, summing: Summing) -> tuple[str, Summing, str]:
    return request.seed, summing, request.match
