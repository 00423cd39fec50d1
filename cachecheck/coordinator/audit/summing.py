"""Sum one store up, page after page.

A node's workers keep their sums between pages: buckets then cross the network once, and not with
each 50 ms of work. Pages go round over the nodes that see the store, always to one worker of each.
What a worker kept is lost with it; then the store is summed anew, without that node.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.audit.ledger import Summed
from cachecheck.coordinator.audit.pacing import Pauses, Relief, demand, pages_of
from cachecheck.errors import MalformedMessage
from cachecheck.model import Value
from cachecheck.sums import Kept, Sums, add_up, empty
from cachecheck.survey import Summary, merge
from cachecheck.wire import Gather, Gathered, Survey, Surveyed

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.coordinator.audit.ledger import Ledger
    from cachecheck.coordinator.audit.pacing import Walk
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.coordinator.probing import Unit

TRIES = 3
RETRY_PAUSES_SECONDS = (0.2, 1.0)
SECONDS_BETWEEN_NOTES = 3.0
MOST_KEPT_ROWS = 250_000
MOST_HELD_PAGES = 4_000  # of the 5,000 that a worker keeps


class StoreSums(Value, frozen=True, kw_only=True):
    """What came of summing a store; ``failure`` says why it is not whole.

    ``kept`` are all of its rows, where they were few enough to be kept at once.
    """

    summary: Summary
    sums: Sums
    failure: str | None = None
    kept: tuple[Kept, ...] | None = None


async def sum_store(walk: Walk, ledger: Ledger, note: Callable[[int], None]) -> StoreSums:
    """Sum a store to its end, or until there is no time left; starts over what was lost."""
    summing = _Directly if walk.is_direct else _ThroughNodes
    attempt = summing(walk, ledger, note)
    for pause_seconds in (*RETRY_PAUSES_SECONDS, None):
        failure = await _tried(attempt)
        if failure is None or pause_seconds is None or not walk.has_time:
            break
        await asyncio.sleep(pause_seconds)
        attempt.start_over()
    return attempt.result(failure)


async def _tried(attempt: _Attempt) -> str | None:
    try:
        return await attempt.run()
    except MalformedMessage as exc:
        return f"its sums cannot be read: {exc}"


class _Attempt:
    """Sums so far; a subclass knows whom to ask for more of them."""

    def __init__(self, walk: Walk, ledger: Ledger, note: Callable[[int], None]) -> None:
        self._walk = walk
        self._ledger = ledger
        self._note = note
        self._kept: list[Kept] | None = []
        before = ledger.summed(walk.terms.name)
        if before is None:
            self._begin()
        else:
            self._take_up(before)

    def _begin(self) -> None:
        self._summary, self._sums = Summary(), empty(self._walk.terms.summing.buckets)
        self._cursor: str | None = None
        self._pages = 0
        self._is_done = False
        self._kept = []

    def _take_up(self, before: Summed) -> None:
        self._summary, self._sums, self._cursor = before.summary, before.sums, before.cursor
        self._pages, self._is_done = before.pages, before.cursor is None
        self._kept = None
        self._note(before.summary.scanned)

    async def run(self) -> str | None:
        """Ask for pages until the end; gives why it ended before, or None."""
        raise NotImplementedError

    def start_over(self) -> None:
        """Forget all sums."""
        self._note(-self._summary.scanned)
        self._begin()

    def result(self, failure: str | None) -> StoreSums:
        kept = None if self._kept is None else tuple(self._kept)
        return StoreSums(summary=self._summary, sums=self._sums, failure=failure, kept=kept)

    def _add(self, sums: Sums) -> None:
        buckets = self._walk.terms.summing.buckets
        self._sums = add_up((self._sums, sums), buckets)

    def _count(self, page: Surveyed) -> None:
        self._summary = merge((self._summary, page.summary), 0)
        self._cursor, self._is_done = page.cursor, page.cursor is None
        self._pages += 1
        self._note(page.summary.scanned)

    def _keep(self) -> None:
        """Note in the ledger how far it came; the sums are those of all pages so far."""
        summed = Summed(
            summary=self._summary, sums=self._sums, cursor=self._cursor, pages=self._pages
        )
        self._ledger.note_summed(self._walk.terms.name, summed)

    def _request(self, page: int | None) -> Callable[[tuple[str, ...]], Survey]:
        walk = self._walk
        return lambda audience: Survey(
            run=walk.prober.run,
            audience=audience,
            cache=walk.unit.cache,
            seed=walk.prober.seed,
            sample=0,
            match=walk.terms.match,
            cursor=self._cursor,
            summing=walk.terms.summing,
            page=page,
            with_rows=walk.terms.with_rows,
            most_keys=walk.most_keys,
        )


class _Directly(_Attempt):
    """A store that we read ourselves: sums come with each page."""

    async def run(self) -> str | None:
        relief = Relief()
        while not self._is_done:
            if not self._walk.has_time:
                return self._walk.out_of_time
            page = demand(await self._walk.ask(self._request(None)), Surveyed)
            if isinstance(page, str):
                return page
            if page.sums is None:
                return "it answered without sums"
            self._add(page.sums)
            self._keep_rows(page.kept)
            self._count(page)
            self._keep()
            if not self._is_done:
                await relief.after(page)
        return None

    def _keep_rows(self, kept: Kept | None) -> None:
        if self._kept is None or kept is None:
            self._kept = None
            return
        self._kept.append(kept)
        if self._summary.entries > MOST_KEPT_ROWS:
            self._kept = None


class _Party:
    """One node that sees the store, and the worker of it that keeps our sums."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.held: list[int] = []

    def pin(self, worker: str) -> None:
        """Ask only this worker from now on."""
        if len(self.unit.workers) > 1:
            self.unit = msgspec.structs.replace(
                self.unit, workers=frozenset({worker}), instead=None
            )


