"""Pairs and groups of views, in the words of findings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Group
from cachecheck.rules.grouping import label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.rules.observations import View
    from cachecheck.rules.trials import Sighting, Trial

MOST_NAMED = 20
"""How many pairs, or views, a finding names; all are counted."""


def labels(views: Iterable[View]) -> tuple[str, ...]:
    """Name views by their workers, each once."""
    return tuple(dict.fromkeys(view.worker for view in views))


def pair(one: Sighting) -> str:
    """Name who wrote and who looked."""
    return f"{one.writer.worker} → {one.reader.worker}"


def views_of(number: int) -> str:
    """Count views."""
    return f"{number} view{'s' * (number != 1)}"


def of_pairs(failed: Sequence[Sighting], tried: Sequence[Sighting]) -> str:
    """Count pairs, those of two views apart from views that look for what they wrote."""
    parts = []
    for is_own, noun in ((False, "pairs of views"), (True, "views by themselves")):
        some, all_ = (
            sum((one.writer == one.reader) == is_own for one in found) for found in (failed, tried)
        )
        if some:
            parts.append(f"{some} of {all_} {noun}")
    return ", ".join(parts)


def divided(trial: Trial, meant: Sequence[str], value: str, others: str) -> tuple[Group, ...]:
    """Group the views of a trial in two, those that are ``meant`` and the others, larger first."""
    rest = tuple(label for label in labels(trial.views) if label not in set(meant))
    parts = [(rest, others), (tuple(meant), value)]
    return grouped({said: views for views, said in parts if views})


def grouped(views: dict[str, tuple[str, ...]]) -> tuple[Group, ...]:
    """Make a group of each entry, the largest first."""
    ranked = sorted(views.items(), key=lambda item: -len(item[1]))
    return tuple(
        Group(label=label(number), views=members, value=value)
        for number, (value, members) in enumerate(ranked)
    )
