"""C003 to C005: whether locks lock, counters count, and entries live as long as they should."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from cachecheck.rules.behaviour.sharing import sharing
from cachecheck.rules.behaviour.words import MOST_NAMED, divided, grouped, labels, views_of
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import name_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Finding, Group
    from cachecheck.rules.observations import Fleet, View
    from cachecheck.rules.trials import Counting, Lasting, Trial

BROKEN_ROUNDS = 2

_FATES = {
    "early": "an entry is gone before its time",
    "late": "an entry is still there after its time",
    "untouched": "touch() does not prolong an entry",
}


def check(fleet: Fleet, trial: Trial) -> Iterator[Finding]:
    """Give at most one C003, one C004 for each circle of views, and a C005 for each fate."""
    yield from _lock(trial)
    for one in trial.countings:
        yield from _count(trial, one)
    for fate in _FATES:
        failed = [one for one in trial.lastings if one.fate == fate]
        if failed:
            yield _life(fleet, trial, failed)


def _lock(trial: Trial) -> Iterator[Finding]:
    broken = [one for one in trial.races if one.broken_rounds >= BROKEN_ROUNDS]
    if not broken:
        return
    keys = [won for one in broken for won in one.winners]
    shared = [won for won in keys if len(won) > 1]
    most = max(map(len, shared))
    views = labels(view for one in broken for view in one.views)
    yield finding(
        "C003",
        message=f"add() of one key succeeded up to {most} times through {views_of(len(views))}, "
        f"with {len(shared)} of {len(keys)} keys",
        cache=trial.cache,
        subject="add",
        groups=sharing(trial),
        evidence={
            "keys_tried": len(keys),
            "keys_won_more_than_once": len(shared),
            "most_winners": most,
            "pairs": list(_pairs(shared))[:MOST_NAMED],
        },
    )


def _pairs(shared: Sequence[Sequence[View]]) -> dict[str, None]:
    return dict.fromkeys(
        f"{first.worker} and {other.worker}" for first, *others in shared for other in others
    )


def _count(trial: Trial, one: Counting) -> Iterator[Finding]:
    wrong = [
        number
        for _, number in one.read
        if number is not None and not one.least <= number <= one.most
    ]
    if not wrong:
        return
    low, high = min(wrong), max(wrong)
    made = f"{low}" if low == high else f"{low} to {high}"
    yield finding(
        "C004",
        message=f"{one.least} times incr() through {views_of(len(one.views))} made {made}",
        cache=trial.cache,
        subject="incr",
        groups=_by_number(one),
        evidence={
            "increments": one.least,
            "read_at_least": low,
            "read_at_most": high,
            "looked": one.looked,
            "persisted_seconds": round(one.persisted_seconds, 1),
        },
    )


def _by_number(one: Counting) -> tuple[Group, ...]:
    """Group the views by the number that they read."""
    found: dict[str, tuple[str, ...]] = {}
    for view, number in one.read:
        said = "no number" if number is None else f"{number} of {one.least}"
        found[said] = (*found.get(said, ()), view.worker)
    return grouped(found)


def _life(fleet: Fleet, trial: Trial, failed: Sequence[Lasting]) -> Finding:
    views, fate = labels(one.view for one in failed), failed[0].fate
    return finding(
        "C005",
        message=f"{_FATES[fate]}, through {name_views(views, fleet)}",
        cache=trial.cache,
        subject="touch" if fate == "untouched" else "expiry",
        groups=divided(trial, views, fate, "as asked"),
        evidence={
            "asked_seconds": failed[0].asked_seconds,
            "after_seconds": round(median(one.after_seconds for one in failed), 2),
            "views_failed": len(failed),
            "views_tried": len(trial.lastings),
            "tries": max(one.tries for one in failed),
        },
    )
