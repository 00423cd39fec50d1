"""What was not seen: the sentences that make a run undecided, and the notes that do not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator import truths
from cachecheck.coordinator.notes import notes_of
from cachecheck.coordinator.phrases import entries_of, keys_of, some
from cachecheck.coordinator.replicas import MOST_REPLICAS
from cachecheck.coordinator.views import cohorts, seen_views, set_apart
from cachecheck.model import Failed, Value
from cachecheck.rules import builders, failing, replica, routing
from cachecheck.rules.grouping import is_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.run import Observed
    from cachecheck.coordinator.suspects import Examination
    from cachecheck.model import Key
    from cachecheck.rules.observations import Findings, StoreMap
    from cachecheck.survey import Summary

MOST_EXPIRING = 0.1
_APART = frozenset({"divergent", "unknown-structure", "missing", "persistence-drift"})


class Coverage(Value, frozen=True, kw_only=True):
    """``undecided``: what should have been compared and was not; ``notes``: the rest, by alias."""

    undecided: tuple[str, ...]
    notes: dict[str, tuple[str, ...]]


def cover(
    observed: Observed,
    found: Findings,
    options: Options,
    show: Callable[[Key], str],
) -> Coverage:
    """Say what was not seen of the fleet, its workers, its stores and their keys.

    ``found`` are all findings, selected or not: those about coverage are repeated here.
    """
    undecided = (
        *_time(observed),
        *_nodes(observed, options.require_coverage),
        *_named(observed, options),
        *_workers(found),
        *_backends(observed),
        *(_unconfirmed(observed) if observed.reads_entries else ()),
        *_stores(observed),
        *_set_apart(observed),
        *(line for trial in observed.trials for line in trial.undecided),
        *(
            line
            for entries in observed.entries
            for line in (
                *_lost(entries, observed),
                *_audit(entries, options),
                *_keys(entries, options, show),
                *truths.undecided(entries, show),
                *_replicas(entries, options, show),
            )
        ),
    )
    return Coverage(undecided=tuple(dict.fromkeys(undecided)), notes=notes_of(observed, options))


def _unconfirmed(observed: Observed) -> Iterator[str]:
    """Repeat what rules could not judge, since a second statement was missing or another one.

    Where no entry is read nobody is asked again, and none of it is judged.
    """
    yield from builders.undecided(observed.fleet)
    yield from replica.undecided(observed.fleet, observed.replicas)
    yield from routing.undecided(observed.fleet)
    yield from failing.undecided(observed.fleet)


def _time(observed: Observed) -> Iterator[str]:
    if observed.is_out_of_time:
        yield "the deadline of the run passed before all was compared: raise --deadline"


def _nodes(observed: Observed, require_percent: float) -> Iterator[str]:
    nodes = observed.fleet.nodes
    silent = [node for node in nodes if node.state != "answered"]
    is_enough = 100 * (len(nodes) - len(silent)) >= require_percent * len(nodes)
    if is_enough and len(silent) < len(nodes):
        return
    names = some([node.name for node in silent])
    yield f"{names} gave no answer that could be used, so none of its caches was compared"


def _named(observed: Observed, options: Options) -> Iterator[str]:
    has_answer = any(node.state == "answered" for node in observed.fleet.nodes)
    is_asked = options.keys and has_answer and observed.reads_entries
    if is_asked and not any(one.named.keys for one in observed.entries):
        yield "no cache was there in which the named keys could be compared"


def _workers(found: Findings) -> Iterator[str]:
    """Repeat what the rules found of unheard workers that have caches of their own."""
    for one in found:
        if one.code == "F008" or (one.code == "F004" and one.severity == "warning"):
            yield one.message


def _backends(observed: Observed) -> Iterator[str]:
    for node in observed.fleet.nodes:
        for cache in (cache for one in node.onlookers for cache in one.caches):
            if cache.kind == "dummy" or cache.capabilities.can_read:
                continue
            what = "read" if is_seen(cache) else "looked at"
            reason = "; ".join(cache.capabilities.reasons[:2]) or cache.backend
            yield f"{cache.alias} cannot be {what} on {node.name}: {reason}"


def _stores(observed: Observed) -> Iterator[str]:
    for stores in observed.stores if observed.maps_stores else ():
        declared = {
            cache.declared_scope
            for worker in observed.fleet.workers
            for cache in worker.caches
            if (worker.application, cache.alias) == (stores.application, stores.cache)
        }
        is_meant = declared <= {"worker", "host", "none"}
        if stores.undecided and not is_meant and not _is_refuted(observed, stores):
            yield f"{stores.cache}: {stores.undecided}"


def _set_apart(observed: Observed) -> Iterator[str]:
    """Name the stores that are read directly and could be compared with nothing."""
    if observed.reads_entries:
        yield from set_apart(cohorts(seen_views(observed.fleet, observed.aliases)))


def _is_refuted(observed: Observed, stores: StoreMap) -> bool:
    """Whether the views do hold different entries, so that they are of different stores."""
    return any(
        entries.audit is not None
        and entries.are_stores_distinct
        and any(outcome.verdict in _APART for outcome in entries.outcomes)
        for entries in observed.entries
        if (entries.cohort.cache, entries.cohort.application) == (stores.cache, stores.application)
    )


def _lost(entries: Entries, observed: Observed) -> Iterator[str]:
    """Name the views that were lost; a worker that was restarted is F007, and closed with that."""
    restarted = {label for node in observed.fleet.nodes for label in node.restarted}
    lost = sorted({view.worker for view in entries.lost} - restarted)
    if lost:
        why = "; ".join(entries.losses[:2])
        yield (
            f"{entries.cohort.cache} was not compared on {some(lost)}, lost after it had "
            f"answered: {why}"
        )


def _audit(entries: Entries, options: Options) -> Iterator[str]:
    """Say which keys were not compared, where every one should have been."""
    cache = entries.cohort.cache
    if entries.not_audited:
        yield f"{cache}: not every key was compared: {entries.not_audited}"
    if options.all:
        yield from _deaf(entries)
    if entries.audit is None:
        return
    for failure in entries.audit.failures:
        yield f"what differs in {cache} was not listed whole through {failure}"
    if not entries.is_whole and not entries.audit.failures:
        yield f"{cache}: not every key was compared"
    for unit, surveyed in entries.audit.surveys:
        yield from _left_out(cache, unit.node, surveyed.summary)
    scanned = sum(surveyed.summary.scanned for _, surveyed in entries.audit.surveys)
    is_direct = any(seen.is_direct for seen in entries.cohort.views)
    if is_direct and entries.audit.keys == 0 and scanned:
        yield (
            f"{cache}: no key was compared: all {scanned} that the stores have are of other "
            "namespaces, or do not match, or are no cache values"
        )


def _left_out(cache: str, node: str, summary: Summary) -> Iterator[str]:
    if summary.unread:
        many = entries_of(summary.unread)
        yield f"{cache}: {many} could not be read through {node}: too large, or not allowed"
    lasting = summary.entries + summary.expiring
    if summary.expiring > MOST_EXPIRING * lasting:
        many = entries_of(summary.expiring)
        yield (
            f"{cache}: {many} of {lasting} on {node} expire too soon to be audited: compare a "
            "sample of them, without --all"
        )


def _deaf(entries: Entries) -> Iterator[str]:
    """Name the views of stores that none of their views can list."""
    heard = {view for unit, _ in entries.surveys for view in unit.stands_for}
    deaf = [
        seen
        for seen in entries.cohort.views
        if not seen.cache.capabilities.can_scan and seen.view not in heard
    ]
    if deaf:
        nodes = sorted({seen.view.node for seen in deaf})
        reasons = "; ".join(deaf[0].cache.capabilities.reasons[:2])
        yield f"the keys of {entries.cohort.cache} cannot be listed on {some(nodes)}: {reasons}"


def _keys(entries: Entries, options: Options, show: Callable[[Key], str]) -> Iterator[str]:
    cache = entries.cohort.cache
    for unit, surveyed in entries.surveys:
        if surveyed.failure:
            yield f"{cache} was not surveyed whole through {unit.node}: {surveyed.failure}"
    if options.sample_size and not entries.surveys:
        reasons = entries.cohort.views[0].cache.capabilities.reasons
        because = f" ({'; '.join(reasons[:2])})" if reasons else ""
        yield f"the keys of {cache} cannot be listed{because}: name keys with --key"
    for examination in (entries.named, entries.sampled, entries.examples):
        yield from _unread(cache, examination, show)
    gone = [one for one in entries.named.keys if one.judgement == "closed"]
    if gone:
        which = some([show(one.key) for one in gone])
        yield (
            f"{cache}: {keys_of(gone)} came, went or expired while being looked at, and never "
            f"agreed ({which})"
        )
    kept = [one for one in entries.named.keys if one.judgement == "kept"]
    if kept:  # whoever names a key wants it compared; in a sample it is only left out
        which = some([show(one.key) for one in kept])
        yield f"{cache}: {keys_of(kept)} named and kept from comparing by the nodes ({which})"
    forbidden = [one for one in entries.sampled.keys if one.judgement == "kept" and one.is_denied]
    if forbidden and len(forbidden) == len(entries.sampled.keys):
        yield f"{cache}: none of {keys_of(forbidden)} may be read by the nodes' own credentials"
    undone = [one for one in entries.examined if one.judgement == "open"]
    if undone:
        yield (
            f"{cache}: {keys_of(undone)} differed and the deadline passed before that was settled"
        )
    counted = entries.named.keys if entries.is_apart else entries.examined
    flapping = [one for one in counted if one.judgement == "flapping"]
    if flapping and entries.are_stores_distinct:
        yield f"{cache}: {keys_of(flapping)} changed all the time in different stores"


def _replicas(entries: Entries, options: Options, show: Callable[[Key], str]) -> Iterator[str]:
    """Say what was not compared on servers that only reads go to."""
    cache = entries.cohort.cache
    if entries.replicas_left_out:
        yield (
            f"{cache}: {entries.replicas_left_out} replicas were not compared: its views name more "
            f"than {MOST_REPLICAS}"
        )
    for one in entries.replicas:
        where = f"the replica {one.pair.replica.address}"
        for unit, why in zip(one.examination.lost, one.examination.reasons, strict=False):
            yield f"{cache}: {where} was not compared, {unit.node} was lost: {why}"
        if one.survey is not None and one.survey.failure:
            yield f"{cache}: the keys of {where} could not be listed: {one.survey.failure}"
        yield from _unread(f"{cache} on {where}", one.examination, show)
        undone = [key for key in one.examination.keys if key.judgement == "open"]
        if undone:
            yield (
                f"{cache}: {keys_of(undone)} differed on {where} and the deadline passed before "
                "that was settled"
            )
        if options.all:
            yield (
                f"{cache}: {where} was compared by a sample: name the primary as a store of its "
                "own to compare every key of its replicas"
            )


def _unread(cache: str, examination: Examination, show: Callable[[Key], str]) -> Iterator[str]:
    unread = [one for one in examination.keys if one.judgement == "unread"]
    if not unread:
        return
    reasons: dict[str, set[str]] = {}
    for one in unread:
        for unit, reading in zip(examination.units, one.looks[-1].readings, strict=True):
            if isinstance(reading, Failed):
                reasons.setdefault(reading.detail or reading.reason, set()).add(unit.node)
    why = "; ".join(f"{', '.join(sorted(nodes)[:3])}: {said}" for said, nodes in reasons.items())
    why = why or "none of them was heard again"
    which = some([show(one.key) for one in unread])
    yield f"{cache}: {keys_of(unread)} could not be read through all views ({which}): {why}"
