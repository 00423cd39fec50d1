"""V006: entries that are not what the site's own source of truth gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Group
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import label, name_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cachecheck.model import Finding, Key
    from cachecheck.rules.observations import Findings, Fleet, StaleOutcome


def check(fleet: Fleet, outcomes: Iterable[StaleOutcome], show: Callable[[Key], str]) -> Findings:
    """Give one V006 for each key of a cache, with the views that have it old."""
    found: dict[tuple[str, Key], list[StaleOutcome]] = {}
    for one in outcomes:
        found.setdefault((one.cache, one.key), []).append(one)
    return tuple(_finding(stale, fleet, show) for stale in found.values())


def _finding(stale: Sequence[StaleOutcome], fleet: Fleet, show: Callable[[Key], str]) -> Finding:
    groups = _groups(stale)
    views = [view.worker for one in stale for view in one.views]
    where = name_views(views, fleet)
    first = stale[0]
    what = "there is no such object" if first.is_gone else "the source of truth gives another value"
    return finding(
        "V006",
        message=f"{what}; the entry {_age(first)}: {where}",
        cache=first.cache,
        subject=show(first.key),
        groups=groups,
        evidence=_evidence(first),
    )


def _groups(stale: Sequence[StaleOutcome]) -> tuple[Group, ...]:
    found: dict[str, list[StaleOutcome]] = {}
    for one in stale:
        found.setdefault(one.digest, []).append(one)
    ranked = sorted(found.items(), key=lambda item: -sum(len(one.views) for one in item[1]))
    return tuple(
        Group(
            label=label(number),
            views=tuple(view.worker for one in members for view in one.views),
            value=f"{members[0].kind or 'bytes'} #{digest[:6]}",
            state="present",
            bytes=members[0].size_bytes,
            expires_at=None if members[0].expires_at is None else round(members[0].expires_at, 3),
        )
        for number, (digest, members) in enumerate(ranked)
    )


def _age(one: StaleOutcome) -> str:
    """Say how old the entry is, by the default timeout where it may have been set with that."""
    age = one.age_seconds
    if age is None or age < one.persisted_seconds:
        return f"has been old for {one.persisted_seconds:.1f} s at least"
    return f"is {age:.0f} s old, if it was set with the TIMEOUT of {one.timeout:g} s"


def _evidence(one: StaleOutcome) -> dict[str, object]:
    evidence: dict[str, object] = {
        "looked": one.looked,
        "persisted_seconds": round(one.persisted_seconds, 1),
    }
    if one.age_seconds is not None:
        evidence["age_by_timeout_seconds"] = round(one.age_seconds, 1)
    if one.expires_in_seconds is not None:
        evidence["expires_in_seconds"] = round(one.expires_in_seconds, 1)
    evidence["true_value"] = "none" if one.is_gone else one.true_kind or "not told"
    return evidence
