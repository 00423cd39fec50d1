"""Lock and count through all views of a circle at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cachecheck.coordinator.canary.names import new_nonce
from cachecheck.coordinator.canary.watching import Watch
from cachecheck.model import CanaryStep
from cachecheck.rules.trials import Counting, Race

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from cachecheck.coordinator.canary.circles import Circle
    from cachecheck.coordinator.canary.mover import Done, Mover
    from cachecheck.rules.observations import View

KEYS_RACED = 8
MOST_ROUNDS = 3
INCREMENTS = 20

Made = dict["View", list["Done"]]


async def race(mover: Mover, circles: Sequence[Circle]) -> tuple[Race, ...]:
    """Add fresh keys through all views of each circle at once; a race without any view is none.

    Where a key was won more than once other keys are raced, to see whether that was no chance: an
    entry can be evicted between two of the calls.
    """
    rounds: list[list[list[tuple[View, ...]]]] = [[] for _ in circles]
    for number in range(MOST_ROUNDS):
        again = [index for index, raced in enumerate(rounds) if _is_open(raced)]
        if not again:
            break
        steps = {
            seen.view: _attempts(circles[index], index, number)
            for index in again
            for seen in circles[index]
        }
        found = await mover.make(steps)
        for index in again:
            rounds[index].append(_winners(circles[index], found))
    return tuple(
        Race(
            views=tuple(seen.view for seen in circle if seen.view not in mover.gone),
            winners=tuple(key for raced in several for key in raced),
            rounds=len(several),
            broken_rounds=sum(map(_is_broken, several)),
        )
        for circle, several in zip(circles, rounds, strict=True)
        if any(seen.view not in mover.gone for seen in circle)
    )


def _is_open(raced: Sequence[list[tuple[View, ...]]]) -> bool:
    return not raced or (_is_broken(raced[0]) and sum(map(_is_broken, raced)) < 2)  # noqa: PLR2004  twice


def _is_broken(winners: Sequence[tuple[View, ...]]) -> bool:
    return any(len(won) > 1 for won in winners)


def _attempts(circle: Circle, index: int, number: int) -> list[CanaryStep]:
    """Make the steps of one view; one that is alone tries twice."""
    times = 2 if len(circle) == 1 else 1
    return [
        CanaryStep(operation="add", name=f"lock-{index}-{number}-{key}", nonces=(new_nonce(),))
        for key in range(KEYS_RACED)
        for _ in range(times)
    ]


def _winners(circle: Circle, found: Made) -> list[tuple[View, ...]]:
    times = 2 if len(circle) == 1 else 1
    won: list[list[View]] = [[] for _ in range(KEYS_RACED)]
    for seen in circle:
        for position, done in enumerate(found[seen.view]):
            if done.result.outcome == "done":
                won[position // times].append(seen.view)
    return [tuple(views) for views in won]


class Counted(NamedTuple):
    """What was counted in one circle, and the watches that will say what became of it."""

    views: tuple[View, ...]
    least: int
    most: int
    watches: tuple[Watch, ...]


async def count(mover: Mover, circles: Sequence[Circle]) -> tuple[Counted, ...]:
    """Increment one key of each circle through all of its views at once."""
    names = {seen.view: f"count-{index}" for index, one in enumerate(circles) for seen in one}
    await mover.make(
        {
            view: [CanaryStep(operation="add", name=name, value="count")]
            for view, name in names.items()
        }
    )
    found = await mover.make(
        {
            view: [CanaryStep(operation="incr", name=name, value="count", times=INCREMENTS)]
            for view, name in names.items()
        }
    )
    return tuple(_counted(circle, found, names) for circle in circles)


def _counted(circle: Circle, found: Made, names: dict[View, str]) -> Counted:
    """Sum up what was said; whoever was not heard may have counted all the same."""
    views = tuple(seen.view for seen in circle if found[seen.view])
    made = [found[view][0] for view in views]
    least = sum(done.result.count or 0 for done in made)
    unknown = INCREMENTS * (len(circle) - len(views)) + sum(
        INCREMENTS - (done.result.count or 0) for done in made if done.result.outcome == "failed"
    )
    last = max(made, key=lambda done: done.ended_at, default=None)
    watches = tuple(
        Watch(
            last, view, CanaryStep(operation="get", name=names[view], value="count"), wanted=least
        )
        for view in views
        if last is not None and least
    )
    return Counted(views=views, least=least, most=least + unknown, watches=watches)


def counting(one: Counted, gone: Container[View]) -> Counting | None:
    """Say what each view has of a count at last; None: nobody could count, or look."""
    looked = [watch for watch in one.watches if watch.looks and watch.reader not in gone]
    if not looked:
        return None
    return Counting(
        views=one.views,
        least=one.least,
        most=one.most,
        read=tuple((watch.reader, watch.looks[-1].result.count) for watch in looked),
        looked=max(len(watch.looks) for watch in looked),
        persisted_seconds=max(watch.persisted_seconds for watch in looked),
    )
