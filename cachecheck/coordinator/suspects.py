"""Read keys through every unit, compare, and look again at what differs until it is settled."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.compare import Tolerance, differences, is_going, is_kept, is_unread
from cachecheck.coordinator.confirm import Judgement, Look, judge
from cachecheck.coordinator.probing import Unit
from cachecheck.model import Expired, Failed, Key, Present, Reading, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.progress import Progress

FIRST_PAUSE_SECONDS = 0.15
HASTY_PAUSE_SECONDS = 0.005  # where nothing has to stand
GROWTH = 1.8
HORIZON_SECONDS = 2.0
SETTLED_PAUSE_SECONDS = 0.3


class Patience(Value, frozen=True, kw_only=True):
    """How long a difference must stand, and how far expiries may be apart, in seconds."""

    settle_seconds: float
    tolerance_seconds: float


class Examined(Value, frozen=True, kw_only=True):
    """What came of one key: ``looks`` are there where it was a suspect, or could not be read."""

    key: Key
    judgement: Judgement
    looks: tuple[Look, ...] = ()

    @property
    def is_denied(self) -> bool:
        """Whether a view was not allowed to read the key, in the last look that was kept."""
        return any(
            isinstance(reading, Failed) and reading.reason == "denied"
            for look in self.looks[-1:]
            for reading in look.readings
        )


class Tally(Value, frozen=True, kw_only=True):
    """How many keys a unit had when they were first looked at, and how many for good."""

    keys: int = 0
    lasting: int = 0


class Examination(Value, frozen=True, kw_only=True):
    """What came of keys over ``units``; ``lost`` are those that were not heard at all any more.

    ``reasons`` says, for each lost unit, what came instead; ``tallies`` stand beside ``units``.
    """

    units: tuple[Unit, ...] = ()
    lost: tuple[Unit, ...] = ()
    reasons: tuple[str, ...] = ()
    keys: tuple[Examined, ...] = ()
    tallies: tuple[Tally, ...] = ()


class Examiner:
    """Examines keys over units that can be compared."""

    def __init__(self, prober: Prober, patience: Patience, progress: Progress) -> None:
        self._prober = prober
        self._patience = patience
        self._progress = progress

    async def examine(self, units: Sequence[Unit], keys: Sequence[Key]) -> Examination:
        """Examine keys; a unit that is lost costs its own readings, not those of the others."""
        if not keys:
            return Examination()
        found, lost = await self._first_look(units, keys)
        heard = tuple(found)
        rows = _by_key(heard, found, len(keys))
        at = time.monotonic()
        first = {
            key: Look(at=at, readings=readings) for key, readings in zip(keys, rows, strict=True)
        }
        examined = self._settled_at_once(first)
        self._progress.advance(len(examined))
        suspects = {key: (look,) for key, look in first.items() if key not in examined}
        examined |= await self._look_again(heard, suspects)
        return Examination(
            units=heard,
            lost=tuple(lost),
            reasons=tuple(lost.values()),
            keys=tuple(examined[key] for key in keys),
            tallies=tuple(_tally(found[unit]) for unit in heard),
        )

    async def _first_look(
        self, units: Sequence[Unit], keys: Sequence[Key]
    ) -> tuple[dict[Unit, tuple[Reading, ...]], dict[Unit, str]]:
        """Read keys; where a node is lost, through another one that sees the same store.

        Gives the readings of the units that were heard, and why the others were not.
        """
        found: dict[Unit, tuple[Reading, ...]] = {}
        lost: dict[Unit, str] = {}
        while units:
            readings = await self._prober.read(units, keys)
            silent = [unit for unit in units if _is_lost(readings[unit])]
            found |= {unit: readings[unit] for unit in units if unit not in silent}
            lost |= {_alone(unit): _why(readings[unit]) for unit in silent}
            units = [unit.instead for unit in silent if unit.instead is not None]
        return found, lost

    def _settled_at_once(self, first: Mapping[Key, Look]) -> dict[Key, Examined]:
        """Settle the keys in which no two views differ."""
        tolerance = self._tolerance()
        settled: dict[Key, Examined] = {}
        for key, look in first.items():
            if is_going(look.readings, tolerance):
                settled[key] = Examined(key=key, judgement="closed")
            elif not differences(look.readings, tolerance):
                judgement = _undisputed(look.readings)
                looks = () if judgement == "healed" else (look,)
                settled[key] = Examined(key=key, judgement=judgement, looks=looks)
        return settled

    async def _look_again(
        self, units: Sequence[Unit], suspects: Mapping[Key, tuple[Look, ...]]
    ) -> dict[Key, Examined]:
        """Look at suspects until each is judged, or the run's deadline leaves it open."""
        looks = dict(suspects)
        done: dict[Key, Examined] = {}
        is_hasty = not self._patience.settle_seconds
        pause = HASTY_PAUSE_SECONDS if is_hasty else FIRST_PAUSE_SECONDS
        started = time.monotonic()
        while looks and self._prober.deadline.remaining_seconds:
            await asyncio.sleep(self._pause(pause, started))
            pause *= GROWTH
            looks = await self._one_look(units, looks)
            judged = self._judge(looks)
            self._progress.advance(len(judged))
            done |= judged
            looks = {key: seen for key, seen in looks.items() if key not in judged}
        undone = {
            key: Examined(key=key, judgement="open", looks=seen) for key, seen in looks.items()
        }
        return done | undone

    async def _one_look(
        self, units: Sequence[Unit], looks: Mapping[Key, tuple[Look, ...]]
    ) -> dict[Key, tuple[Look, ...]]:
        """Look once more at all that is open, keys and units in another order each time."""
        keys, order = list(looks), list(units)
        random.shuffle(keys)
        random.shuffle(order)
        found = await self._prober.read(order, keys, with_structure=True)
        at = time.monotonic()
        rows = zip(keys, _by_key(units, found, len(keys)), strict=True)
        return {key: (*looks[key], Look(at=at, readings=readings)) for key, readings in rows}

    def _judge(self, looks: Mapping[Key, tuple[Look, ...]]) -> dict[Key, Examined]:
        settle_seconds, tolerance = self._patience.settle_seconds, self._tolerance()
        judged: dict[Key, Examined] = {}
        for key, seen in looks.items():
            judgement = judge(seen, settle_seconds=settle_seconds, tolerance=tolerance)
            if judgement != "open":
                judged[key] = Examined(key=key, judgement=judgement, looks=seen)
        return judged

    def _pause(self, pause: float, started: float) -> float:
        """Pause with jitter, and not beyond the moment at which what still stands is settled."""
        jittered = pause * random.uniform(0.7, 1.3)  # noqa: S311  jitter
        to_settled = self._patience.settle_seconds - (time.monotonic() - started)
        longest = to_settled + 0.01 if to_settled > 0 else SETTLED_PAUSE_SECONDS
        return min(jittered, longest)

    def _tolerance(self) -> Tolerance:
        """Take the clock as it is now: what expires within moments cannot be compared."""
        horizon = time.time() + HORIZON_SECONDS + self._patience.tolerance_seconds
        return Tolerance(seconds=self._patience.tolerance_seconds, horizon=horizon)


