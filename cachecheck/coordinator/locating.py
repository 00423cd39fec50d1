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
    for one in [each for each in outcomes if each.verdict == "divergent"][:MOST_LOCATED]:
        if prober.deadline.remaining_seconds > stop_at:
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
            if not waiting or len(spots) > MOST_SPOTS:
                break
            steps = waiting.pop(0)
            trees = await self._trees(steps)
            if trees is None and not steps:
                return None
            if trees is None:
                waiting.insert(0, steps)
                break
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
