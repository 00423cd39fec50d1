"""Who can hold which keys against a source of truth, and what that came to, in words. Pure."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import translate
from typing import TYPE_CHECKING

from cachecheck.coordinator.phrases import keys_of, some
from cachecheck.coordinator.probing import Unit
from cachecheck.rules.observations import StaleOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.verifying import Old, Verification
    from cachecheck.coordinator.views import Cohort, SeenView
    from cachecheck.model import Key


def wanted_of(
    cohort: Cohort, units: Sequence[Unit], keys: Sequence[Key]
) -> dict[Unit, tuple[Key, ...]]:
    """Give, for each unit with a view that has a source of truth, the keys that it is for.

    One node of a unit is asked, whichever of its workers answers. Keys that are not known by their
    logical names match no pattern.
    """
    wanted: dict[Unit, tuple[Key, ...]] = {}
    for unit, globs in able_units(cohort, units).items():
        matches = re.compile("|".join(map(translate, globs))).match
        matching = tuple(key for key in keys if key.naming == "logical" and matches(key.name))
        if matching:
            wanted[unit] = matching
    return wanted


def able_units(cohort: Cohort, units: Sequence[Unit]) -> dict[Unit, tuple[str, ...]]:
    """Give the units, each at one node, that have a source of truth, with its patterns."""
    able: dict[Unit, tuple[str, ...]] = {}
    for unit in units:
        views = [seen for seen in cohort.views if seen.truths and seen.view in unit.stands_for]
        if views:
            asked = [seen for seen in views if seen.view.node == views[0].view.node]
            able[_asking(asked, unit)] = views[0].truths
    return able


def _asking(asked: Sequence[SeenView], unit: Unit) -> Unit:
    return Unit(
        node=asked[0].view.node,
        cache=unit.cache,
        workers=frozenset(seen.worker_id for seen in asked),
        stands_for=unit.stands_for,
        shift_seconds=asked[0].expiry_shift_seconds,
    )


def stale_outcomes(entries: Entries) -> Iterator[StaleOutcome]:
    """Give what the rules are to judge, with expiries in the coordinator's clock."""
    for one in entries.verifications:
        for old in one.old:
            yield _outcome(entries, one, old)


def _outcome(entries: Entries, one: Verification, old: Old) -> StaleOutcome:
    entry, unit = old.check.entry, one.unit
    timeouts = {seen.cache.timeout for seen in entries.cohort.views if not seen.is_direct}
    expires_at = None if entry.expires_at is None else entry.expires_at - unit.shift_seconds
    return StaleOutcome(
        cache=entries.cohort.cache,
        key=old.key,
        views=unit.stands_for,
        digest=entry.structure or entry.digest,
        size_bytes=entry.size_bytes,
        kind=entry.value_kind,
        true_kind=old.check.kind,
        is_gone=old.check.structure is None,
        expires_in_seconds=None if expires_at is None else expires_at - old.seen_at,
        expires_at=expires_at,
        timeout=timeouts.pop() if len(timeouts) == 1 else None,
        looked=old.looked,
        persisted_seconds=old.persisted_seconds,
    )


# --- words ---------------------------------------------------------------------------------


def undecided(entries: Entries, show: Callable[[Key], str]) -> Iterator[str]:
    """Say what should have been held against the source of truth, and was not."""
    cache = entries.cohort.cache
    for one in entries.verifications:
        where = f"the source of truth on {one.unit.node}"
        if one.failure is not None:
            yield f"{cache}: not all was held against {where}: {one.failure}"
        if one.unsettled:
            named = some([show(key) for key in one.unsettled])
            yield (
                f"{cache}: {keys_of(one.unsettled)} were not what {where} gives, and that was not "
                f"settled ({named})"
            )
        for detail, keys in _untold(one, {"failed", "unreadable", "unread"}).items():
            named = some([show(key) for key in keys])
            yield f"{cache}: {keys_of(keys)} not held against {where} ({named}): {detail}"


def notes(entries: Entries) -> Iterator[str]:
    """Say what was held against the source of truth, and how much of it was not."""
    checked = sum(one.checked for one in entries.verifications)
    if not entries.verifications:
        return
    nodes = some(sorted({one.unit.node for one in entries.verifications}))
    yield f"{checked} entries were held against the source of truth on {nodes}"
    left = sum(one.matching - one.checked for one in entries.verifications if one.failure is None)
    if left:
        yield f"{left} more keys have a source of truth, and were left out to spare it"
    counts = Counter(untold.reason for one in entries.verifications for _key, untold in one.untold)
    if counts["unknown"]:
        yield f"of {counts['unknown']} keys the source of truth does not know the value"
    moving = sum(one.moving for one in entries.verifications)
    if moving:
        yield f"{moving} keys changed while they were held against the source of truth"


def _untold(one: Verification, reasons: set[str]) -> dict[str, list[Key]]:
    found: dict[str, list[Key]] = {}
    for key, untold in one.untold:
        if untold.reason in reasons:
            found.setdefault(untold.detail or untold.reason, []).append(key)
    return found
