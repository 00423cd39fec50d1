"""What was not seen: the sentences that make a run undecided, and the notes that do not. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cachecheck.coordinator.views import cohorts, seen_views, set_apart
from cachecheck.model import Failed, Value
from cachecheck.rules.grouping import is_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sized

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.run import Observed
    from cachecheck.coordinator.suspects import Examination
    from cachecheck.model import Key
    from cachecheck.rules.observations import Findings

_NAMES_SHOWN = 3


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
        *_stores(observed),
        *_set_apart(observed),
        *(
            line
            for entries in observed.entries
            for line in (
                *_lost(entries, observed),
                *_audit(entries, options),
                *_keys(entries, options, show),
            )
        ),
    )
    return Coverage(undecided=tuple(dict.fromkeys(undecided)), notes=_notes(observed))


def _time(observed: Observed) -> Iterator[str]:
    if observed.is_out_of_time:
        yield "the deadline of the run passed before all was compared: raise --deadline"


def _nodes(observed: Observed, require_percent: float) -> Iterator[str]:
    nodes = observed.fleet.nodes
    silent = [node for node in nodes if node.state != "answered"]
    is_enough = 100 * (len(nodes) - len(silent)) >= require_percent * len(nodes)
    if is_enough and len(silent) < len(nodes):
        return
    names = _some([node.name for node in silent])
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
    for stores in observed.stores:
        declared = {
            cache.declared_scope
            for worker in observed.fleet.workers
            for cache in worker.caches
            if (worker.application, cache.alias) == (stores.application, stores.cache)
        }
        if stores.undecided and not declared <= {"worker", "host", "none"}:
            yield f"{stores.cache}: {stores.undecided}"


def _set_apart(observed: Observed) -> Iterator[str]:
    """Name the stores that are read directly and could be compared with nothing."""
    if observed.reads_entries:
        yield from set_apart(cohorts(seen_views(observed.fleet, observed.aliases)))


def _lost(entries: Entries, observed: Observed) -> Iterator[str]:
    """Name the views that were lost; a worker that was restarted is F007, and closed with that."""
    restarted = {label for node in observed.fleet.nodes for label in node.restarted}
    lost = sorted({view.worker for view in entries.lost} - restarted)
    if lost:
        why = "; ".join(entries.losses[:2])
        yield (
            f"{entries.cohort.cache} was not compared on {_some(lost)}, lost after it had "
            f"answered: {why}"
        )


def _audit(entries: Entries, options: Options) -> Iterator[str]:
    """Say which keys were not compared, where every one should have been."""
    cache = entries.cohort.cache
    if entries.not_audited:
        yield f"{cache}: not every key was compared: {entries.not_audited}"
    if options.all:
        deaf = [seen for seen in entries.cohort.views if not seen.cache.capabilities.can_scan]
        nodes = sorted({seen.view.node for seen in deaf})
        if deaf:
            reasons = "; ".join(deaf[0].cache.capabilities.reasons[:2])
            yield f"the keys of {cache} cannot be listed on {_some(nodes)}: {reasons}"
    if entries.audit is None:
        return
    for failure in entries.audit.failures:
        yield f"what differs in {cache} was not listed whole through {failure}"
    if not entries.is_whole and not entries.audit.failures:
        yield f"{cache}: not every key was compared"
    for unit, surveyed in entries.audit.surveys:
        if surveyed.summary.unread:
            count = surveyed.summary.unread
            yield f"{cache}: {count} entries could not be read through {unit.node}: too large"


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
        which = _some([show(one.key) for one in gone])
        yield (
            f"{cache}: {_keys_of(gone)} came, went or expired while being looked at, and never "
            f"agreed ({which})"
        )
    kept = [one for one in entries.named.keys if one.judgement == "kept"]
    if kept:  # whoever names a key wants it compared; in a sample it is only left out
        which = _some([show(one.key) for one in kept])
        yield f"{cache}: {_keys_of(kept)} named and kept from comparing by the nodes ({which})"
    forbidden = [one for one in entries.sampled.keys if one.judgement == "kept" and one.is_denied]
    if forbidden and len(forbidden) == len(entries.sampled.keys):
        yield f"{cache}: none of {_keys_of(forbidden)} may be read by the nodes' own credentials"
    undone = [one for one in entries.examined if one.judgement == "open"]
    if undone:
        yield (
            f"{cache}: {_keys_of(undone)} differed and the deadline passed before that was settled"
        )
    counted = entries.named.keys if entries.is_apart else entries.examined
    flapping = [one for one in counted if one.judgement == "flapping"]
    if flapping and entries.are_stores_distinct:
        yield f"{cache}: {_keys_of(flapping)} changed all the time in different stores"


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
    which = _some([show(one.key) for one in unread])
    yield f"{cache}: {_keys_of(unread)} could not be read through all views ({which}): {why}"


def _keys_of(examined: Sized) -> str:
    return "1 key" if len(examined) == 1 else f"{len(examined)} keys"


def _notes(observed: Observed) -> dict[str, tuple[str, ...]]:
    notes: dict[str, list[str]] = {alias: [] for alias in observed.aliases}
    for entries in observed.entries:
        notes[entries.cohort.cache].extend(_entry_notes(entries))
    for (alias, _application), count in _cohorts(observed).items():
        if count > 1:
            notes[alias].append(
                f"entries were compared within each of {count} groups of views only, which differ "
                "in namespace, backend or codec"
            )
    for alias in observed.aliases:
        notes[alias].extend(_counting_note(observed, alias))
    return {alias: tuple(dict.fromkeys(lines)) for alias, lines in notes.items()}


def _cohorts(observed: Observed) -> Counter[tuple[str, str]]:
    """Count the cohorts, by alias and application, in which any key was compared."""
    return Counter(
        (one.cohort.cache, one.cohort.application) for one in observed.entries if one.examined
    )


def _entry_notes(entries: Entries) -> Iterator[str]:
    healed = [one for one in entries.examined if one.judgement == "healed" and one.looks]
    if healed:
        slowest = max(one.looks[-1].at - one.looks[0].at for one in healed)
        yield f"{_keys_of(healed)} differed at first and agreed within {slowest:.1f} s"
    closed = [one for one in entries.examined if one.judgement == "closed"]
    if closed:
        yield f"{_keys_of(closed)} expired, evicted, deleted or touched while being looked at"
    kept = [one for one in entries.sampled.keys if one.judgement == "kept"]
    if kept:
        why = "withheld by a node, forbidden to it, or written by no cache"
        yield f"{_keys_of(kept)} left out: {why}"
    for _unit, surveyed in entries.surveys:
        if not surveyed.is_complete and not surveyed.failure:
            yield f"only the first {surveyed.summary.scanned} keys of a store were looked at"
    yield from _audit_notes(entries)
    units = entries.named.units or entries.sampled.units
    if len(units) == 1 and len(units[0].stands_for) > 1:
        yield "its views share one store, so each key was read once for all of them"
    capabilities = [seen.cache.capabilities for seen in entries.cohort.views]
    if any(one.touches_recency for one in capabilities):
        yield "reading moved the entries that were read to the front of the eviction order"
    replicas = max(one.unread_replicas for one in capabilities)
    if replicas:
        yield f"{replicas} replicas were not read, only the server that takes writes"


def _audit_notes(entries: Entries) -> Iterator[str]:
    audit = entries.audit
    if audit is None:
        return
    expiring = max(surveyed.summary.expiring for _, surveyed in audit.surveys)
    if expiring:
        yield f"up to {expiring} entries that expire during the run were left out"
    if audit.is_jitter:
        yield "expiries differ so widely within the tolerance that they were compared one by one"
    if not audit.is_whole and audit.suspects:
        yield (
            "far more differs than can be listed: the rate is that of a sample, and the findings "
            "are examples"
        )


def _counting_note(observed: Observed, alias: str) -> Iterator[str]:
    counting = [
        cache.is_counting
        for worker in observed.fleet.workers
        for cache in worker.caches
        if cache.alias == alias
    ]
    if counting and not any(counting):
        yield "hits and misses are counted nowhere"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
