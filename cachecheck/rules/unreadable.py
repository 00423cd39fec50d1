"""Values that some application cannot read, in words: who lacks what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Present
from cachecheck.rules.grouping import enumerated, name_views

if TYPE_CHECKING:
    from cachecheck.rules.observations import Fleet, KeyOutcome

_NOT_DECODABLE = "not decodable"


def lacking(one: KeyOutcome) -> dict[str, object]:
    """Give as evidence what is lacking, over all views."""
    return {"lacking": list(dict.fromkeys(name for names in _by_reason(one) for name in names))}


def unreadable_on(one: KeyOutcome, fleet: Fleet) -> str:
    """Say in one line who cannot read the value, and why."""
    parts = [_part(names, views, fleet) for names, views in _by_reason(one).items()]
    present = [reading for _, reading in one.readings if isinstance(reading, Present)]
    is_all = all(reading.unreadable for reading in present)
    return "; ".join(parts) + (", and nobody else can" if is_all else "")


def _by_reason(one: KeyOutcome) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for (_, reading), views in zip(one.readings, one.stand_for, strict=True):
        if isinstance(reading, Present) and reading.unreadable:
            found.setdefault(reading.unreadable, []).extend(view.worker for view in views)
    return found


def _part(names: tuple[str, ...], views: list[str], fleet: Fleet) -> str:
    who = name_views(views, fleet)
    if names[0].startswith(_NOT_DECODABLE):
        return f"{who} cannot decode it: {names[0].partition(': ')[2]}"
    return f"{who} cannot read it without {enumerated(names)}"
