"""Find out where the values of a key differ that was found to: by trees of digests, descending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.treediff import Difference, differing
from cachecheck.model import Present
from cachecheck.rules.grouping import label
from cachecheck.rules.observations import Located, Spot
from cachecheck.rules.value import ranked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cachecheck.coordinator.probing import Prober, Unit
    from cachecheck.model import Key, Tree
    from cachecheck.rules.observations import KeyOutcome, View

MOST_LOCATED = 50
MOST_SPOTS = 20
MOST_DESCENTS = 8
MOST_GROUPS = 4

Steps = tuple[str, ...]


async def locate(
    prober: Prober, units: Mapping[View, Unit], outcomes: Sequence[KeyOutcome]
) -> dict[Key, Located]:
    """Locate the differences of divergent keys, of the first ``MOST_LOCATED`` that are given.

    A key whose values changed meanwhile, or that is not heard again in time, is left out.
    """
    found: dict[Key, Located] = {}
    for one in [each for each in outcomes if each.verdict == "divergent"][:MOST_LOCATED]:
        if prober.deadline.remaining_seconds:
            located = await _Locating(prober, units, one).locate()
            if located is not None:
                found[one.key] = located
    return found


class _Locating:
    """Locates the differences of one key, asking one unit of each group of views that agree."""

    def __init__(self, prober: Prober, units: Mapping[View, Unit], one: KeyOutcome) -> None:
        self._prober = prober
        self._key = one.key
        self._asked: dict[str, tuple[Unit, str]] = {}
        for number, members in enumerate(ranked(one)):
            told = [one.readings[index] for index in members]
            for view, reading in told:
                if isinstance(reading, Present) and reading.structure and view in units:
                    self._asked.setdefault(label(number), (units[view], reading.structure))
        self._asked = dict(list(self._asked.items())[:MOST_GROUPS])

    async def locate(self) -> Located | None:
        """Descend from the whole value until nothing is left to ask, or enough was asked."""
        if len(self._asked) < 2:  # noqa: PLR2004  values that can be told
            return None
        spots: dict[Steps, Spot] = {}
        waiting: list[Steps] = [()]
        for _ in range(MOST_DESCENTS):
            if (
                not waiting
                or len(spots) > MOST_SPOTS
                or not self._prober.deadline.remaining_seconds
            ):
                break
            steps = waiting.pop(0)
            trees = await self._trees(steps)
            if trees is None:
                if not steps:
                    return None
                waiting.append(steps)
                break
            for one in self._compared(trees):
                path = (*steps, *one.steps)
                if one.is_whole or not one.steps:
                    spots.setdefault(path, Spot(steps=path, how=one.how))
                elif path not in waiting:
                    waiting.append(path)
        for path in waiting:
            spots.setdefault(path, Spot(steps=path, how="deeper"))
        told = tuple(spots.values())
        return Located(spots=told[:MOST_SPOTS], left_out=max(0, len(told) - MOST_SPOTS))

    async def _trees(self, steps: Steps) -> dict[str, Tree] | None:
        """Ask for the trees below a path, one of each group; None: one of the values changed."""
        units = list(dict.fromkeys(unit for unit, _ in self._asked.values()))
        readings = await self._prober.read(units, [self._key], under=steps)
        trees: dict[str, Tree] = {}
        for name, (unit, structure) in self._asked.items():
            (reading,) = readings[unit]
            if not isinstance(reading, Present) or reading.structure != structure:
                return None
            trees[name] = reading.tree
        return trees

    def _compared(self, trees: Mapping[str, Tree]) -> list[Difference]:
        (first, tree), *others = trees.items()
        return [one for name, other in others for one in differing(tree, other, (first, name))]
