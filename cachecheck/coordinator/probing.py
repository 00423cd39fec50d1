"""One run's way of asking: its id and seed, whom it asks, and how fast it may go."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from cachecheck.coordinator.ask import is_unheard
from cachecheck.coordinator.outcomes import Answered
from cachecheck.model import Failed, Value
from cachecheck.rules.observations import View
from cachecheck.wire import MAX_TREES, Collected, Read, Readings, Surveyed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from cachecheck.coordinator.deadline import Deadline
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import FailureReason, Key, Reading
    from cachecheck.wire import AnyRequest

KEYS_PER_READ = 200
KEYS_PER_DIRECT_READ = 1000
SHARE_OF_REMAINING = 0.6
PAGE_SECONDS = 0.25
MOST_PAGE_KEYS = 500_000

_UNHEARD = Failed(reason="unheard", detail="the worker was not heard again in time")

Group = TypeVar("Group")


class Asked(Protocol):
    """Somebody who can be asked: a Django node, or a store that is read directly.

    ``shares_hashes`` says whether ``hash`` of bytes is the same keyed digest there as it is here.
    """

    is_direct: bool
    shares_hashes: bool

    async def ask(
        self,
        wanted: Mapping[Group, frozenset[str]],
        request_for: Callable[[tuple[str, ...]], AnyRequest],
    ) -> dict[Group, Outcome]:
        """Ask for one worker of each wanted group; a group of which nobody was heard is absent."""
        ...


class Unit(Value, frozen=True, kw_only=True):
    """What is read as one: views of one store that prove each other, or a view by itself.

    ``node`` is where to ask, ``workers`` are the ids of which any one will do; ``stands_for`` are
    the views that its readings speak for; ``shift_seconds`` brings expiries to our clock.
    ``instead`` reads the same store through the other nodes, should this one be lost. ``server`` is
    the one of its members that is read by itself; None: the one that takes writes.
    """

    node: str
    cache: str
    workers: frozenset[str]
    stands_for: tuple[View, ...]
    shift_seconds: float
    instead: Unit | None = None
    server: str | None = None

    @property
    def view(self) -> View:
        """The view under which its readings are reported."""
        return self.stands_for[0]


class Wanted(Value, frozen=True, kw_only=True):
    """What is to be told of values beside their digests."""

    with_structure: bool = False
    tree_under: tuple[str, ...] | None = None
    with_values: bool = False

    @property
    def is_much(self) -> bool:
        """Whether much is asked of each value, and so of few in one probe."""
        return self.with_values or self.tree_under is not None


class Rate:
    """Lets at most ``per_second`` keys pass, over all tasks of the run; None: unlimited."""

    def __init__(self, per_second: float | None) -> None:
        self.per_second = per_second
        self._free_at = time.monotonic()

    async def take(self, count: int) -> None:
        """Wait until ``count`` more keys may be asked for."""
        if self.per_second is None:
            return
        now = time.monotonic()
        start = max(now, self._free_at)
        self._free_at = start + count / self.per_second
        await asyncio.sleep(start - now)

    def charge(self, count: int) -> None:
        """Count keys that were looked at without having been asked for: the next ones wait."""
        if self.per_second is not None:
            self._free_at = max(time.monotonic(), self._free_at) + count / self.per_second


class Prober:
    """Asks units of the fleet, chunk by chunk, within the limits of the run.

    ``servers`` tells, of stores that have several, from which one a view last had a key.
    """

    def __init__(
        self, nodes: Mapping[str, Asked], *, run: str, seed: str, rate: Rate, deadline: Deadline
    ) -> None:
        self.run = run
        self.seed = seed
        self.rate = rate
        self.deadline = deadline
        self.nodes_with_lost_workers: set[str] = set()
        self.servers: dict[tuple[View, Key], str] = {}
        self._silent_nodes: set[str] = set()
        self._nodes = nodes

    def is_direct(self, unit: Unit) -> bool:
        """Whether a unit is a store that the coordinator reads by itself."""
        return self._nodes[unit.node].is_direct

    def share_hashes(self, nodes: Iterable[str]) -> bool:
        """Whether all of these nodes are read by processes that share ``hash`` with this one."""
        return all(self._nodes[node].shares_hashes for node in nodes)

    async def ask_one(
        self, unit: Unit, request_for: Callable[[tuple[str, ...]], AnyRequest]
    ) -> Outcome | None:
        """Ask one unit; None: none of its workers was heard."""
        if unit.node in self._silent_nodes:
            return None
        found = await self._nodes[unit.node].ask({unit: unit.workers}, request_for)
        outcome = found.get(unit)
        if is_unheard(outcome) and self.deadline.remaining_seconds and not self.is_direct(unit):
            self._silent_nodes.add(unit.node)
        return outcome

    @property
    def most_page_keys(self) -> int | None:
        """How many keys a page may have, so that the rate is kept at every moment; None: any."""
        rate = self.rate.per_second
        return None if rate is None else max(1, min(MOST_PAGE_KEYS, int(rate * PAGE_SECONDS)))

    async def ask_page(
        self, unit: Unit, request_for: Callable[[tuple[str, ...]], AnyRequest]
    ) -> Outcome | None:
        """Ask for a page within the rate; what it took beyond what was reserved is paid after."""
        reserved = self.most_page_keys or 0
        await self.rate.take(reserved)
        outcome = await self.ask_one(unit, request_for)
        self.rate.charge(max(0, _scanned(outcome) - reserved))
        return outcome

    async def ask_each(
        self,
        node: str,
        wanted: Mapping[Group, frozenset[str]],
        request_for: Callable[[tuple[str, ...]], AnyRequest],
    ) -> dict[Group, Outcome]:
        """Ask workers of one node; a group of which nobody was heard may be absent."""
        if node in self._silent_nodes:
            return {}
        found = await self._nodes[node].ask(wanted, request_for)
        if any(is_unheard(found.get(group)) for group in wanted):
            self.nodes_with_lost_workers.add(node)
        return found

    async def read(
        self,
        units: Sequence[Unit],
        keys: Sequence[Key],
        *,
        with_structure: bool = False,
        under: tuple[str, ...] | None = None,
        with_values: bool = False,
    ) -> dict[Unit, tuple[Reading, ...]]:
        """Read keys through units: for each unit one reading per key, in order.

        ``under`` asks for the trees of digests below that path of the values, ``with_values`` for
        the values as text, from nodes that allow it.

        Units of one node are asked together, so that one burst serves all of its workers; each of
        a store's servers is another request. A node
        that takes more than its share of the time that is left is not waited for, now or later in
        the run: the keys that it has not read by then are ``unheard`` through it.
        """
        wanted = Wanted(with_structure=with_structure, tree_under=under, with_values=with_values)
        readings: dict[Unit, tuple[Reading, ...]] = dict.fromkeys(units, ())
        together: dict[tuple[str, str | None], list[Unit]] = {}
        for unit in units:
            together.setdefault((unit.node, unit.server), []).append(unit)
        tasks = {
            asyncio.create_task(self._read_node(readings, members, keys, wanted)): node
            for (node, _), members in together.items()
        }
        for late in await _wait(tasks, self.deadline.remaining_seconds * SHARE_OF_REMAINING):
            self._silent_nodes.add(tasks[late])
        return {unit: _filled(found, len(keys)) for unit, found in readings.items()}

    async def _read_node(
        self,
        readings: dict[Unit, tuple[Reading, ...]],
        units: Sequence[Unit],
        keys: Sequence[Key],
        wanted: Wanted,
    ) -> None:
        """Add to the ``readings`` of these units, chunk by chunk, so that none is lost."""
        while behind := _furthest_behind(readings, units, len(keys)):
            position = len(readings[behind[0]])
            size = KEYS_PER_DIRECT_READ if self.is_direct(behind[0]) else KEYS_PER_READ
            size = MAX_TREES if wanted.is_much else size
            chunk = keys[position : position + size]
            found = await self._read_chunk(behind, chunk, wanted)
            for unit in behind:
                readings[unit] += found[unit]

    async def _read_chunk(
        self, units: Sequence[Unit], keys: Sequence[Key], wanted: Wanted
    ) -> dict[Unit, tuple[Reading, ...]]:
        node = units[0].node
        if node in self._silent_nodes:
            return {unit: _readings(None, len(keys)) for unit in units}
        await self.rate.take(len(keys) * len(units))
        asked = tuple(keys)

        def request_for(audience: tuple[str, ...]) -> Read:
            return Read(
                run=self.run,
                audience=audience,
                cache=units[0].cache,
                seed=self.seed,
                keys=asked,
                with_structure=wanted.with_structure,
                tree_under=wanted.tree_under,
                with_values=wanted.with_values,
                server=units[0].server,
            )

        workers = {unit: unit.workers for unit in units}
        outcomes = await self._nodes[node].ask(workers, request_for)
        unheard = [unit for unit in units if is_unheard(outcomes.get(unit))]
        if unheard and not self.is_direct(units[0]):
            self.nodes_with_lost_workers.add(node)
        if len(unheard) == len(units) and self.deadline.remaining_seconds:
            self._silent_nodes.add(node)
        for unit in units:
            self._note_servers(unit, keys, outcomes.get(unit))
        return {unit: _readings(outcomes.get(unit), len(keys)) for unit in units}

    def _note_servers(self, unit: Unit, keys: Sequence[Key], outcome: Outcome | None) -> None:
        """Note from which server of its store each key came, where that was told."""
        answer = outcome.answer if isinstance(outcome, Answered) else None
        if isinstance(answer, Readings) and answer.servers:
            told = zip(keys, answer.servers, strict=False)
            self.servers.update({(unit.view, key): server for key, server in told})


def _scanned(outcome: Outcome | None) -> int:
    answer = outcome.answer if isinstance(outcome, Answered) else None
    match answer:
        case Surveyed(summary=summary):
            return summary.scanned
        case Collected(scanned=scanned):
            return scanned
        case _:
            return 0


async def _wait(tasks: Collection[asyncio.Task[None]], seconds: float) -> set[asyncio.Task[None]]:
    """Wait for tasks for at most ``seconds``; give those that were late, which are cancelled."""
    done, pending = await asyncio.wait(tasks, timeout=seconds)
    for late in pending:
        late.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
    return pending


def _furthest_behind(
    readings: Mapping[Unit, tuple[Reading, ...]], units: Sequence[Unit], count: int
) -> list[Unit]:
    """Give the units that have the fewest readings, unless all are complete."""
    fewest = min(len(readings[unit]) for unit in units)
    return [unit for unit in units if len(readings[unit]) == fewest] if fewest < count else []


def _filled(found: tuple[Reading, ...], count: int) -> tuple[Reading, ...]:
    """Fill up what a unit did not come to read."""
    return found + (_UNHEARD,) * (count - len(found))


def _readings(outcome: Outcome | None, asked: int) -> tuple[Reading, ...]:
    """Take the readings of an answer, at least one; where there is none, all are failures."""
    if outcome is None:
        return (_UNHEARD,) * asked
    if not isinstance(outcome, Answered):
        reason: FailureReason = "unheard" if is_unheard(outcome) else "error"
        return (Failed(reason=reason, detail=outcome.detail),) * asked
    answer = outcome.answer
    if not isinstance(answer, Readings) or not 0 < len(answer.readings) <= asked:
        return (Failed(reason="error", detail="the answer does not fit the keys asked"),) * asked
    return answer.readings
