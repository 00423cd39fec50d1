"""What lies in the stores, by the surveys of a run: own entries and those of others. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.rules.observations import Contents
from cachecheck.stores.namespaces import heads_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.probing import Unit
    from cachecheck.coordinator.sample import Surveyance
    from cachecheck.coordinator.views import SeenView
    from cachecheck.heads import SeenPrefix
    from cachecheck.rules.observations import Fleet


def heads_in_use(fleet: Fleet) -> tuple[str, ...]:
    """Give the heads of all stored keys that anybody in the fleet makes, whatever the alias."""
    onlookers = (*fleet.workers, *fleet.stores)
    namespaces = [cache.namespace for one in onlookers for cache in one.caches]
    return tuple(sorted({head for each in namespaces for head in heads_of(each)}))


def contents_of(entries: Sequence[Entries]) -> tuple[Contents, ...]:
    """Give what each surveyed unit saw, as far as it was surveyed."""
    return tuple(
        _contents(one, unit, surveyed)
        for one in entries
        for unit, surveyed in one.surveys
        if surveyed.summary.scanned
    )


def _contents(entries: Entries, unit: Unit, surveyed: Surveyance) -> Contents:
    cohort, summary = entries.cohort, surveyed.summary
    behind = [seen for seen in cohort.views if seen.view in unit.stands_for]
    expiring_known, lasting = _lasting(entries, unit, surveyed)
    own = summary.scanned - summary.foreign
    return Contents(
        cache=cohort.cache,
        application=cohort.application,
        store=_store(behind, unit),
        view=unit.view,
        scanned=summary.scanned,
        own=own,
        is_complete=surveyed.is_complete,
        prefixes=tuple(_shifted(summary.prefixes, unit.shift_seconds)),
        weighed=summary.weighed,
        expiring_known=expiring_known,
        lasting=lasting,
        is_exact=entries.is_whole or (surveyed.is_complete and expiring_known >= own),
        timeouts=tuple(seen.cache.timeout for seen in cohort.views if not seen.is_direct),
        sample=tuple(sampled.digest for sampled in summary.sample),
        is_computed=any(seen.cache.namespace.is_computed for seen in cohort.views),
        is_used_by_nodes=any(not seen.is_direct for seen in cohort.views),
    )


def _lasting(entries: Entries, unit: Unit, surveyed: Surveyance) -> tuple[int, int]:
    """Count the entries of which it is known whether they expire, and those that do not."""
    if entries.is_whole:
        summary = surveyed.summary
        return summary.entries + summary.expiring, summary.lasting
    tallies = zip(entries.sampled.units, entries.sampled.tallies, strict=True)
    own = [tally for read, tally in tallies if set(read.stands_for) & set(unit.stands_for)]
    return sum(tally.keys for tally in own[:1]), sum(tally.lasting for tally in own[:1])


def _store(behind: Sequence[SeenView], unit: Unit) -> str:
    tokens = (seen.cache.identity.token for seen in behind)
    view = unit.view
    return next(filter(None, tokens), f"{view.node} {view.worker} {view.cache}")


def _shifted(prefixes: Sequence[SeenPrefix], shift_seconds: float) -> Iterator[SeenPrefix]:
    """Bring expiries to our clock."""
    for prefix in prefixes:
        versions = []
        for version in prefix.versions:
            expiry = version.weighed.newest_expiry
            moved = None if expiry is None else max(0.0, expiry - shift_seconds)
            weighed = msgspec.structs.replace(version.weighed, newest_expiry=moved)
            versions.append(msgspec.structs.replace(version, weighed=weighed))
        yield msgspec.structs.replace(prefix, versions=tuple(versions))
