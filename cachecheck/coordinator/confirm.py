"""Decide what a suspect key is, after looking at it again. Pure.

The rules stand in an order that was tried against toggling keys, hot keys and replicas that lag or
are detached: agreement in any look heals; a view that stood still while others moved, and never
agreed with them, has stopped following; where all moved, nothing can be said by looking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cachecheck.coordinator.compare import (
    Difference,
    Tolerance,
    differences,
    is_going,
    is_kept,
    value_marks,
)
from cachecheck.model import Failed, Present, Reading, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_LOOKS = 2

Judgement = Literal[
    "open",
    "healed",
    "closed",
    "unread",
    "kept",
    "divergent",
    "missing",
    "unknown-structure",
    "encoding",
    "persistence-drift",
    "expiry-drift",
    "flapping",
]

_NAMES: dict[Difference, Judgement] = {
    "missing": "missing",
    "value": "divergent",
    "unknown-structure": "unknown-structure",
    "encoding": "encoding",
    "persistence": "persistence-drift",
    "expiry": "expiry-drift",
}


class Look(Value, frozen=True, kw_only=True):
    """One look at a key: when, in seconds of a steady clock, and one reading for each view."""

    at: float
    readings: tuple[Reading, ...]


def judge(looks: Sequence[Look], *, settle_seconds: float, tolerance: Tolerance) -> Judgement:
    """Judge a suspect by all looks so far; ``open`` asks for another one.

    What differs must have stood for ``settle_seconds`` and for two looks at least. ``healed``: all
    views agreed in some look. ``closed``: an entry was evicted, expired, deleted or touched
    meanwhile. ``unread``: views that could not be read are needed to say more. ``kept``: those that
    do not withhold the key agree.
    """
    if any(_agrees(look, tolerance) for look in looks):
        return "healed"
    if len(looks) < MIN_LOOKS or looks[-1].at - looks[0].at < settle_seconds:
        return "open"
    seen = _readable(looks)
    found = differences(seen[-1].readings, tolerance)
    if not found and is_going(looks[-1].readings, tolerance):
        return "closed"
    if not found:
        return "kept" if is_kept(looks[-1].readings) else "unread"
    moved = tuple(_has_moved(seen, view) for view in range(len(seen[0].readings)))
    still = _only(seen, [view for view, has_moved in enumerate(moved) if not has_moved])
    standing = differences(still[-1].readings, tolerance)
    if standing:  # whatever the others did: no view that moves speaks for those that stand
        return _standing(still, standing, tolerance)
    return _moving(seen, moved)


def _agrees(look: Look, tolerance: Tolerance) -> bool:
    is_whole = not any(isinstance(reading, Failed) for reading in look.readings)
    if not is_whole or is_going(look.readings, tolerance):
        return False
    return not differences(look.readings, tolerance)


def _readable(looks: Sequence[Look]) -> tuple[Look, ...]:
    """Keep the views that could be read in every look."""
    views = [
        view
        for view in range(len(looks[0].readings))
        if not any(isinstance(look.readings[view], Failed) for look in looks)
    ]
    return _only(looks, views)


def _only(looks: Sequence[Look], views: Sequence[int]) -> tuple[Look, ...]:
    return tuple(
        Look(at=look.at, readings=tuple(look.readings[view] for view in views)) for look in looks
    )


def _moving(looks: Sequence[Look], moved: Sequence[bool]) -> Judgement:
    """Judge by those that stood still: pairs of one that did and one that moved past it."""
    pairs = [
        (still, mover)
        for still in range(len(moved))
        for mover in range(len(moved))
        if not moved[still] and moved[mover]
    ]
    if not pairs:
        return "flapping"
    stopped = [pair for pair in pairs if not _ever_agreed(looks, *pair)]
    if any(_is_alive(looks, mover) for _, mover in stopped):
        return "divergent"
    return "closed"


def _is_alive(looks: Sequence[Look], mover: int) -> bool:
    """Whether a view that moved holds values of its own, and did not merely lose or gain one."""
    is_there = [isinstance(look.readings[mover], Present) for look in looks]
    went = next((at for at in range(1, len(looks)) if is_there[at - 1] > is_there[at]), None)
    came_back = went is not None and any(is_there[went:])
    return came_back or _values(looks, mover) > 1


def _ever_agreed(looks: Sequence[Look], still: int, mover: int) -> bool:
    standing = frozenset().union(*(value_marks(look.readings[still]) for look in looks))
    passed = frozenset().union(*(value_marks(look.readings[mover]) for look in looks))
    return bool(standing & passed)


def _values(looks: Sequence[Look], view: int) -> int:
    """Count the distinct values that a view held; coming and going is not counted."""
    readings = [look.readings[view] for look in looks]
    return len({reading.digest for reading in readings if isinstance(reading, Present)})


def _has_moved(looks: Sequence[Look], view: int) -> bool:
    return len({_bytes_mark(look.readings[view]) for look in looks}) > 1


def _bytes_mark(reading: Reading) -> str:
    return reading.digest if isinstance(reading, Present) else "missing"


def _standing(
    looks: Sequence[Look], found: tuple[Difference, ...], tolerance: Tolerance
) -> Judgement:
    """Name what differs where no view's value moved; for drift, expiries must have stood too."""
    if "value" in found:
        return "divergent"
    gravest = found[1] if found[0] == "encoding" and len(found) > 1 else found[0]
    if gravest in {"persistence", "expiry"} and not _have_expiries_stood(looks, tolerance):
        return "closed"
    return _NAMES[gravest]


def _have_expiries_stood(looks: Sequence[Look], tolerance: Tolerance) -> bool:
    return all(
        _spread([look.readings[view] for look in looks]) <= tolerance.seconds / 2
        for view in range(len(looks[0].readings))
    )


def _spread(readings: Sequence[Reading]) -> float:
    present = [reading for reading in readings if isinstance(reading, Present)]
    expiries = [reading.expires_at for reading in present if reading.expires_at is not None]
    if expiries and len(expiries) < len(present):
        return float("inf")
    return max(expiries) - min(expiries) if expiries else 0.0
