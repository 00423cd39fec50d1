"""Which views see what the others write: groups, as a canary found them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Group
from cachecheck.rules.grouping import label

if TYPE_CHECKING:
    from cachecheck.rules.observations import View
    from cachecheck.rules.trials import Trial


def sharing(trial: Trial) -> tuple[Group, ...]:
    """Group views of which one sees what the other writes, the largest group first.

    None, where that is all of them, or where views were not meant to share: a group says that
    there is a border which should not be.
    """
    parts = _parts(trial)
    has_borders = any(
        one.what == "text"
        and one.writer in parts
        and one.reader in parts
        and parts[one.writer] is not parts[one.reader]
        for one in trial.sightings
    )
    if not has_borders:
        return ()
    distinct = {id(part): part for part in parts.values()}
    ranked = sorted(distinct.values(), key=len, reverse=True)
    return tuple(
        Group(label=label(number), views=tuple(view.worker for view in part))
        for number, part in enumerate(ranked)
    )


def _parts(trial: Trial) -> dict[View, list[View]]:
    """Give for each view those that it is connected with by what was seen."""
    parts = {view: [view] for view in trial.views}
    for one in trial.sightings:
        if one.what != "text" or one.fate != "seen" or not {one.writer, one.reader} <= parts.keys():
            continue
        mine, theirs = parts[one.writer], parts[one.reader]
        if mine is not theirs:
            mine += theirs
            parts |= dict.fromkeys(theirs, mine)
    return parts
