"""What a report notes of a cache beside its findings, without making the run undecided. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cachecheck.coordinator import truths
from cachecheck.coordinator.phrases import entries_of, keys_of
from cachecheck.rules.behaviour import slow_once
from cachecheck.rules.ratios import told
from cachecheck.rules.value import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.run import Observed
    from cachecheck.rules.trials import Trial


def notes_of(observed: Observed, options: Options) -> dict[str, tuple[str, ...]]:
    """Say of each alias what does not touch the verdict, and should be known."""
    notes: dict[str, list[str]] = {alias: [] for alias in observed.aliases}
    for entries in observed.entries:
        notes[entries.cohort.cache].extend(_entry_notes(entries))
    for (alias, _application), count in _cohorts(observed).items():
        if count > 1:
            notes[alias].append(
                f"entries were compared within each of {count} groups of views only, which differ "
                "in namespace, backend, codec or routing"
            )
    for trial in observed.trials:
        notes[trial.cache].extend(_trial_notes(trial, options.lag_tolerance))
    for alias in observed.aliases:
        notes[alias].extend(_counting_note(observed, alias))
        if options.window is not None and (said := told(observed.fleet, alias)):
            notes[alias].append(f"in {options.window:g} s: {said}")  # whoever asks wants an answer
    return {alias: tuple(dict.fromkeys(lines)) for alias, lines in notes.items()}


def _trial_notes(trial: Trial, lag_tolerance_seconds: float) -> Iterator[str]:
    yield from trial.notes
    late = slow_once(trial, lag_tolerance_seconds)
    if late:
        slowest = max(one.lag_seconds for one in late)
        yield f"what a canary wrote was seen late once, after up to {slowest * 1000:.0f} ms"
    if trial.pairs_chosen < trial.pairs:
        tried = f"{trial.pairs_chosen} of {trial.pairs} pairs of views"
        yield f"a canary tried {tried}, drawn at random"


def _cohorts(observed: Observed) -> Counter[tuple[str, str]]:
    """Count the cohorts, by alias and application, in which any key was compared."""
    return Counter(
        (one.cohort.cache, one.cohort.application) for one in observed.entries if one.examined
    )


def _entry_notes(entries: Entries) -> Iterator[str]:
    healed = [one for one in entries.examined if one.judgement == "healed" and one.looks]
    if healed:
        slowest = max(one.looks[-1].at - one.looks[0].at for one in healed)
        yield f"{keys_of(healed)} differed at first and agreed within {slowest:.1f} s"
    closed = [one for one in entries.examined if one.judgement == "closed"]
    if closed:
        yield f"{keys_of(closed)} expired, evicted, deleted or touched while being looked at"
    kept = [one for one in entries.sampled.keys if one.judgement == "kept"]
    if kept:
        why = "withheld by a node, forbidden to it, or written by no cache"
        yield f"{keys_of(kept)} left out: {why}"
    for _unit, surveyed in entries.surveys:
        if not surveyed.is_complete and not surveyed.failure:
            yield f"only the first {surveyed.summary.scanned} keys of a store were looked at"
    yield from _audit_notes(entries)
    yield from truths.notes(entries)
    units = entries.named.units or entries.sampled.units
    if len(units) == 1 and len(units[0].stands_for) > 1:
        views = len(units[0].stands_for)
        yield f"{views} views share one store, so each key was read once for all of them"
    capabilities = [seen.cache.capabilities for seen in entries.cohort.views]
    if any(one.touches_recency for one in capabilities):
        yield "reading moved the entries that were read to the front of the eviction order"
    replicas = max(one.unread_replicas for one in capabilities)
    if replicas:
        yield f"{replicas} replicas were not read, only the server that takes writes"
    for one in entries.replicas:
        count = keys_of(one.examination.keys)
        yield f"{count} read on the replica {one.pair.replica.address} by itself"


def _audit_notes(entries: Entries) -> Iterator[str]:
    audit = entries.audit
    if audit is None:
        return
    expiring = max(surveyed.summary.expiring for _, surveyed in audit.surveys)
    if expiring:
        yield f"up to {entries_of(expiring)} that expire during the run were left out"
    if audit.is_jitter and audit.is_whole:
        yield "expiries differ so widely within the tolerance that they were compared one by one"
    if audit.is_jitter and not audit.is_whole:
        yield (
            "most expiries differ, too many to be compared one by one: a larger --ttl-tolerance "
            "lets those agree that differ by less"
        )
    differing = [one for one in entries.examined if one.judgement in CODES]
    are_summed = all(surveyed.is_complete for _, surveyed in audit.surveys)
    if are_summed and not audit.is_whole and audit.suspects and differing:
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
