"""Find out where the values of a key differ that was found to: by trees of digests, descending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.treediff import Difference, differing
from cachecheck.model import Present
from cachecheck.rules.grouping import label
from cachecheck.rules.observations import Located, Spot
from cachecheck.rules.value import ranked
from cachecheck.wire import MAX_TREES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cachecheck.coordinator.probing import Prober, Unit
    from cachecheck.model import Key, Reading, Tree
    from cachecheck.rules.observations import KeyOutcome, View

MOST_LOCATED = 50
MOST_SPOTS = 20
MOST_DESCENTS = 8
MOST_GROUPS = 4
SHARE_OF_REMAINING = 0.3

Steps = tuple[str, ...]


async def locate(
    prober: Prober, units: Mapping[View, Unit], outcomes: Sequence[KeyOutcome]
) -> dict[Key, Located]:
    """Locate the differences of divergent keys, of the first ``MOST_LOCATED`` that are given.

    A key whose values changed meanwhile, or that is not heard again in time, is left out. It takes
    at most ``SHARE_OF_REMAINING`` of the time that is left: what is found is found already.
    """
    found: dict[Key, Located] = {}
    stop_at = prober.deadline.remaining_seconds * (1 - SHARE_OF_REMAINING)
    divergent = [each for each in outcomes if each.verdict == "divergent"][:MOST_LOCATED]
    for asked, locatings in _together(_Locating(prober, units, one) for one in divergent):
        if prober.deadline.remaining_seconds <= stop_at:
            break
        readings = await prober.read(asked, [one.key for one in locatings], under=())
        for number, one in enumerate(locatings):
            heard = {unit: readings[unit][number] for unit in asked}
            if prober.deadline.remaining_seconds > stop_at:
                located = await one.locate(heard)
                if located is not None:
                    found[one.key] = located
    return found


def _together(
    locatings: Iterable[_Locating],
) -> Iterator[tuple[tuple[Unit, ...], Sequence[_Locating]]]:
    """Group those that the same units are asked for: one request serves many whole values."""
    groups: dict[tuple[Unit, ...], list[_Locating]] = {}
    for one in locatings:
        if one.has_sides:
            groups.setdefault(one.units, []).append(one)
    for units, members in groups.items():
        for start in range(0, len(members), MAX_TREES):
            yield units, members[start : start + MAX_TREES]


class _Locating:
    """Locates the differences of one key, asking one unit of each group of views that agree."""

    def __init__(self, prober: Prober, units: Mapping[View, Unit], one: KeyOutcome) -> None:
        self._prober = prober
        self.key = one.key
        self._asked: dict[str, tuple[Unit, str]] = {}
        for number, members in enumerate(ranked(one)):
            told = [one.readings[index] for index in members]
            for view, reading in told:
                if isinstance(reading, Present) and reading.structure and view in units:
                    self._asked.setdefault(label(number), (units[view], reading.structure))
        self._asked = dict(list(self._asked.items())[:MOST_GROUPS])

    @property
    def units(self) -> tuple[Unit, ...]:
        """Name the units that are asked, each once."""
        return tuple(dict.fromkeys(unit for unit, _ in self._asked.values()))

    @property
    def has_sides(self) -> bool:
        """Whether there are values to compare, of which it can be told what is in them."""
        return len(self._asked) > 1

    async def locate(self, heard: Mapping[Unit, Reading]) -> Located | None:
        """Descend from the whole value, as it was heard, until nothing is left to ask.

        None: one of the values changed meanwhile. It ends as well where enough was asked.
        """
        trees = self._trees(heard)
        if trees is None:
            return None
        spots: dict[Steps, Spot] = {}
        waiting: list[Steps] = []
        self._sort((), self._compared(trees), spots, waiting)
        for _ in range(MOST_DESCENTS - 1):
            if not waiting or len(spots) > MOST_SPOTS:
                break
            trees = self._trees(await self._heard(waiting[0]))
            if trees is None:
                break
            steps = waiting.pop(0)
            self._sort(steps, self._compared(trees), spots, waiting)
        spots |= {path: Spot(steps=path, how="deeper") for path in waiting if path not in spots}
        told = tuple(spots.values())
        return Located(spots=told[:MOST_SPOTS], left_out=max(0, len(told) - MOST_SPOTS))

    @staticmethod
    def _sort(
        steps: Steps, found: Sequence[Difference], spots: dict[Steps, Spot], waiting: list[Steps]
    ) -> None:
        """Add what was found below a path to what is told, or to what is to be asked for."""
        for one in found:
            path = (*steps, *one.steps)
            if one.is_whole or not one.steps:
                spots.setdefault(path, Spot(steps=path, how=one.how))
            elif path not in waiting:
                waiting.append(path)

    async def _heard(self, steps: Steps) -> dict[Unit, Reading]:
        """Ask for the trees below a path."""
        found = await self._prober.read(self.units, [self.key], under=steps)
        return {unit: reading for unit, (reading,) in found.items()}

    def _trees(self, heard: Mapping[Unit, Reading]) -> dict[str, Tree] | None:
        """Give the trees that were heard, one of each group; None: one of the values changed."""
        trees: dict[str, Tree] = {}
        for name, (unit, structure) in self._asked.items():
            reading = heard[unit]
            if not isinstance(reading, Present) or reading.structure != structure:
                return None
            trees[name] = reading.tree
        return trees

    def _compared(self, trees: Mapping[str, Tree]) -> list[Difference]:
        (first, tree), *others = trees.items()
        return [one for name, other in others for one in differing(tree, other, (first, name))]
