"""Whether entries live as long as they were asked to: an expiry, and one that was prolonged."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from cachecheck.coordinator.canary.names import read, write
from cachecheck.coordinator.canary.watching import Watch, watch
from cachecheck.model import CanaryStep
from cachecheck.rules.trials import Lasting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cachecheck.coordinator.canary.mover import Done, Mover
    from cachecheck.coordinator.views import SeenView
    from cachecheck.rules.observations import View
    from cachecheck.rules.trials import Life

SHORT_SECONDS = 2
COARSEST_SECONDS = 1.0  # memcached and the database keep whole seconds
SLACK_SECONDS = 0.3
LATE_SECONDS = 0.5
MOST_TRIES = 2

_KINDS = ("short", "touched")


class _Tried(NamedTuple):
    """What was seen of one view's two entries, the short one and the prolonged one."""

    seen: SeenView
    short: Done
    looks: list[tuple[Done, Done]]


async def last(mover: Mover, views: Sequence[SeenView], settle_seconds: float) -> list[Lasting]:
    """Try it in each view by itself; where it was not as asked, once more with other keys.

    Gives what was as asked, and what was not both times. An entry that was never seen says nothing
    here: it may be on its way to a replica.
    """
    found: dict[View, Lasting] = {}
    open_views = list(views)
    for number in range(1, MOST_TRIES + 1):
        for one in await _once(mover, open_views, settle_seconds, number):
            found[one.view] = one
        open_views = [
            seen
            for seen in open_views
            if seen.view in found and found[seen.view].fate != "honoured"
        ]
        if not open_views:
            break
    return [one for one in found.values() if one.fate == "honoured" or one.tries == MOST_TRIES]


async def _once(
    mover: Mover, views: Sequence[SeenView], settle_seconds: float, number: int
) -> list[Lasting]:
    """Write both entries, look before the one may be gone and after it must be."""
    steps = {seen.view: _steps(f"{place}-{number}") for place, seen in enumerate(views)}
    made = await mover.make(steps)
    tried = {
        seen.view: _Tried(seen, made[seen.view][0], [])
        for seen in views
        if [done.result.outcome for done in made[seen.view]] == ["done"] * len(steps[seen.view])
    }
    looks = {view: [read(step) for step in steps[view][:2]] for view in tried}
    began = time.monotonic()
    await _look(mover, tried, looks)
    await _until(began + _early_at(views))
    await _look(mover, tried, looks)
    await _until(began + SHORT_SECONDS + COARSEST_SECONDS + LATE_SECONDS)
    gone = {
        view: Watch(one.short, view, looks[view][0], wanted="nothing")
        for view, one in tried.items()
    }
    await watch(mover, list(gone.values()), settle_seconds)
    await _look(mover, tried, looks)
    judged = (
        _judged(one, gone[view], number) for view, one in tried.items() if view not in mover.gone
    )
    return [one for one in judged if one is not None]


def _steps(name: str) -> list[CanaryStep]:
    """Write the short entry and the other one, and prolong that."""
    short, other = (write(f"{kind}-{name}", lasts_seconds=SHORT_SECONDS) for kind in _KINDS)
    return [short, other, CanaryStep(operation="touch", name=other.name)]


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


def _early_at(views: Iterable[SeenView]) -> float:
    """Say when to look once more before the first of the entries may be gone."""
    coarsest = max((_resolution(seen) for seen in views), default=0.0)
    return SHORT_SECONDS - coarsest - SLACK_SECONDS


def _resolution(seen: SeenView) -> float:
    return min(seen.cache.capabilities.expiry_resolution_seconds, COARSEST_SECONDS)


async def _look(
    mover: Mover, tried: Mapping[View, _Tried], looks: Mapping[View, Sequence[CanaryStep]]
) -> None:
    found = await mover.make(looks)
    for view, done in found.items():
        if len(done) == 2:  # noqa: PLR2004  the short one and the prolonged one
            tried[view].looks.append((done[0], done[1]))


def _judged(one: _Tried, gone: Watch, number: int) -> Lasting | None:
    """Judge what was seen of one view; None: nothing of it was seen in time."""
    asked = float(SHORT_SECONDS)
    early = _gone_early(one)
    if early is not None:
        return _lasting(one, "early", early, number)
    if gone.looks and gone.is_open and gone.looks[-1].result.outcome == "found":
        return _lasting(one, "late", gone.looks[-1].ended_at - one.short.ended_at, number)
    was_seen = [prolonged for _, prolonged in one.looks if prolonged.result.outcome == "found"]
    last_look = one.looks[-1][1] if one.looks else None
    if last_look is None or not was_seen or gone.is_open:
        return None
    if last_look.result.outcome == "missing":
        return _lasting(one, "untouched", last_look.ended_at - one.short.ended_at, number)
    return _lasting(one, "honoured", asked, number)


def _gone_early(one: _Tried) -> float | None:
    """Give how old the short entry was when it was surely gone too early; None: it was not."""
    due = one.short.began_at + SHORT_SECONDS - _resolution(one.seen)
    was_seen = False
    for short, _ in one.looks:
        open_seconds = short.uncertainty_seconds + one.short.uncertainty_seconds
        if was_seen and short.result.outcome == "missing" and short.ended_at + open_seconds < due:
            return short.ended_at - one.short.ended_at
        was_seen = was_seen or short.result.outcome == "found"
    return None


def _lasting(one: _Tried, fate: Life, after_seconds: float, number: int) -> Lasting:
    return Lasting(
        view=one.seen.view,
        fate=fate,
        asked_seconds=float(SHORT_SECONDS),
        after_seconds=after_seconds,
        tries=number,
    )
