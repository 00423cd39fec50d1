"""Audit a cohort: sum every store, list the buckets that differ, name the keys that do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.audit.listing import (
    StoreRows,
    differing_keys,
    list_store,
)
from cachecheck.coordinator.audit.pacing import Terms, Walk
from cachecheck.coordinator.audit.scheme import (
    MOST_DIFFERENCES,
    Choice,
    choose,
    lane_shift_ms,
    summing_of,
)
from cachecheck.coordinator.audit.summing import MOST_KEPT_ROWS, sum_store
from cachecheck.coordinator.probing import Unit
from cachecheck.coordinator.sample import Surveyance
from cachecheck.model import Key, Value
from cachecheck.sums import Listing, bitmap_of, counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cachecheck.coordinator.audit.ledger import Ledger
    from cachecheck.coordinator.audit.summing import StoreSums
    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.progress import Progress
    from cachecheck.coordinator.views import Cohort, SeenView
    from cachecheck.model import CacheDescription, Naming, StoreIdentity
    from cachecheck.sums import Kind, Summing

LEAST_SECONDS = 3.0
SLOWEST_PER_SECOND = 5_000  # through agents, with their pauses
SHARE_FOR_SUMS = 0.6
SHARE_FOR_ROWS = 0.75
EXAMPLES = 100
SEVERAL = 2


class Audit(Value, frozen=True, kw_only=True):
    """What an audit of several stores brought.

    ``suspects`` are keys that differed when their stores were walked: not yet findings. ``keys``
    counts all keys of the stores, None where that is not known. ``is_whole`` says that every store
    was summed and all that differs is among the suspects; else those are examples. ``failures`` say
    what of the stores that were summed could not be listed.
    """

    surveys: tuple[tuple[Unit, Surveyance], ...]
    suspects: tuple[Key, ...] = ()
    keys: int | None = None
    is_whole: bool = True
    is_jitter: bool = False
    failures: tuple[str, ...] = ()


class Question(Value, frozen=True, kw_only=True):
    """What is to be audited: which keys, and how far their expiries may be apart.

    ``latest_horizon`` is when the run ends at the latest, ``rate`` how many keys a second it may
    look at.
    """

    match: str
    tolerance_seconds: float
    latest_horizon: float
    rate: float | None = None


class Auditor:
    """Audits one cohort within the time that the run has left."""

    def __init__(
        self,
        prober: Prober,
        cohort: Cohort,
        question: Question,
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        self._prober = prober
        self._cohort = cohort
        self._question = question
        self._ledger = ledger
        self._progress = progress
        self._summing = self._chosen_summing()

    async def audit(self, units: Sequence[Unit]) -> Audit:
        """Audit units of distinct stores, two at least."""
        summed = await self._sum(self._walks(units, SHARE_FOR_SUMS))
        if self._summing.by == "plain-hashes" and not _are_rows_there(_whole(summed)):
            # a store outgrew its description; plain hashes tell no expiries apart without rows
            self._summing = msgspec.structs.replace(
                self._summing, by="hashes", horizon=self._horizon()
            )
            self._ledger.note_summing(_name_of(self._cohort), self._summing)
            summed = await self._sum(self._walks(units, SHARE_FOR_SUMS))
        surveys = tuple((unit, _surveyance(sums)) for unit, sums in summed.items())
        whole = _whole(summed)
        if len(whole) < SEVERAL:
            return Audit(surveys=surveys, is_whole=False)
        are_listed = _are_rows_there(whole)
        choice = choose([sums.sums for sums in whole.values()], are_listed=are_listed)
        if not choice.places:
            is_whole = len(whole) == len(summed)
            return Audit(surveys=surveys, keys=choice.agreeing, is_whole=is_whole)
        rows = await self._list(whole, choice)
        return self._judged(rows, choice, surveys)

    def _chosen_summing(self) -> Summing:
        """Sum as an interrupted run did, if there was one, though its horizon may have passed."""
        name = _name_of(self._cohort)
        known = self._ledger.state.summing.get(name)
        if known is None:
            tolerance_seconds, by = self._question.tolerance_seconds, self._kind()
            known = summing_of(self._cohort, tolerance_seconds, self._horizon(), by)
            self._ledger.note_summing(name, known)
        return known

    def _kind(self) -> Kind:
        """Tell entries apart in the quickest way that all stores of the cohort have in common."""
        views = self._cohort.views
        # who resumes the run is another process, with other hashes
        if self._ledger.is_kept or not self._prober.share_hashes(seen.view.node for seen in views):
            return "digests"
        are_rows_kept = all(_are_rows_kept(seen.cache) for seen in views)
        return "plain-hashes" if are_rows_kept else "hashes"

    def _horizon(self) -> float:
        """Leave out what expires before all stores can be summed, as far as that can be told.

        What expires later and is gone by the time costs a look more, and is no finding.
        """
        known = [seen.cache.capabilities.entries or 0 for seen in self._cohort.views]
        seconds = LEAST_SECONDS + max(known) / SLOWEST_PER_SECOND
        if self._question.rate is not None:
            seconds += sum(known) / self._question.rate
        return min(time.time() + seconds, self._question.latest_horizon)

    def _walks(self, units: Iterable[Unit], share: float) -> dict[Unit, Walk]:
        """Walk stores for at most a ``share`` of the time that is left."""
        reserved_seconds = self._prober.deadline.remaining_seconds * (1 - share)
        return {
            unit: Walk(self._prober, unit, self._terms(unit, reserved_seconds)) for unit in units
        }

    def _terms(self, unit: Unit, reserved_seconds: float) -> Terms:
        seen = self._seen(unit)
        cache, uncertainty_seconds = seen.cache, seen.clock.uncertainty_seconds
        resolution_seconds = cache.capabilities.expiry_resolution_seconds
        shift_ms = lane_shift_ms(unit.shift_seconds, resolution_seconds, uncertainty_seconds)
        return Terms(
            name=self._name(unit, cache.identity),
            summing=msgspec.structs.replace(self._summing, shift_ms=shift_ms),
            match=self._question.match,
            reserved_seconds=reserved_seconds,
            with_rows=_are_rows_kept(cache),
        )

    def _name(self, unit: Unit, identity: StoreIdentity) -> str | None:
        """Name a store in the ledger; None: it could not be told from another one, later."""
        if identity.token is None:
            return None
        return "|".join((_name_of(self._cohort), identity.token, identity.member or "", unit.node))

    def _cache(self, unit: Unit) -> CacheDescription:
        return self._seen(unit).cache

    def _seen(self, unit: Unit) -> SeenView:
        return next(seen for seen in self._cohort.views if seen.view == unit.view)

    async def _sum(self, walks: Mapping[Unit, Walk]) -> dict[Unit, StoreSums]:
        self._progress.stage(f"Summing up {self._cohort.cache}", len(walks))

        async def one(unit: Unit, walk: Walk) -> StoreSums:
            note = self._progress.track(unit.node, self._cache(unit).capabilities.entries)
            found = await sum_store(walk, self._ledger, note)
            self._progress.advance()
            return found

        found = await asyncio.gather(*(one(unit, walk) for unit, walk in walks.items()))
        return dict(zip(walks, found, strict=True))

    async def _list(
        self, summed: Mapping[Unit, StoreSums], choice: Choice
    ) -> dict[Unit, StoreRows]:
        """List what was chosen, where a store's rows were not kept anyway."""
        wanted = bitmap_of(choice.places, self._summing.buckets)
        self._progress.stage(f"Listing what differs in {self._cohort.cache}", len(summed))

        async def one(unit: Unit, walk: Walk) -> StoreRows:
            kept = summed[unit].kept
            if kept is not None:
                return StoreRows(listed=kept)
            note = self._progress.track(unit.node, summed[unit].summary.scanned)
            held = counts(summed[unit].sums)
            entries = sum(held[place] for place in choice.places)
            found = await list_store(walk, wanted, self._ledger, note, summed=entries)
            self._progress.advance()
            return found

        walks = self._walks(summed, SHARE_FOR_ROWS)
        found = await asyncio.gather(*(one(unit, walk) for unit, walk in walks.items()))
        return dict(zip(walks, found, strict=True))

    def _judged(
        self,
        rows: Mapping[Unit, StoreRows],
        choice: Choice,
        surveys: tuple[tuple[Unit, Surveyance], ...],
    ) -> Audit:
        """Find the keys that differ in what was listed."""
        buckets = self._summing.buckets
        wanted = bitmap_of(choice.places, buckets)
        stores = [
            Listing(found.listed, wanted, buckets)
            for found in rows.values()
            if found.failure is None
        ]
        failures = tuple(
            f"{unit.node}: {found.failure}"
            for unit, found in rows.items()
            if found.failure is not None
        )
        namings: Iterator[Naming] = (part.naming for one in rows.values() for part in one.listed)
        naming: Naming = next(namings, "logical")
        suspects, union = differing_keys(stores, naming, self._summing.lane_ms)
        is_listed = choice.is_whole and not failures and len(suspects) <= MOST_DIFFERENCES
        is_whole = is_listed and all(surveyed.is_complete for _, surveyed in surveys)
        return Audit(
            surveys=surveys,
            suspects=suspects if is_listed else suspects[:EXAMPLES],
            keys=choice.agreeing + union if is_whole else None,
            is_whole=is_whole,
            is_jitter=choice.is_jitter,
            failures=failures,
        )


def _surveyance(sums: StoreSums) -> Surveyance:
    return Surveyance(summary=sums.summary, is_complete=sums.failure is None, failure=sums.failure)


def _are_rows_kept(cache: CacheDescription) -> bool:
    """Whether a store is small enough for all its rows to come along with its sums."""
    entries = cache.capabilities.entries
    return entries is not None and entries <= MOST_KEPT_ROWS


def _whole(summed: Mapping[Unit, StoreSums]) -> dict[Unit, StoreSums]:
    return {unit: sums for unit, sums in summed.items() if sums.failure is None}


def _are_rows_there(summed: Mapping[Unit, StoreSums]) -> bool:
    return all(sums.kept is not None for sums in summed.values())


def _name_of(cohort: Cohort) -> str:
    codec = cohort.views[0].cache.codec
    probe = cohort.namespace.stored_probe
    return "|".join(map(str, (cohort.cache, cohort.application, cohort.kind, probe, codec)))
