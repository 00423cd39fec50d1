"""Compare the entries of a cohort: choose keys, read them through every unit, look again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.probing import Unit
from cachecheck.coordinator.sample import (
    Draw,
    Surveyance,
    chosen_keys,
    known_keys,
    survey_units,
)
from cachecheck.coordinator.suspects import Examination, Examined, Examiner, Patience
from cachecheck.coordinator.views import Cohort, SeenView
from cachecheck.coordinator.witness import unit_of
from cachecheck.model import Key, Value
from cachecheck.rules.observations import KeyOutcome, StoreMap, View
from cachecheck.rules.value import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.progress import Progress

_OWN_TIME = frozenset({"worker", "host"})


COARSEST_RESOLUTION_SECONDS = 1.0  # memcached and the database keep whole seconds
LARGEST_UNCERTAINTY_SECONDS = 0.5


class Entries(Value, frozen=True, kw_only=True):
    """What was found of the entries of one cohort.

    ``surveys`` are what the units that were surveyed hold, ``keys_known`` how many distinct keys
    that is; ``is_apart`` says that the stores fill
    at their own time.
    """

    cohort: Cohort
    surveys: tuple[tuple[Unit, Surveyance], ...]
    keys_known: int | None
    named: Examination
    sampled: Examination
    is_apart: bool
    are_stores_distinct: bool
    tolerance_seconds: float

    @property
    def examined(self) -> tuple[Examined, ...]:
        """All keys that were compared, or should have been."""
        return self.named.keys + self.sampled.keys

    @property
    def lost(self) -> tuple[View, ...]:
        """The views that were described and could not be heard again."""
        units = dict.fromkeys(self.named.lost + self.sampled.lost)
        return tuple(view for unit in units for view in unit.stands_for)

    @property
    def losses(self) -> tuple[str, ...]:
        """Why those views were lost."""
        return tuple(dict.fromkeys(self.named.reasons + self.sampled.reasons))

    @property
    def outcomes(self) -> tuple[KeyOutcome, ...]:
        """What the rules are to judge."""
        return tuple(
            self._outcome(one, group.units, is_named=is_named)
            for is_named, group in ((True, self.named), (False, self.sampled))
            for one in group.keys
            if one.judgement in CODES
        )

    def _outcome(self, one: Examined, units: Sequence[Unit], *, is_named: bool) -> KeyOutcome:
        last = one.looks[-1]
        return KeyOutcome(
            cache=self.cohort.cache,
            key=one.key,
            verdict=one.judgement,
            is_named=is_named,
            is_apart=self.is_apart,
            are_stores_distinct=self.are_stores_distinct,
            readings=tuple(
                (unit.view, reading) for unit, reading in zip(units, last.readings, strict=True)
            ),
            stand_for=tuple(unit.stands_for for unit in units),
            looked=len(one.looks),
            persisted_seconds=last.at - one.looks[0].at,
            tolerance_seconds=self.tolerance_seconds,
        )


async def compare_entries(
    prober: Prober,
    cohorts: Sequence[Cohort],
    stores: Sequence[StoreMap],
    options: Options,
    progress: Progress,
) -> tuple[Entries, ...]:
    """Compare the entries of each cohort, one after the other."""
    maps = {(one.cache, one.application): one for one in stores}
    return tuple(
        [
            await _compare(
                prober, cohort, maps[cohort.cache, cohort.application], options, progress
            )
            for cohort in cohorts
        ]
    )


async def _compare(
    prober: Prober, cohort: Cohort, stores: StoreMap, options: Options, progress: Progress
) -> Entries:
    units = units_of(cohort, stores)
    is_apart = _is_apart(cohort, stores)
    surveys = await _survey(prober, surveyors(cohort, units, stores), options, progress)
    named = tuple(Key(name=key) for key in dict.fromkeys(options.keys))
    sampled = tuple(
        key
        for key in chosen_keys([found for _, found in surveys], options.sample_size)
        if key not in named
    )
    progress.stage(f"Comparing {cohort.cache}", len(named) + len(sampled))
    patience = _patience(cohort, options.settle, options.ttl_tolerance)
    hasty = _patience(cohort, 0.0 if is_apart else options.settle, options.ttl_tolerance)
    return Entries(
        cohort=cohort,
        surveys=surveys,
        keys_known=known_keys([found for _, found in surveys], options.sample_size),
        named=await Examiner(prober, patience, progress).examine(units, named),
        sampled=await Examiner(prober, hasty, progress).examine(units, sampled),
        is_apart=is_apart,
        are_stores_distinct=len(_stores_behind(cohort, stores)) > 1,
        tolerance_seconds=patience.tolerance_seconds,
    )


def units_of(cohort: Cohort, stores: StoreMap) -> tuple[Unit, ...]:
    """Divide a cohort into what is read as one.

    Views that are proven to share a store and the server of it are one unit; where only witnesses
    say so, there is one unit for each node; an unknown store is a unit for each view.
    """
    identity = {view: store for store in stores.stores for view in store.views}
    groups: dict[tuple[object, ...], list[SeenView]] = {}
    for seen in cohort.views:
        store = identity[seen.view]
        member = seen.cache.identity.member
        match store.identity:
            case "observed" | "confirmed":
                key: tuple[object, ...] = (store.id, member)
            case "witnessed":
                key = (store.id, member, seen.view.node)
            case _:
                key = (store.id, seen.view)
        groups.setdefault(key, []).append(seen)
    return tuple(unit_of(members) for members in groups.values())


def surveyors(cohort: Cohort, units: Sequence[Unit], stores: StoreMap) -> tuple[Unit, ...]:
    """Choose who surveys: one unit for each store, and for each node where that is not known."""
    can_scan = {seen.view for seen in cohort.views if seen.cache.capabilities.can_scan}
    identity = {view: store for store in stores.stores for view in store.views}
    chosen: dict[str, Unit] = {}
    for unit in units:
        store = identity[unit.view]
        if unit.view not in can_scan:
            continue
        chosen.setdefault(f"@{unit.node}" if store.identity == "unobserved" else store.id, unit)
    return tuple(chosen.values())


def _stores_behind(cohort: Cohort, stores: StoreMap) -> set[str]:
    views = {seen.view for seen in cohort.views}
    return {store.id for store in stores.stores if views & set(store.views)}


def _is_apart(cohort: Cohort, stores: StoreMap) -> bool:
    """Whether these stores fill at their own time: per worker or host, declared or found."""
    if len(_stores_behind(cohort, stores)) < 2:  # noqa: PLR2004  several
        return False
    if all(seen.cache.declared_scope in _OWN_TIME for seen in cohort.views):
        return True
    is_found = stores.is_split or cohort.views[0].cache.scope in _OWN_TIME
    return is_found and not stores.undecided


async def _survey(
    prober: Prober, units: Sequence[Unit], options: Options, progress: Progress
) -> tuple[tuple[Unit, Surveyance], ...]:
    asked = units if options.sample_size else ()
    progress.stage("Surveying", len(asked))
    draw = Draw(size=options.sample_size, match=options.match, max_scan=options.max_scan)
    found = await survey_units(prober, asked, draw, progress.advance)
    return tuple(found.items())


def _patience(cohort: Cohort, settle_seconds: float, ttl_tolerance: float) -> Patience:
    """Allow for what clocks and the stores' resolution leave open, beside what was asked.

    Both are bounded: what one node says of itself must not excuse drift between the others.
    """
    resolution = max(seen.cache.capabilities.expiry_resolution_seconds for seen in cohort.views)
    resolution = min(resolution, COARSEST_RESOLUTION_SECONDS)
    uncertainty = max(seen.clock.uncertainty_seconds for seen in cohort.views)
    uncertainty = min(uncertainty, LARGEST_UNCERTAINTY_SECONDS)
    return Patience(
        settle_seconds=settle_seconds,
        tolerance_seconds=ttl_tolerance + resolution + 2 * uncertainty,
    )
