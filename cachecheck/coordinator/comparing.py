"""Compare the entries of a cohort: choose keys, read them through every unit, look again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.coordinator.audit import Auditor, Question
from cachecheck.coordinator.audit.audit import SEVERAL
from cachecheck.coordinator.entries import Entries
from cachecheck.coordinator.locating import locate
from cachecheck.coordinator.options import Options
from cachecheck.coordinator.readable import find_unreadable
from cachecheck.coordinator.replicas import MOST_REPLICAS, compare_replicas, pairs_of
from cachecheck.coordinator.sample import Draw, Surveyance, chosen_keys, known_keys, survey_units
from cachecheck.coordinator.suspects import Examiner, Patience
from cachecheck.coordinator.truths import wanted_of
from cachecheck.coordinator.units import (
    auditors,
    is_apart,
    is_meant_apart,
    stores_behind,
    surveyors,
    touches,
    units_of,
)
from cachecheck.coordinator.verifying import Verifier
from cachecheck.model import Key, Value
from cachecheck.rules.observations import StoreMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.audit import Audit, Ledger
    from cachecheck.coordinator.probing import Prober, Unit
    from cachecheck.coordinator.progress import Progress
    from cachecheck.coordinator.replicas import ComparedReplica, Pair
    from cachecheck.coordinator.verifying import Verification
    from cachecheck.coordinator.views import Cohort

COARSEST_RESOLUTION_SECONDS = 1.0  # memcached and the database keep whole seconds
LARGEST_UNCERTAINTY_SECONDS = 0.5


class Work(Value, frozen=True, kw_only=True):
    """What there is to compare, and with what: ``horizon`` and ``stores`` are the run's."""

    stores: tuple[StoreMap, ...]
    horizon: float
    options: Options


async def compare_entries(
    prober: Prober, cohorts: Sequence[Cohort], work: Work, ledger: Ledger, progress: Progress
) -> tuple[Entries, ...]:
    """Compare the entries of each cohort, one after the other."""
    comparing = _Comparing(prober, work, ledger, progress)
    entries = tuple([await comparing.compare(cohort) for cohort in cohorts])
    progress.stage("Asking who can read the values", len(entries))
    return await find_unreadable(prober, entries, work.stores)


