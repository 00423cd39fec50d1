"""One run's way of asking: its id and seed, its targets, and how fast it may go."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cachecheck.coordinator.ask import ask
from cachecheck.coordinator.client import Answered
from cachecheck.model import Failed, Value
from cachecheck.rules.observations import View
from cachecheck.wire import Read, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachecheck.coordinator.client import Client, Outcome
    from cachecheck.coordinator.fleet import Target
    from cachecheck.model import Key, Reading
    from cachecheck.wire import AnyRequest

KEYS_PER_READ = 200


class Unit(Value, frozen=True, kw_only=True):
    """What is read as one: views of one store that prove each other, or a view by itself.

    ``node`` is where to ask, ``workers`` are the ids of which any one will do; ``stands_for`` are
    the views that its readings speak for; ``shift_seconds`` brings expiries to our clock.
    """

    node: str
    cache: str
    workers: frozenset[str]
    stands_for: tuple[View, ...]
    shift_seconds: float

    @property
    def view(self) -> View:
        """The view under which its readings are reported."""
        return self.stands_for[0]


class Rate:
    """Lets at most ``per_second`` keys pass, over all tasks of the run; None: unlimited."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._free_at = time.monotonic()

    async def take(self, count: int) -> None:
        """Wait until ``count`` more keys may be asked for."""
        if self._per_second is None:
            return
        now = time.monotonic()
        start = max(now, self._free_at)
        self._free_at = start + count / self._per_second
        await asyncio.sleep(start - now)


class Prober:
    """Asks units of the fleet, chunk by chunk, within the limits of the run."""

    def __init__(
        self, client: Client, targets: Mapping[str, Target], *, run: str, seed: str, rate: Rate
    ) -> None:
        self.client = client
        self.run = run
        self.seed = seed
        self.nodes_with_lost_workers: set[str] = set()
        self._silent_nodes: set[str] = set()
        self._targets = targets
        self._rate = rate

    async def ask_one(
        self, unit: Unit, request_for: Callable[[tuple[str, ...]], AnyRequest]
    ) -> Outcome | None:
        """Ask one unit; None: none of its workers was heard."""
        wanted = {unit: unit.workers}
        return (await ask(self.client, self._targets[unit.node], wanted, request_for)).get(unit)

    async def read(
        self, units: Sequence[Unit], keys: Sequence[Key], *, with_structure: bool = False
    ) -> dict[Unit, tuple[Reading, ...]]:
        """Read keys through units: for each unit one reading per key, in order.

        Units of one node are asked together, so that one burst serves all of its workers.
        """
        by_node: dict[str, list[Unit]] = {}
        for unit in units:
            by_node.setdefault(unit.node, []).append(unit)
        parts = await asyncio.gather(
            *(
                self._read_node(members, keys, with_structure=with_structure)
                for members in by_node.values()
            )
        )
        return {unit: readings for part in parts for unit, readings in part.items()}

    async def _read_node(
        self, units: Sequence[Unit], keys: Sequence[Key], *, with_structure: bool
    ) -> dict[Unit, tuple[Reading, ...]]:
        readings: dict[Unit, tuple[Reading, ...]] = dict.fromkeys(units, ())
        while behind := _furthest_behind(readings, len(keys)):
            position = len(readings[behind[0]])
            chunk = keys[position : position + KEYS_PER_READ]
            found = await self._read_chunk(behind, chunk, with_structure=with_structure)
            for unit in behind:
                readings[unit] += found[unit]
        return readings

    async def _read_chunk(
        self, units: Sequence[Unit], keys: Sequence[Key], *, with_structure: bool
    ) -> dict[Unit, tuple[Reading, ...]]:
        node = units[0].node
        if node in self._silent_nodes:
            return {unit: _readings(None, len(keys)) for unit in units}
        await self._rate.take(len(keys) * len(units))
        asked = tuple(keys)

        def request_for(audience: tuple[str, ...]) -> Read:
            return Read(
                run=self.run,
                audience=audience,
                cache=units[0].cache,
                seed=self.seed,
                keys=asked,
                with_structure=with_structure,
            )

        wanted = {unit: unit.workers for unit in units}
        outcomes = await ask(self.client, self._targets[node], wanted, request_for)
        if len(outcomes) < len(units):
            self.nodes_with_lost_workers.add(node)
        if not outcomes:
            self._silent_nodes.add(node)
        return {unit: _readings(outcomes.get(unit), len(keys)) for unit in units}


def _furthest_behind(readings: Mapping[Unit, tuple[Reading, ...]], count: int) -> list[Unit]:
    """Give the units that have the fewest readings, unless all are complete."""
    fewest = min(len(found) for found in readings.values())
    if fewest >= count:
        return []
    return [unit for unit, found in readings.items() if len(found) == fewest]


def _readings(outcome: Outcome | None, asked: int) -> tuple[Reading, ...]:
    """Take the readings of an answer, at least one; where there is none, all are failures."""
    if outcome is None:
        failure = Failed(reason="unheard", detail="the worker was not heard again")
        return (failure,) * asked
    if not isinstance(outcome, Answered):
        return (Failed(reason="error", detail=outcome.detail),) * asked
    answer = outcome.answer
    if not isinstance(answer, Readings) or not 0 < len(answer.readings) <= asked:
        return (Failed(reason="error", detail="the answer does not fit the keys asked"),) * asked
    return answer.readings
