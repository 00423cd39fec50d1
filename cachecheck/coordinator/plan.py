"""``--plan``: what a check would ask of whom. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.audit.audit import SEVERAL
from cachecheck.coordinator.canary.circles import by_cache, choose_pairs, circles, count_pairs
from cachecheck.coordinator.phrases import some
from cachecheck.coordinator.replicas import pairs_of
from cachecheck.coordinator.stores import needs_witnesses
from cachecheck.coordinator.truths import able_units
from cachecheck.coordinator.units import auditors, surveyors, touches, units_of
from cachecheck.coordinator.views import cohorts, seen_views
from cachecheck.coordinator.witness import WITNESSES
from cachecheck.wire import MAX_VERIFIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.probing import Unit
    from cachecheck.coordinator.run import Observed
    from cachecheck.coordinator.views import Cohort
    from cachecheck.rules.observations import ObservedNode, StoreMap


def plan_of(observed: Observed, options: Options) -> Iterator[str]:
    """Give the plan line by line: who was heard, who would be surveyed and read for what."""
    for node in observed.fleet.nodes:
        yield _node(node)
    maps = {(one.cache, one.application): one for one in observed.stores}
    for cohort in cohorts(seen_views(observed.fleet, observed.aliases)):
        stores = maps[cohort.cache, cohort.application]
        units = units_of(cohort, stores)
        auditing = auditors(cohort, units, stores) if options.all else ()
        is_allowed = options.allow_touch or not touches(cohort)
        if len(auditing) >= SEVERAL and is_allowed:
            yield from _audit(cohort, auditing, options)
        else:
            if options.all and not is_allowed:
                yield "every key would be moved in the eviction order: only with --allow-touch"
            yield from _cohort(cohort, units, surveyors(cohort, units, stores), options)
        yield from _replicas(cohort, stores, options)
    if options.canary:
        yield from _canaries(observed)


def _canaries(observed: Observed) -> Iterator[str]:
    for members in by_cache(seen_views(observed.fleet, observed.aliases)):
        found = circles(members)
        chosen, pairs = len(choose_pairs(found, observed.run)), count_pairs(found)
        yield (
            f"{members[0].view.cache}: let a canary write through {len(members)} views, and look "
            f"for it in {chosen} of {pairs} pairs of them"
        )


def _replicas(cohort: Cohort, stores: StoreMap, options: Options) -> Iterator[str]:
    keys = len(options.keys) + options.sample_size
    for pair in pairs_of(cohort, stores):
        yield (
            f"  survey and read up to {keys} keys on the replica {pair.replica.address} and on the "
            f"server that takes writes, through {pair.seen.view.worker}"
        )


def _node(node: ObservedNode) -> str:
    if node.state != "answered":
        return f"{node.name}: {node.state}, {node.detail}"
    if node.store is not None:
        return f"{node.name}: read directly"
    expected = "?" if node.workers_expected is None else node.workers_expected
    web = sum(one.worker.role == "web" for one in node.workers)
    others = len(node.workers) - web
    beside = f", and {others} that serve no requests" if others else ""
    return f"{node.name}: {web} of {expected} workers heard{beside}"


def _title(cohort: Cohort) -> str:
    what = ", ".join(filter(None, (cohort.kind, cohort.application)))
    return f"{cohort.cache} ({what}): {len(cohort.views)} views"


def _audit(cohort: Cohort, auditing: Sequence[Unit], options: Options) -> Iterator[str]:
    yield _title(cohort)
    entries = {seen.view: seen.cache.capabilities.entries for seen in cohort.views}
    for unit in auditing:
        known = entries[unit.view]
        about = "" if known is None else f", which has about {known} of all namespaces"
        yield f"  sum up every key that matches {options.match!r} through {unit.view.worker}{about}"
    yield "  list and read those that differ"


def _cohort(
    cohort: Cohort, units: Sequence[Unit], surveying: Sequence[Unit], options: Options
) -> Iterator[str]:
    yield _title(cohort)
    if needs_witnesses(cohort.views):
        yield f"  first read some {WITNESSES} keys of each store, as witnesses of who shares it"
    if options.sample_size:
        for unit in surveying:
            yield (
                f"  survey up to {options.max_scan} keys that match {options.match!r} "
                f"through {unit.view.worker}"
            )
    keys = len(options.keys) + options.sample_size
    for unit in units:
        speaks_for = len(unit.stands_for)
        others = f", which speaks for {speaks_for} views" if speaks_for > 1 else ""
        yield f"  read up to {keys} keys through {unit.view.worker}{others}"
    for unit, globs in able_units(cohort, units).items():
        yield (
            f"  hold up to {MAX_VERIFIED} of them that match {some(list(globs))} against the "
            f"source of truth on {unit.node}"
        )