class _ThroughNodes(_Attempt):
    """A store behind nodes: their workers keep sums, which are gathered in the end."""

    def __init__(self, walk: Walk, ledger: Ledger, note: Callable[[int], None]) -> None:
        super().__init__(walk, ledger, note)
        self._kept = None
        self._parties = [_Party(unit) for unit in pages_of(walk.unit)]
        self._given_up: list[_Party] = []
        self._pauses = Pauses()
        self._noted_at = time.monotonic()

    def start_over(self) -> None:
        super().start_over()
        self._kept = None
        still = {party.unit.node for party in self._parties}
        self._given_up = [party for party in self._parties if party.held]
        units = [unit for unit in pages_of(self._walk.unit) if unit.node in still]
        self._parties = [_Party(msgspec.structs.replace(unit, instead=None)) for unit in units]

    async def run(self) -> str | None:
        for party in self._given_up:  # what it keeps is of an attempt that failed
            await self._ask_to_gather(party)
        while not self._is_done:
            if not self._walk.has_time:
                return await self._gather() or self._walk.out_of_time
            failure = await self._one_page(self._parties[self._pages % len(self._parties)])
            if failure is None and (self._is_time_to_note() or self._is_much_held()):
                failure = await self._gather()
            if failure is not None:
                return failure
        return await self._gather()

    async def _one_page(self, party: _Party) -> str | None:
        number = self._pages + 1
        outcome = await self._walk.ask(self._request(number), party.unit)
        page = demand(outcome, Surveyed)
        if isinstance(page, str):
            self._drop(party)
            return page
        party.pin(page.worker.id)
        if page.sums is None:
            party.held.append(number)
        else:
            self._add(page.sums)
        self._count(page)
        if not self._is_done:
            await self._pauses.after(outcome)
        return None

    def _drop(self, party: _Party) -> None:
        """Go on without a node; the last one is asked again."""
        if len(self._parties) > 1:
            self._parties.remove(party)

    def _is_time_to_note(self) -> bool:
        """Whether so much was done that it is worth all buckets' way over the network."""
        is_long_ago = time.monotonic() - self._noted_at > SECONDS_BETWEEN_NOTES
        return self._ledger.is_kept and is_long_ago

    def _is_much_held(self) -> bool:
        """Whether a worker keeps nearly as many pages as it may."""
        return any(len(party.held) >= MOST_HELD_PAGES for party in self._parties)

    async def _gather(self) -> str | None:
        """Take in what the workers keep: just the pages that they were asked for."""
        for party in [party for party in self._parties if party.held]:
            gathered = demand(await self._ask_to_gather(party), Gathered)
            if isinstance(gathered, str):
                return gathered
            if gathered.sums is None or list(gathered.pages) != party.held:
                return "a worker lost what it had summed"
            self._add(gathered.sums)
            party.held.clear()
        self._noted_at = time.monotonic()
        self._keep()
        return None

    async def _ask_to_gather(self, party: _Party) -> Outcome | None:
        walk = self._walk
        return await walk.ask(
            lambda audience: Gather(run=walk.prober.run, audience=audience, cache=walk.unit.cache),
            party.unit,
        )