class _Comparing:
    """Compares cohorts: every key by sums, or a sample of them, and the keys that were named."""

    def __init__(self, prober: Prober, work: Work, ledger: Ledger, progress: Progress) -> None:
        self._prober = prober
        self._options = work.options
        self._horizon = work.horizon
        self._ledger = ledger
        self._progress = progress
        self._maps = {(one.cache, one.application): one for one in work.stores}

    async def compare(self, cohort: Cohort) -> Entries:
        """Choose the keys of a cohort, read them through every unit, look again at suspects."""
        stores = self._maps[cohort.cache, cohort.application]
        units = units_of(cohort, stores)
        audited, why_not = await self._audited(cohort, units, stores)
        named = tuple(Key(name=key) for key in dict.fromkeys(self._options.keys))
        patient = self._examiner(cohort, self._options.settle)
        self._progress.stage(f"Comparing {cohort.cache}", len(named))
        examined = await patient.examine(units, named)  # first: these were asked for by name
        surveys: tuple[tuple[Unit, Surveyance], ...] = ()
        if audited is None or not audited.is_whole:
            surveys = await self._surveyed(surveyors(cohort, units, stores))
        sampled, examples = self._chosen(audited, surveys, named)
        are_apart = is_apart(cohort, stores)
        self._progress.stage(f"Comparing {cohort.cache}", len(sampled) + len(examples))
        is_sample = audited is None or not audited.is_whole
        hasty = self._examiner(cohort, 0.0 if are_apart and is_sample else self._options.settle)
        pairs = pairs_of(cohort, stores, surveys)
        entries = Entries(
            cohort=cohort,
            surveys=surveys if audited is None else audited.surveys,
            keys_known=self._keys_known(audited, surveys),
            named=examined,
            sampled=await hasty.examine(units, sampled),
            examples=await hasty.examine(units, examples),
            verifications=await self._verified(cohort, units, (*named, *sampled)),
            audit=audited,
            not_audited=why_not,
            is_apart=are_apart,
            is_meant_apart=is_meant_apart(cohort),
            are_stores_distinct=len(stores_behind(cohort, stores)) > 1,
            tolerance_seconds=self._patience(cohort, 0.0).tolerance_seconds,
            servers=self._prober.servers,
            replicas=await self._replicas(pairs[:MOST_REPLICAS], named, patient),
            replicas_left_out=len(pairs[MOST_REPLICAS:]),
        )
        located = await locate(self._prober, entries.units, entries.outcomes)
        return replace(entries, located=located)

    async def _verified(
        self, cohort: Cohort, units: Sequence[Unit], keys: Sequence[Key]
    ) -> tuple[Verification, ...]:
        wanted = wanted_of(cohort, units, keys)
        if not wanted:
            return ()
        self._progress.stage("Asking for the source of truth", len(wanted))
        return await Verifier(self._prober, self._options.settle).verify(wanted)

    async def _replicas(
        self, pairs: Sequence[Pair], named: tuple[Key, ...], examiner: Examiner
    ) -> tuple[ComparedReplica, ...]:
        """Compare the servers that only reads go to with those that take writes."""
        if pairs:
            self._progress.stage(f"Comparing replicas of {pairs[0].seen.view.cache}", None)
        return await compare_replicas(self._prober, pairs, named, self._options, examiner)

    async def _audited(
        self, cohort: Cohort, units: Sequence[Unit], stores: StoreMap
    ) -> tuple[Audit | None, str | None]:
        """Audit every key where that was asked for and can be done, else say why not."""
        if not self._options.all:
            return None, None
        auditing = auditors(cohort, units, stores)
        if len(auditing) < SEVERAL:  # one store cannot differ from itself
            return None, None if len(
                units
            ) < SEVERAL else "its keys can be listed in one place only"
        if not self._options.allow_touch and touches(cohort):
            return None, (
                "reading every key would move them all to the front of the eviction order: "
                "give --allow-touch where that is no harm"
            )
        question = Question(
            match=self._options.match,
            tolerance_seconds=self._patience(cohort, 0.0).tolerance_seconds,
            latest_horizon=self._horizon,
            rate=self._options.rate,
        )
        auditor = Auditor(self._prober, cohort, question, self._ledger, self._progress)
        return await auditor.audit(auditing), None

    def _chosen(
        self,
        audited: Audit | None,
        surveys: Sequence[tuple[Unit, Surveyance]],
        named: Sequence[Key],
    ) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Give the keys that speak for all, and examples of those that differ."""
        suspects = audited.suspects if audited else ()
        if audited and audited.is_whole:
            return tuple(key for key in suspects if key not in named), ()
        size = self._options.sample_size
        drawn = chosen_keys([found for _, found in surveys], size)
        sampled = tuple(key for key in drawn if key not in named)
        others = {*named, *sampled}
        return sampled, tuple(key for key in suspects if key not in others)

    def _keys_known(
        self, audited: Audit | None, surveys: Sequence[tuple[Unit, Surveyance]]
    ) -> int | None:
        if audited and audited.keys is not None:
            return audited.keys
        return known_keys([found for _, found in surveys], self._options.sample_size)

    async def _surveyed(self, units: Sequence[Unit]) -> tuple[tuple[Unit, Surveyance], ...]:
        options = self._options
        has_time = self._prober.deadline.remaining_seconds > 0
        asked = units if options.sample_size and has_time else ()
        self._progress.stage("Surveying", len(asked))
        draw = Draw(size=options.sample_size, match=options.match, max_scan=options.max_scan)
        found = await survey_units(self._prober, asked, draw, self._progress.advance)
        return tuple(found.items())

    def _examiner(self, cohort: Cohort, settle_seconds: float) -> Examiner:
        return Examiner(self._prober, self._patience(cohort, settle_seconds), self._progress)

    def _patience(self, cohort: Cohort, settle_seconds: float) -> Patience:
        """Allow for what clocks and the stores' resolution leave open, beside what was asked.

        Both are bounded: what one node says of itself must not excuse drift between the others.
        """
        resolution = max(seen.cache.capabilities.expiry_resolution_seconds for seen in cohort.views)
        resolution = min(resolution, COARSEST_RESOLUTION_SECONDS)
        uncertainty = max(seen.clock.uncertainty_seconds for seen in cohort.views)
        uncertainty = min(uncertainty, LARGEST_UNCERTAINTY_SECONDS)
        return Patience(
            settle_seconds=settle_seconds,
            tolerance_seconds=self._options.ttl_tolerance + resolution + 2 * uncertainty,
        )