def _tally(readings: Sequence[Reading]) -> Tally:
    present = [reading for reading in readings if isinstance(reading, Present)]
    return Tally(keys=len(present), lasting=sum(reading.expires_at is None for reading in present))


def _undisputed(readings: Sequence[Reading]) -> Judgement:
    if is_kept(readings):
        return "kept"
    return "healed" if readings and not is_unread(readings) else "unread"


def _alone(unit: Unit) -> Unit:
    """Give a unit with the views of its own node only, where others are read through another."""
    if unit.instead is None:
        return unit
    own = tuple(view for view in unit.stands_for if view.node == unit.node)
    return msgspec.structs.replace(unit, stands_for=own, instead=None)


def _is_lost(readings: Sequence[Reading]) -> bool:
    return all(isinstance(reading, Failed) and reading.reason == "unheard" for reading in readings)


def _why(readings: Sequence[Reading]) -> str:
    return next(reading.detail for reading in readings if isinstance(reading, Failed))


def _by_key(
    units: Sequence[Unit], found: Mapping[Unit, tuple[Reading, ...]], count: int
) -> list[tuple[Reading, ...]]:
    """Turn readings by unit into readings by key, with expiries in the coordinator's clock."""
    columns = [[shifted(reading, unit) for reading in found[unit]] for unit in units]
    return [tuple(column[row] for column in columns) for row in range(count)]


def shifted(reading: Reading, unit: Unit) -> Reading:
    """Give a reading with its expiry in the coordinator's clock."""
    if isinstance(reading, Present) and reading.expires_at is not None:
        shifted = reading.expires_at - unit.shift_seconds
        return msgspec.structs.replace(reading, expires_at=shifted)
    if isinstance(reading, Expired):
        return Expired(expires_at=reading.expires_at - unit.shift_seconds)
    return reading
